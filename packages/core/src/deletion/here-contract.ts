/**
 * Deleting on this device only, as the rest of Segue sees it: what others keep need not lie here. Nothing of it is sent, deleted or
 * written anywhere else, and it can be brought back. A session's own list of documents and its name stay, so that it is still listed, can be
 * driven, deleted and brought back. SPEC.md has the rules (X12...).
 */
import type { DocumentId } from '@automerge/automerge-repo'
import type { Closeable } from '../lib/closeables.ts'
import type { SessionId } from '../lib/ids.ts'
import type { Observable } from '../lib/observable.ts'
import type { DeletionPlan, DeletionTarget } from './contract.ts'

export interface NotHere {
  /** One of the two is set. */
  readonly session: SessionId | undefined
  readonly document: DocumentId | undefined
  /** As the index called it when it was deleted here. */
  readonly title: string
  /** Milliseconds since 1970 here. */
  readonly at: number
  /** coming-back: on its way from other devices or relays; opened only once all of it is here that was here before. */
  readonly state: 'not-here' | 'coming-back'
  /** How many documents are not held here for it. */
  readonly documents: number
}

export interface LocalDeletionOptions {
  /** Also when it is more than a fifth of everything. */
  readonly confirmed?: boolean
  /** Also when nobody who is linked now says that it keeps all of it: then it may be gone for good. */
  readonly force?: boolean
  readonly signal?: AbortSignal | undefined
}

export interface LocalDeletions extends Closeable {
  /** Newest first. */
  readonly list: Observable<readonly NotHere[]>
  /** Nothing of it is held here, or it is about to go. */
  isNotHere(documentId: DocumentId): boolean
  stateOf(session: SessionId): NotHere['state'] | 'here'
  /** It is not here, or one of its documents is not. Of what was listed when it was looked at last. */
  lacks(session: SessionId): boolean
  /** What would go: documents that a session which stays lists as well are not in it. Rejects with SESSION_UNKNOWN or DOCUMENT_UNKNOWN. */
  plan(targets: readonly DeletionTarget[], options?: { readonly signal?: AbortSignal | undefined }): Promise<DeletionPlan>
  /**
   * Here only. Nothing of it is held here when it resolves. Rejects with DELETION_LARGE unless `confirmed`, and with KEPT_NOWHERE_ELSE
   * unless another device or relay that is linked now has all of it and says that it keeps it; then nothing was deleted. What is not here
   * already stays so.
   */
  delete(targets: readonly DeletionTarget[], options?: LocalDeletionOptions): Promise<readonly NotHere[]>
  /**
   * Kept here again. Resolves when all that was here before is here, on the disk; it goes on when the signal aborts, and in later runs. What
   * is here anyway is left as it is. Rejects with DOCUMENT_NOT_HERE for a document that went with its session: it comes with it.
   */
  bringBack(targets: readonly DeletionTarget[], options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** As `bringBack`, without waiting for what is on its way. */
  keepAgain(targets: readonly DeletionTarget[]): Promise<void>
  /** Resolves when everything known now was looked at. */
  settled(): Promise<void>
}
