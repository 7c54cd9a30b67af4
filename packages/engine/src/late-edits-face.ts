/** Late edits as apps see them: what removed devices wrote afterwards, with the words a person needs to decide about it. */
import type { DocumentId } from '@automerge/automerge-repo'
import { SegueError, createSubject, type LateDecision, type LateEdit, type Observable, type SessionDoc, type SessionId } from '@segue/core'
import type { Runtime } from './runtime.ts'

export interface SegueLateEdits {
  /** Oldest first. Edits that a claim may still be on its way for come half a minute later, if it does not. */
  readonly list: Observable<readonly LateEdit[]>
  /** The same with names, once everything here was looked at, documents that were never opened too. */
  review(options?: { readonly signal?: AbortSignal | undefined }): Promise<readonly LateEditInReview[]>
  /**
   * Takes an edit into its document, on every device. For one that is in it already: it is not asked about again. Rejects with
   * CONFLICT_UNKNOWN when there is no such edit any more, or more of it has come since.
   */
  accept(id: string): Promise<void>
  /** No device asks about it again; it stays out. Rejects with CONFLICT_UNKNOWN, and RangeError for one that is in its document. */
  discard(id: string): Promise<void>
}

export interface LateEditInReview extends LateEdit {
  readonly authorName: string | undefined
  /** Of the document, as the index knows it; of a session's own documents the session's. */
  readonly title: string
  /** The session it belongs to, where one that is here says so. */
  readonly session: SessionId | undefined
}

export interface LateEditsFace extends SegueLateEdits {
  /** The group that this device is in now. */
  follow(runtime: Runtime): void
}

export function createLateEditsFace(present: () => Runtime): LateEditsFace {
  const list = createSubject<readonly LateEdit[]>([])
  let stop: () => void = () => undefined

  const decide = async (id: string, decision: LateDecision): Promise<void> => {
    const { late } = present().documents
    if (late === undefined) throw new SegueError('CONFLICT_UNKNOWN')
    await late.decide(id, decision)
  }
  return {
    list,
    follow({ documents: { late } }) {
      stop()
      list.set(late?.list.peek() ?? [])
      stop = late?.list.subscribe(list.set) ?? (() => undefined)
    },
    async review({ signal } = {}) {
      const runtime = present()
      await runtime.documents.late?.looked({ signal })
      const found = runtime.documents.late?.list.peek() ?? []
      if (found.length === 0) return []
      const places = await placesIn(runtime, new Set(found.map(({ document }) => document)), signal)
      return found.map(edit => {
        const place = places.get(edit.document)
        const authorName = edit.author === undefined ? undefined : runtime.group.device(edit.author)?.name
        return { ...edit, authorName, title: place?.title ?? edit.document, session: place?.session }
      })
    },
    accept: id => decide(id, 'accept'),
    discard: id => decide(id, 'discard'),
  }
}

interface Place {
  readonly session: SessionId | undefined
  readonly title: string
}

/** Looks into sessions until every document is found: most often the first. */
async function placesIn(
  { index, documents }: Runtime,
  wanted: ReadonlySet<DocumentId>,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<DocumentId, Place>> {
  await index.whenRead()
  const places = new Map<DocumentId, Place>()
  for (const { id, title, kind } of index.documents.peek()) {
    if (wanted.has(id)) places.set(id, { session: undefined, title: title ?? kind })
  }
  const missing = new Set(wanted)
  for (const { id, documentId, title } of index.sessions.peek()) {
    if (missing.size === 0) break
    if (missing.delete(documentId)) places.set(documentId, { session: id, title })
    if ((await documents.headsOf(documentId)).length === 0) continue // on its way
    const handle = await documents.open<SessionDoc>(documentId, { signal })
    const { documents: members, companions } = handle.doc()
    for (const companion of Object.values(companions)) {
      if (missing.delete(companion.val as DocumentId)) places.set(companion.val as DocumentId, { session: id, title })
    }
    for (const [member, entry] of Object.entries(members)) {
      if (missing.delete(member as DocumentId)) places.set(member as DocumentId, { session: id, title: entry.title })
    }
  }
  return places
}
