/**
 * An index that is read a little after its device opened. Ten thousand entries take Automerge the better part of a second, in one
 * piece, and whoever opened the device wants a document first. Until then it is empty; what is put meanwhile follows.
 */
import { createSubject } from '../lib/observable.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { DocumentIndex, IndexedDocument, IndexedSession } from './index-document.ts'

/** `open` is called once, after `LATER_MS`, or at once when something is put. */
export function createLaterIndex(parts: {
  readonly open: () => Promise<DocumentIndex>
  readonly clock: Clock
  readonly logger: Logger
}): DocumentIndex {
  const { open, clock, logger } = parts
  const sessions = createSubject<readonly IndexedSession[]>([])
  let opening: Promise<void> | undefined
  let present: DocumentIndex | undefined
  let isClosed = false
  let waiting: Promise<void> = Promise.resolve()

  const start = (): Promise<void> => {
    cancel()
    opening ??= open().then(
      index => {
        if (isClosed) return index.close()
        present = index
        sessions.set(index.sessions.peek())
        index.sessions.subscribe(now => sessions.set(now))
      },
      (error: unknown) => {
        if (!isClosed) logger.error('index-not-read', { reason: String(error) })
      },
    )
    return opening
  }
  const put = (write: (index: DocumentIndex) => void): void => {
    if (present !== undefined) write(present)
    else waiting = start().then(() => present && write(present))
  }
  const cancel = clock.after(LATER_MS, () => void start())
  return {
    documents: { peek: () => present?.documents.peek() ?? NO_DOCUMENTS },
    sessions,
    isRead: () => present !== undefined,
    whenRead: start,
    putDocument: document => put(index => index.putDocument(document)),
    putSession: session => put(index => index.putSession(session)),
    remove: ids => put(index => index.remove(ids)),
    async close() {
      cancel()
      await waiting
      isClosed = true
      await present?.close()
    },
  }
}

const LATER_MS = 500
const NO_DOCUMENTS: readonly IndexedDocument[] = []
