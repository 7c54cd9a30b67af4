/**
 * Deleting for good, as the rest of Segue sees it. A deletion is a signed tombstone that every device keeps for ever; what it names is
 * taken out of every replica and refused from then on. There is no way back; what was edited elsewhere at the same time is kept aside
 * until a person has looked. SPEC.md has the rules (X1...).
 */
import type { DocumentId } from '@automerge/automerge-repo'
import type { Closeable } from '../lib/closeables.ts'
import type { DeviceId, SessionId } from '../lib/ids.ts'
import type { Observable } from '../lib/observable.ts'

export type DeletedKind = 'document' | 'session' | 'drafts' | 'views' | 'preferences'

/** 32 hex digits. */
export type DeletionId = string

export interface Deletion {
  readonly id: DeletionId
  /** Who deleted it; of several devices that stand for it, this device first, then by id. */
  readonly by: DeviceId
  /** Milliseconds since 1970 on the deleting device. Information only. */
  readonly at: number
  /** Set when a whole session was deleted. */
  readonly session: SessionId | undefined
  readonly documents: readonly DocumentId[]
  /**
   * gone: nothing of it is held here. dropping: on the way there. waiting: nothing was dropped here, a person is asked first
   * (`goOn`, `keep`).
   */
  readonly state: 'gone' | 'dropping' | 'waiting'
  /** many: more than a fifth of everything within a day. removed-device: by a device that is in the group no more, and nobody followed it. */
  readonly why: 'many' | 'removed-device' | undefined
  /** Devices that say that nothing of it is left on them, this one included. */
  readonly goneAt: readonly DeviceId[]
  /** Devices where a person is asked first. */
  readonly waitingAt: readonly DeviceId[]
}

/** Deleted, and edited here by somebody who did not know: kept aside on this device, sealed, until a person has looked. */
export interface DeletedEdit {
  readonly deletion: DeletionId
  readonly by: DeviceId
  readonly at: number
  /** As the index called it. */
  readonly title: string
  readonly documents: readonly {
    readonly documentId: DocumentId
    readonly kind: DeletedKind
    readonly title: string
    /** Changes that the deleting device did not have; 0 for what is kept because the rest makes no sense without it. */
    readonly edits: number
  }[]
}

/** What a deletion would take with it. */
export interface DeletionPlan {
  /** One for each target. Documents that another session lists as well are not in it. */
  readonly parts: readonly {
    readonly session: SessionId | undefined
    readonly documents: readonly { readonly documentId: DocumentId; readonly kind: DeletedKind }[]
  }[]
  /** Of the documents and sessions that the index lists. */
  readonly count: number
  readonly total: number
  /** More than a fifth of at least ten: needs `confirmed`. */
  readonly isLarge: boolean
}

export type DeletionTarget = { readonly session: SessionId } | { readonly document: DocumentId }

export interface Deletions extends Closeable {
  /** Newest first. */
  readonly list: Observable<readonly Deletion[]>
  /** Newest first. */
  readonly edits: Observable<readonly DeletedEdit[]>
  /** Counts up when the answer of `isDeleted` may have changed. */
  readonly version: Observable<number>
  isDeleted(documentId: DocumentId): boolean
  plan(targets: readonly DeletionTarget[], options?: { readonly signal?: AbortSignal | undefined }): Promise<DeletionPlan>
  /**
   * Everywhere, for good. The tombstone is durable here, and nothing of it is held here any more, when it resolves. Rejects with
   * DELETION_LARGE unless `confirmed`; then nothing was deleted.
   */
  delete(
    targets: readonly DeletionTarget[],
    options?: { readonly confirmed?: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<readonly Deletion[]>
  /** A deletion that waits is followed. Rejects with DELETION_UNKNOWN. */
  goOn(id: DeletionId): Promise<void>
  /**
   * A deletion that waits is followed, and what it deletes is kept as copies, under ids of their own, on every device. Resolves to the
   * session they are in. Rejects with DELETION_UNKNOWN.
   */
  keep(id: DeletionId): Promise<SessionId>
  /** What was edited meanwhile becomes a copy, as `keep`. Two devices that both do it make one copy. Rejects with DELETION_UNKNOWN. */
  keepEdits(id: DeletionId): Promise<SessionId>
  /** What was edited meanwhile goes too. Rejects with DELETION_UNKNOWN. */
  discardEdits(id: DeletionId): Promise<void>
  /** Resolves when every deletion known now was looked at. */
  settled(): Promise<void>
}
