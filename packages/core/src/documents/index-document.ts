/**
 * The root document: which documents and sessions there are. Its id stands in the group's genesis entry; its genesis is a
 * pinned byte literal that every device loads, so all of them continue the same objects. Its maps are cut into 256 buckets by
 * the first byte of the key's hash (10,000 additions: 33 s in one wide map, 4.6 s bucketed); buckets are made by the genesis,
 * because two devices that each made one would lose the other's.
 */
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import type { SessionId } from '../lib/ids.ts'
import type { Observable } from '../lib/observable.ts'

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
  readonly handle: DocHandle<unknown>
  /** Sorted by id. The same array until it changes. */
  readonly documents: Observable<readonly IndexedDocument[]>
  readonly sessions: Observable<readonly IndexedSession[]>
  /** Adds, or changes kind and title of, a document. Nothing is written when it stands there already. */
  putDocument(document: IndexedDocument): void
  putSession(session: IndexedSession): void
  close(): void
}
