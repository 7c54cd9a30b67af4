/** What belongs to what is to be deleted: the session's own documents, and those of its members that no other session lists. */
import { documentIdToBinary, type DocumentId } from '@automerge/automerge-repo'
import { SegueError } from '../lib/errors.ts'
import type { SessionId } from '../lib/ids.ts'
import type { Documents, DocumentIndex } from '../documents/index.ts'
import { membersOf } from '../session/member-documents.ts'
import type { SessionDoc } from '../session/schema/shapes.ts'
import { documentIdOf } from '../session/session-ids.ts'
import type { DeletedKind, DeletionPlan, DeletionTarget } from './contract.ts'
import { isLarge } from './guard.ts'

export interface TargetsParts {
  readonly documents: Pick<Documents, 'read'>
  readonly index: Pick<DocumentIndex, 'documents' | 'sessions' | 'whenRead'>
}

/** Rejects with SESSION_UNKNOWN or DOCUMENT_UNKNOWN for what is not listed and not here. */
export async function planOf(parts: TargetsParts, targets: readonly DeletionTarget[], signal?: AbortSignal): Promise<DeletionPlan> {
  const { documents, index } = parts
  await index.whenRead()
  const sessions = index.sessions.peek()
  const listed = new Set<string>([...index.documents.peek().map(({ id }) => id), ...sessions.map(({ documentId }) => documentId)])
  const going = new Set(targets.flatMap(target => ('session' in target ? [target.session] : [])))
  const lists = new Map<SessionId, SessionDoc>()
  for (const { id, documentId } of sessions) {
    signal?.throwIfAborted()
    const doc = (await documents.read(documentId)) as unknown as SessionDoc
    if (isRead(doc)) lists.set(id, doc)
  }
  const staying = new Set(
    [...lists].flatMap(([id, doc]) =>
      going.has(id) ? [] : membersOf(doc).flatMap(member => (member.removedBy === undefined ? [member.documentId] : [])),
    ),
  )
  const planned = targets.map(target => {
    if ('document' in target) {
      if (documentIdToBinary(target.document) === undefined || !listed.has(target.document)) throw new SegueError('DOCUMENT_UNKNOWN')
      if (sessions.some(({ documentId }) => documentId === target.document)) throw new SegueError('DOCUMENT_UNKNOWN')
      return { session: undefined, documents: [{ documentId: target.document, kind: 'document' as const }] }
    }
    const documentId = documentIdOf(target.session)
    if (!listed.has(documentId)) throw new SegueError('SESSION_UNKNOWN')
    return { session: target.session, documents: withCompanions(documentId, lists.get(target.session), staying) }
  })
  const count = new Set(planned.flatMap(part => part.documents.map(each => each.documentId)).filter(id => listed.has(id))).size
  return { parts: planned, count, total: listed.size, isLarge: isLarge(count, listed.size) }
}

/** The sessions here that list a document. */
export async function sessionsListing(parts: TargetsParts, document: DocumentId): Promise<readonly DocumentId[]> {
  const found: DocumentId[] = []
  for (const { documentId } of parts.index.sessions.peek()) {
    const doc = (await parts.documents.read(documentId)) as unknown as SessionDoc
    if (isRead(doc) && doc.documents[document] !== undefined) found.push(documentId)
  }
  return found
}

/** Takes documents that are deleted alone off the lists of their sessions, which leave them out anyway. */
export async function unlist(
  documents: Pick<Documents, 'open'>,
  listing: ReadonlyMap<DocumentId, readonly DocumentId[]>,
  isDeleted: (session: DocumentId) => boolean,
): Promise<void> {
  for (const [document, sessions] of listing) {
    for (const session of sessions.filter(id => !isDeleted(id))) {
      const handle = await documents.open<SessionDoc>(session)
      handle.change(doc => {
        delete doc.documents[document]
      })
    }
  }
}

/** Members that are in the session document and not among `known`: added by somebody who did not know of the deletion. */
export function newMembers(doc: unknown, known: ReadonlySet<DocumentId>): readonly { documentId: DocumentId; title: string }[] {
  const session = doc as SessionDoc
  if (!isRead(session)) return []
  return membersOf(session).filter(({ documentId, removedBy }) => removedBy === undefined && !known.has(documentId))
}

/** The titles of a session's members. */
export function memberTitles(doc: unknown): ReadonlyMap<DocumentId, string> {
  const session = doc as SessionDoc
  return new Map(isRead(session) ? membersOf(session).map(({ documentId, title }) => [documentId, title]) : [])
}

function withCompanions(
  documentId: DocumentId,
  doc: SessionDoc | undefined,
  staying: ReadonlySet<DocumentId>,
): readonly { readonly documentId: DocumentId; readonly kind: DeletedKind }[] {
  const kinds = ['drafts', 'views', 'preferences'] as const
  const companions = kinds.flatMap(kind => {
    const id = doc?.companions[kind]?.val as DocumentId | undefined
    return id === undefined ? [] : [{ documentId: id, kind }]
  })
  const members = doc === undefined ? [] : membersOf(doc).filter(member => !staying.has(member.documentId))
  return [
    { documentId, kind: 'session' },
    ...companions,
    ...members.map(member => ({ documentId: member.documentId, kind: 'document' as const })),
  ]
}

function isRead(doc: SessionDoc): boolean {
  return typeof doc.documents === 'object' && typeof doc.companions === 'object'
}
