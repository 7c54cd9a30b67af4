/**
 * The root document: which documents and sessions there are. Its id stands in the group's genesis entry; its genesis is a
 * pinned byte literal that every device loads, so all of them continue the same objects. Its maps are cut into 256 buckets by
 * the first byte of the id (10,000 additions: 33 s in one wide map, 4.6 s bucketed); the buckets are made by the genesis,
 * because of two that were made at the same time one would be lost.
 */
import { documentIdToBinary } from '@automerge/automerge-repo'
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import { toHex } from '../lib/bytes.ts'
import type { SessionId } from '../lib/ids.ts'
import { createSubject, type Observable } from '../lib/observable.ts'
import type { Documents } from './documents-interface.ts'
import { ROOT_GENESIS } from './root-genesis.ts'

export interface IndexedDocument {
  readonly id: DocumentId
  /** A word such as 'text' or 'session'; the session layer's business. */
  readonly kind: string
  readonly title?: string
}

export interface IndexedSession {
  readonly id: SessionId
  /** The document that holds the session. */
  readonly documentId: DocumentId
  readonly title: string
  /** Milliseconds since 1970 on the device that made it. Information only. */
  readonly createdAt: number
}

export interface DocumentIndex {
  /** By bucket, then id; the same array until it changes. Listed when looked at, not whenever one of ten thousand is added. */
  readonly documents: Pick<Observable<readonly IndexedDocument[]>, 'peek'>
  /** As `documents`. */
  readonly sessions: Observable<readonly IndexedSession[]>
  /** False while a large index is still to be read: then what is not listed may be there all the same. */
  isRead(): boolean
  /** Resolves when it has been read; hurries a reading that waits. */
  whenRead(): Promise<void>
  /** Adds, or changes kind and title of, a document. Nothing is written when it stands there already. */
  putDocument(document: IndexedDocument): void
  /** The same; `createdAt` of a session that stands there already stays what it is. */
  putSession(session: IndexedSession): void
  /** Takes entries out, sessions by their document. What another device puts at the same time stays. */
  remove(documents: readonly DocumentId[]): void
  /** What was put is handed to the document when it resolves. */
  close(): void | Promise<void>
}

export interface OpenIndex extends DocumentIndex {
  readonly handle: DocHandle<unknown>
}

/** Opens the root document and keeps it open until closed. `rootDocumentId` is the one of the group's genesis entry. */
export async function createIndex(
  documents: Documents,
  rootDocumentId: DocumentId,
  options: { readonly signal?: AbortSignal } = {},
): Promise<OpenIndex> {
  const release = documents.retain(rootDocumentId)
  const handle = await documents.create<Root>(ROOT_GENESIS, { ...options, documentId: rootDocumentId }).catch((error: unknown) => {
    release()
    throw error
  })
  const listDocuments = createLister<StoredDocument, IndexedDocument>((id, { kind, title }) => ({
    id: id as DocumentId,
    kind,
    ...(title === undefined ? {} : { title }),
  }))
  const listSessions = createLister<StoredSession, IndexedSession>((id, { documentId, title, createdAt }) => ({
    id: id as SessionId,
    documentId: documentId as DocumentId,
    title,
    createdAt,
  }))
  const sessions = createSubject<readonly IndexedSession[]>(listSessions(handle.doc().sessions))
  const onChange = (): void => {
    sessions.set(listSessions(handle.doc().sessions))
  }
  handle.on('change', onChange)
  const put = <Stored extends object>(buckets: 'documents' | 'sessions', bucket: string, id: string, value: Stored): void => {
    const present = handle.doc()[buckets][bucket]?.[id] as Stored | undefined
    if (present !== undefined && isSame(present, value)) return
    handle.change(root => {
      const entries = root[buckets][bucket]
      if (entries === undefined) throw new Error('broken promise: the genesis has every bucket')
      Object.assign(entries, { [id]: value })
    })
  }
  return {
    handle,
    documents: { peek: () => listDocuments(handle.doc().documents) },
    sessions,
    isRead: () => true,
    whenRead: () => Promise.resolve(),
    putDocument({ id, kind, title }) {
      put('documents', bucketOf(id), id, { kind, ...(title === undefined ? {} : { title }) })
    },
    putSession({ id, documentId, title, createdAt }) {
      const bucket = id.slice(0, 2)
      const present = handle.doc().sessions[bucket]?.[id]
      put('sessions', bucket, id, { documentId, title, createdAt: present?.createdAt ?? createdAt })
    },
    remove(ids) {
      const root = handle.doc()
      const gone = (['documents', 'sessions'] as const).flatMap(buckets =>
        ids.map(id => ({ buckets, bucket: bucketOf(id), key: keyIn(buckets, id) })),
      )
      const present = gone.filter(({ buckets, bucket, key }) => root[buckets][bucket]?.[key] !== undefined)
      if (present.length === 0) return
      handle.change(draft => {
        for (const { buckets, bucket, key } of present) delete (draft[buckets][bucket] as Record<string, unknown>)[key]
      })
    },
    close() {
      handle.off('change', onChange)
      release()
    },
  }
}

interface StoredDocument {
  readonly kind: string
  readonly title?: string
}

interface StoredSession {
  readonly documentId: string
  readonly title: string
  readonly createdAt: number
}

type Buckets<Stored> = Readonly<Record<string, Readonly<Record<string, Stored>>>>

interface Root {
  readonly v: 1
  readonly documents: Buckets<StoredDocument>
  readonly sessions: Buckets<StoredSession>
}

/** Sessions stand under the hex of the same 16 bytes. */
function keyIn(buckets: 'documents' | 'sessions', id: DocumentId): string {
  return buckets === 'documents' ? id : toHex(documentIdToBinary(id) ?? new Uint8Array())
}

function bucketOf(id: DocumentId): string {
  const bytes = documentIdToBinary(id)
  if (bytes === undefined) throw new RangeError('not a document id')
  return toHex(bytes.subarray(0, 1))
}

/** Automerge keeps the objects that a change did not touch, so only touched buckets are listed again. */
function createLister<Stored, Listed>(toListed: (id: string, stored: Stored) => Listed): (buckets: Buckets<Stored>) => readonly Listed[] {
  const listed = new WeakMap<object, readonly Listed[]>()
  let previous: { readonly buckets: Buckets<Stored>; readonly all: readonly Listed[] } | undefined
  return buckets => {
    if (previous?.buckets === buckets) return previous.all
    const all = sortedEntries(buckets).flatMap(([, bucket]) => {
      const present = listed.get(bucket) ?? sortedEntries(bucket).map(([id, stored]) => toListed(id, stored))
      listed.set(bucket, present)
      return present
    })
    previous = { buckets, all }
    return all
  }
}

function sortedEntries<Value>(values: Readonly<Record<string, Value>>): readonly (readonly [string, Value])[] {
  return Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function isSame<T extends object>(a: T, b: T): boolean {
  const keys = Object.keys(b) as (keyof T)[]
  return Object.keys(a).length === keys.length && keys.every(key => a[key] === b[key])
}
