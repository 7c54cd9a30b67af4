/** The index without what was deleted: whatever order things arrive in, nobody is shown, or asked to open, what is gone. */
import type { DocumentIndex, IndexedDocument, IndexedSession } from '../documents/index.ts'
import { createSubject } from '../lib/observable.ts'
import type { Deletions } from './contract.ts'

export function withoutDeleted(index: DocumentIndex, deletions: Pick<Deletions, 'isDeleted' | 'version'>): DocumentIndex {
  const { isDeleted } = deletions
  const left = (all: readonly IndexedSession[]): readonly IndexedSession[] => {
    const present = all.filter(({ documentId }) => !isDeleted(documentId))
    return present.length === all.length ? all : present
  }
  let seen: { readonly all: readonly IndexedDocument[]; readonly version: number; readonly left: readonly IndexedDocument[] } | undefined
  const sessions = createSubject(left(index.sessions.peek()))
  const update = (): void => {
    const now = left(index.sessions.peek())
    const before = sessions.peek()
    if (now.length !== before.length || now.some((session, i) => session !== before[i])) sessions.set(now)
  }
  const stops = [index.sessions.subscribe(update), deletions.version.subscribe(update)]
  return {
    ...index,
    documents: {
      peek() {
        const all = index.documents.peek()
        const version = deletions.version.peek()
        if (seen?.all !== all || seen.version !== version) {
          const present = all.filter(({ id }) => !isDeleted(id))
          seen = { all, version, left: present.length === all.length ? all : present }
        }
        return seen.left
      },
    },
    sessions,
    putDocument(document) {
      if (!isDeleted(document.id)) index.putDocument(document)
    },
    putSession(session) {
      if (!isDeleted(session.documentId)) index.putSession(session)
    },
    close() {
      for (const stop of stops) stop()
      return index.close()
    },
  }
}
