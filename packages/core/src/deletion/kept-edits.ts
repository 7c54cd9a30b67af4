/**
 * What was edited while somebody else deleted it, kept aside in sealed local records until a person has looked: the document's own chunks
 * are gone by then. Keeping it makes copies under ids that follow from the deletion, so that two devices that keep the same make one.
 *
 *     deletion/<group>/edits/<deletion>/info         CBOR {v: 1, by, at, title}
 *     deletion/<group>/edits/<deletion>/<document>   CBOR {v: 1, kind, title, edits, saved?}; without `saved` the document is still there
 */
import * as A from '@automerge/automerge'
import { documentIdToBinary, type DocumentId } from '@automerge/automerge-repo'
import * as v from 'valibot'
import { labelledHmac, type Keyring } from '../crypto/index.ts'
import type { Documents } from '../documents/index.ts'
import { fromHex, toHex } from '../lib/bytes.ts'
import { bytesUpTo, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { isSegueError } from '../lib/errors.ts'
import { hexId, RANDOM_ID_BYTES, type DeviceId, type GroupId, type SessionId } from '../lib/ids.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { Sessions } from '../session/index.ts'
import type { DraftsDoc } from '../session/schema/shapes.ts'
import { documentIdOfBytes } from '../session/session-ids.ts'
import type { DeletedEdit, DeletedKind, DeletionId } from './contract.ts'
import { bringViews, type CopiedDocument } from './kept-views.ts'

export interface AsideDocument {
  readonly documentId: DocumentId
  readonly kind: DeletedKind
  readonly title: string
  readonly edits: number
  readonly saved: Uint8Array | undefined
}

export interface Aside {
  readonly deletion: DeletionId
  readonly by: DeviceId
  readonly at: number
  readonly title: string
  readonly documents: readonly AsideDocument[]
}

export interface KeptEdits {
  list(): readonly DeletedEdit[]
  /** Durable when it resolves; what is kept aside already of the same deletion stays. */
  put(aside: Aside): Promise<void>
  /** Where copies of a deletion are. */
  copyOf(deletion: DeletionId): SessionId
  /** Makes the copies, durable, and lets go of what was kept aside. */
  keep(deletion: DeletionId): Promise<SessionId>
  discard(deletion: DeletionId): Promise<void>
}

export interface KeptEditsParts {
  readonly self: DeviceId
  readonly group: GroupId
  readonly keyring: Pick<Keyring, 'idKey'>
  readonly records: RecordStore
  readonly documents: Pick<Documents, 'create' | 'flush' | 'late'>
  readonly sessions: () => Pick<Sessions, 'create' | 'open' | 'list' | 'release'>
}

export async function openKeptEdits(parts: KeptEditsParts): Promise<KeptEdits> {
  const { self, keyring, records, documents, sessions } = parts
  const prefix = `deletion/${parts.group}/edits/`
  const kept = new Map<DeletionId, DeletedEdit>()
  /** A copy that comes to be is a sign to others, and here, to add what is aside. */
  const keeping = new Map<DeletionId, Promise<SessionId>>()

  const load = async (deletion: DeletionId): Promise<Aside | undefined> => {
    const info = decodeCbor(INFO, (await records.get(`${prefix}${deletion}/info`)) ?? NOTHING, MAX_RECORD_BYTES)
    if (!info.ok) return undefined
    const found: AsideDocument[] = []
    for await (const [key, value] of records.list(`${prefix}${deletion}/`)) {
      const read = decodeCbor(DOCUMENT, value, MAX_RECORD_BYTES)
      if (!read.ok) continue // the other kind
      const { kind, title, edits, saved } = read.value
      const documentId = documentIdOfBytes(fromHex(key.slice(prefix.length + deletion.length + 1)))
      found.push({ documentId, kind, title, edits, saved })
    }
    return { deletion, by: info.value.by as DeviceId, at: info.value.at, title: info.value.title, documents: found }
  }
  const show = ({ deletion, by, at, title, documents: aside }: Aside): void => {
    const edited = aside.filter(({ kind }) => kind !== 'views')
    const shown = edited.map(({ documentId, kind, title: name, edits }) => ({ documentId, kind, title: name, edits }))
    kept.set(deletion, { deletion, by, at, title, documents: shown })
  }
  const forget = async (deletion: DeletionId): Promise<void> => {
    const changes = new Map<string, undefined>()
    for await (const [key] of records.list(`${prefix}${deletion}/`)) changes.set(key, undefined)
    await records.write(changes)
    kept.delete(deletion)
  }
  const derived = (deletion: DeletionId, part: Uint8Array): Uint8Array =>
    labelledHmac(keyring.idKey, 'kept-copy', [fromHex(deletion), part]).slice(0, RANDOM_ID_BYTES)
  const numbered = (deletion: DeletionId, number: number): Uint8Array => derived(deletion, new Uint8Array([number]))
  const copyOf = (deletion: DeletionId): SessionId => hexId<SessionId>(numbered(deletion, 0))

  const keepNow = async (deletion: DeletionId): Promise<SessionId> => {
    const aside = await load(deletion)
    const id = copyOf(deletion)
    if (aside === undefined) return id
    let number = 0
    const isThere = sessions()
      .list.peek()
      .some(each => each.id === id)
    const session = isThere
      ? await sessions().open(id)
      : await sessions().create({ title: aside.title, newId: () => numbered(deletion, number++) })
    const copies = new Map<DocumentId, CopiedDocument>()
    for (const { documentId, kind, title, saved } of aside.documents) {
      if (kind === 'drafts' && saved !== undefined) {
        const { drafts } = A.load<DraftsDoc>(saved)
        for (const { text, closed } of Object.values(drafts)) if (closed === undefined) await session.drafts.create({ text })
      } else if (kind === 'document') {
        const copy = saved === undefined ? documentId : documentIdOfBytes(derived(deletion, documentIdToBinary(documentId) ?? NOTHING))
        if (saved !== undefined) {
          await documents.create(saved, { documentId: copy })
          await documents.late?.vouch(copy) // a removed device that keeps the same makes the same chunks, under a key that is not trusted
        }
        // What was added meanwhile, and somebody else let go, is gone.
        if (!(await isAdded(session.documents.add(copy, { title })))) continue
        copies.set(documentId, { documentId: copy, doc: saved === undefined ? undefined : A.load(saved) })
      }
    }
    for (const { kind, saved } of aside.documents) {
      if (kind === 'views' && saved !== undefined) await bringViews(session.views, saved, self, copies)
    }
    await session.flush()
    await documents.flush()
    await forget(deletion)
    return id
  }

  for await (const [key] of records.list(prefix)) {
    if (!key.endsWith('/info')) continue
    const aside = await load(key.slice(prefix.length, -'/info'.length))
    if (aside !== undefined) show(aside)
  }

  return {
    list: () => [...kept.values()].toSorted((a, b) => b.at - a.at || (a.deletion < b.deletion ? -1 : 1)),
    async put(aside) {
      const changes = new Map<string, Uint8Array>()
      for (const { documentId, kind, title, edits, saved } of aside.documents) {
        const name = toHex(documentIdToBinary(documentId) ?? NOTHING)
        changes.set(
          `${prefix}${aside.deletion}/${name}`,
          encodeCbor({ v: 1, kind, title, edits, ...(saved === undefined ? {} : { saved }) }),
        )
      }
      const { by, at, title } = aside
      changes.set(`${prefix}${aside.deletion}/info`, encodeCbor({ v: 1, by, at, title }))
      await records.write(changes)
      const whole = await load(aside.deletion)
      if (whole !== undefined) show(whole)
    },
    copyOf,
    keep(deletion) {
      const running = keeping.get(deletion) ?? keepNow(deletion).finally(() => keeping.delete(deletion))
      keeping.set(deletion, running)
      return running
    },
    discard: forget,
  }
}

async function isAdded(adding: Promise<unknown>): Promise<boolean> {
  try {
    await adding
    return true
  } catch (error) {
    if (!isSegueError(error, 'DOCUMENT_DELETED')) throw error
    return false
  }
}

const NOTHING = new Uint8Array()
const MAX_RECORD_BYTES = 2 ** 28
const INFO = v.object({ v: v.literal(1), by: v.string(), at: wholeNumber, title: v.string() })
const DOCUMENT = v.object({
  v: v.literal(1),
  kind: v.picklist(['document', 'session', 'drafts', 'views', 'preferences']),
  title: v.string(),
  edits: wholeNumber,
  saved: v.optional(bytesUpTo(MAX_RECORD_BYTES)),
})
