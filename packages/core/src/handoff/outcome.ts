/** What a handoff tells whoever started it: steps while it runs, one outcome at its end. Outcomes are values, never exceptions. */
import type { ErrorCode, Retry } from '../lib/errors.ts'
import type { DeviceId } from '../lib/ids.ts'

/** In this order. A milestone that is reached is never un-reached. */
export const MILESTONES = ['authentication', 'transfer', 'merge', 'verification'] as const
export type Milestone = (typeof MILESTONES)[number]

/** The kinds of data a person may choose to hand over. The session document itself always travels. */
export const SESSION_KINDS = ['documents', 'drafts', 'views', 'preferences'] as const
export type SessionKind = (typeof SESSION_KINDS)[number]

export interface Step {
  readonly milestone: Milestone
  readonly state: 'underway' | 'reached'
  /** Since the handoff began on this device, by the monotonic clock; 0 for what was reached before a restart. */
  readonly ms: number
  /** Sealed bytes that arrived on the target for this handoff so far, and the manifest's estimate of all of them. */
  readonly bytes: number
  readonly totalBytes: number
}

/** What came of the session when it did move. */
export interface Moved {
  readonly holder: DeviceId
  /** False when another device may still believe that it drives (it was asleep or out of reach). */
  readonly confirmed: boolean
  /** Views, cursor and drafts came back. Only the target says so: the source lets go before, and does not wait for it. */
  readonly restored?: boolean
  /** Documents that the source changed while it let go, so that their last changes were not verified on the target; they follow. */
  readonly late: number
  readonly bytes: number
  /**
   * Taken without the other device, which was out of reach: how old the state is that it was taken from. From its newest change, by the
   * clock of the device that made it (in whole seconds), to the taking, by this clock. Absent where the other device took part.
   */
  readonly ageMs?: number
  /** To go back to: `Handoffs.rollback(id)`. */
  readonly canRollBack: boolean
}

export type HandoffOutcome =
  | ({ readonly kind: 'done' } & Moved)
  /** Moved, and concurrent changes on both sides want a look. */
  | ({ readonly kind: 'needs-review'; readonly conflicts: number } & Moved)
  /** The target is not connected. The offer waits here and is delivered when it is; `Handoffs.follow(id)` tells how it ends. */
  | { readonly kind: 'queued'; readonly expiresAt: number }
  | { readonly kind: 'refused'; readonly reason: RefusalReason }
  | { readonly kind: 'expired' }
  | { readonly kind: 'cancelled'; readonly by: 'this-device' | 'other-device' }
  | { readonly kind: 'failed'; readonly milestone: Milestone; readonly code: ErrorCode; readonly retry: Retry }

export const REFUSAL_REASONS = ['declined', 'schema-newer', 'unknown-session', 'not-offered', 'busy'] as const
export type RefusalReason = (typeof REFUSAL_REASONS)[number]
