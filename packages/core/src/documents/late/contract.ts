/** Late edits as the rest of Segue sees them: what a removed device may have written, and what became of it. */
import type { DocumentId } from '@automerge/automerge-repo'
import type { Group } from '../../group/index.ts'
import type { DeviceId } from '../../lib/ids.ts'
import type { Observable } from '../../lib/observable.ts'

/** What is asked of the group. */
export type LateTrust = Pick<Group, 'id' | 'state' | 'removalsOf' | 'epochsKnownTo'>

export interface LateEdit {
  /** Made from what is in it, so it is the same on every device that holds the same; more of it is another one. */
  readonly id: string
  /**
   * quarantined: stored, sealed, and in no document. built-on: in the document, because a device of the group held it, or had gone on
   * from it, before it knew of the removal.
   */
  readonly kind: 'quarantined' | 'built-on'
  readonly document: DocumentId
  /** Who wrote it, where a claim says so. */
  readonly author: DeviceId | undefined
  /** Milliseconds since 1970 by the author's clock, of its latest claim on it. Information only: a removed device may say anything. */
  readonly time: number | undefined
  readonly edits: number
  /** Of the edits themselves, as Automerge encodes them; of what is in the document already, undefined. */
  readonly bytes: number | undefined
  readonly suggested: LateDecision
}

/**
 * accept: it is in the document on every device, and not asked about again. discard: no device asks about it again, and it stays out,
 * unless another person accepts it. What is in a document already cannot be discarded; it can be taken back as any change.
 */
export type LateDecision = 'accept' | 'discard'

export interface LateEdits {
  /** Oldest first by what authors say, then by id. Edits that a claim may still be on its way for are left out for `GRACE_MS`. */
  readonly list: Observable<readonly LateEdit[]>
  /** Resolves when what is here has been looked at, closed documents too. What a failing disk kept from it is not waited for. */
  looked(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** The same, and all that this device keeps is signed: with many documents that takes a while. */
  settled(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Durable, and on its way to every device, when it resolves. Throws CONFLICT_UNKNOWN; RangeError for one that cannot be discarded. */
  decide(id: string, decision: LateDecision): Promise<void>
  /**
   * This device stands for all that it has of a document now, whoever wrote it: for a copy that a person asked for, under an id that a
   * removed device may give the same copy. Durable, and on its way to every device, when it resolves.
   */
  vouch(document: DocumentId): Promise<void>
}

/** So long an edit without a claim is not listed: the claim is usually a second behind it. */
export const GRACE_MS = 30_000
