/** Which documents each session lists, read from the session documents that are here, and again only when something of one arrived. */
import type { DocumentId } from '@automerge/automerge-repo'
import type { Documents, DocumentIndex } from '../documents/index.ts'
import type { DocTag, SessionId } from '../lib/ids.ts'
import { membersOf } from '../session/member-documents.ts'
import type { SessionDoc } from '../session/schema/shapes.ts'

export interface SessionList {
  /** Drafts, views and preferences. */
  readonly companions: readonly DocumentId[]
  /** On its list now. */
  readonly members: readonly DocumentId[]
  /** Taken off it, and still held. */
  readonly former: readonly DocumentId[]
}

export interface SessionLists {
  /** Of every session that the index lists and whose document is here. */
  read(): Promise<ReadonlyMap<SessionId, SessionList>>
  /** Something of these arrived or was made: whether one of them is a session read before. */
  changed(docTags: Iterable<DocTag>): boolean
  /** All are read again: lists are changed here too. */
  forget(): void
}

export function createSessionLists(
  documents: Pick<Documents, 'read' | 'docTagOf'>,
  index: Pick<DocumentIndex, 'sessions' | 'whenRead'>,
): SessionLists {
  const lists = new Map<SessionId, SessionList>()
  const sessions = new Map<DocTag, SessionId>()
  return {
    async read() {
      await index.whenRead()
      const listed = index.sessions.peek()
      const present = new Set(listed.map(({ id }) => id))
      for (const id of lists.keys()) if (!present.has(id)) lists.delete(id)
      for (const { id, documentId } of listed) {
        if (lists.has(id)) continue
        sessions.set(documents.docTagOf(documentId), id)
        const list = listOf((await documents.read(documentId)) as unknown as SessionDoc)
        if (list !== undefined) lists.set(id, list)
      }
      return lists
    },
    changed(docTags) {
      let isOne = false
      for (const docTag of docTags) {
        const id = sessions.get(docTag)
        if (id === undefined) continue
        lists.delete(id)
        isOne = true
      }
      return isOne
    },
    forget: () => lists.clear(),
  }
}

function listOf(doc: SessionDoc): SessionList | undefined {
  if (typeof doc.documents !== 'object' || typeof doc.companions !== 'object') return undefined
  const all = membersOf(doc)
  const companions = [doc.companions.drafts, doc.companions.views, doc.companions.preferences]
  return {
    companions: companions.flatMap(named => (named === undefined ? [] : [named.val as DocumentId])),
    members: all.flatMap(member => (member.removedBy === undefined ? [member.documentId] : [])),
    former: all.flatMap(member => (member.removedBy === undefined ? [] : [member.documentId])),
  }
}
