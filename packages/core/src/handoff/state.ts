/**
 * One handoff as one device keeps it: everything a restart needs to go on or to end cleanly, and nothing that runs. The record is
 * on disk before any effect of its state happens. `events` are what can happen to it, `effects` what it then wants done.
 */
import type { ErrorCode, Retry } from '../lib/errors.ts'
import type { DeviceId, HandoffId, SessionId, TraceId } from '../lib/ids.ts'
import type { AbortReason, CommittedClaim, StandingGrant } from '../wire/control-messages.ts'
import type { Manifest } from './collaborators.ts'
import type { HandoffOutcome, Milestone, RefusalReason, SessionKind } from './outcome.ts'

export const SOURCE_STATES = ['preparing', 'offered', 'granted', 'checking', 'committing', 'withdrawing', 'committed', 'ended'] as const
export type SourceState = (typeof SOURCE_STATES)[number]

export const TARGET_STATES = [
  'requesting',
  'deciding',
  'accepting',
  'transferring',
  'merging',
  'verifying',
  'claiming',
  'awaiting-commit',
  'cancelling',
  'restoring',
  'done',
  'ended',
] as const
export type TargetState = (typeof TARGET_STATES)[number]

/** By what right the target will hold the session. `alone`: nobody was asked; `committed`: the source has let go already. */
export type Authority = 'live' | 'standing' | 'alone' | 'committed'

interface Common {
  readonly id: HandoffId
  readonly session: SessionId
  readonly trace: TraceId
  /** The device on the other side; of a session taken alone, its last known holder. */
  readonly peer: DeviceId
  /** The one that receives: this device or the peer. */
  readonly target: DeviceId
  /** Begun by the other side. */
  readonly incoming: boolean
  /** From 1; a retry under the same id counts up. */
  readonly attempt: number
  /** Number of the manifest in `manifest`, from 1; 0 before the first. */
  readonly revision: number
  readonly kinds: readonly SessionKind[]
  readonly authority: Authority
  /** Milliseconds since 1970 here. */
  readonly startedAt: number
  readonly expiresAt: number
  readonly lifetimeMs: number
  /** The one underway. */
  readonly milestone: Milestone
  readonly manifest?: Manifest
  readonly checkpoint?: string
  readonly standing?: StandingGrant
  /** Of a source: the target's, to be signed over. */
  readonly nonce?: Uint8Array
  readonly claim?: CommittedClaim
  readonly bytes: number
  readonly conflicts: number
  readonly late: number
  /** Taken alone: as in the outcome. */
  readonly ageMs?: number
  /** Why the last step did not work, for the outcome if none does. */
  readonly trouble?: ErrorCode
  readonly outcome?: HandoffOutcome
}

export interface SourceRecord extends Common {
  readonly side: 'source'
  readonly state: SourceState
  /** This device drove the session when it prepared the offer. */
  readonly held: boolean
}

export interface TargetRecord extends Common {
  readonly side: 'target'
  readonly state: TargetState
  /** Everything of `manifest` is here, opened and on disk. Never goes back within one manifest. */
  readonly verified: boolean
}

export type HandoffRecord = SourceRecord | TargetRecord

interface Renewal {
  readonly attempt: number
  readonly startedAt: number
  readonly expiresAt: number
}

/** Times are this device's, stamped before the event enters. Signatures were checked before, too. */
export type SourceEvent =
  | ({ readonly type: 'request'; readonly kinds: readonly SessionKind[] } & Renewal)
  | { readonly type: 'accept'; readonly attempt: number; readonly nonce: Uint8Array }
  | { readonly type: 'progress'; readonly attempt: number; readonly milestone: Milestone; readonly bytes: number }
  | { readonly type: 'verified'; readonly attempt: number; readonly revision: number; readonly bytes: number; readonly conflicts: number }
  | { readonly type: 'abort'; readonly attempt: number; readonly reason: AbortReason }
  | {
      readonly type: 'prepared'
      readonly manifest: Manifest
      readonly checkpoint: string | undefined
      readonly held: boolean
      /** Given when the target was not connected: the offer may then be carried and is taken without asking again. */
      readonly standing: StandingGrant | undefined
    }
  | { readonly type: 'denied'; readonly reason: RefusalReason }
  | { readonly type: 'rechecked'; readonly manifest: Manifest; readonly changed: number }
  | { readonly type: 'lease-written'; readonly claim: CommittedClaim | undefined; readonly confirmed: boolean }
  | { readonly type: 'lease-moved' }
  | { readonly type: 'step-failed'; readonly code: ErrorCode; readonly retry: Retry }
  /** A restart, a link that came up, the retry timer: say and do again what the state asks for. */
  | { readonly type: 'nudged' }
  | { readonly type: 'deadline' }
  | { readonly type: 'cancel' }
  | ({ readonly type: 'retry' } & Omit<Renewal, 'attempt'>)
export type SourceEventType = SourceEvent['type']

export type TargetEvent =
  | ({
      readonly type: 'offer'
      readonly revision: number
      readonly kinds: readonly SessionKind[]
      readonly manifest: Manifest
      readonly standing: StandingGrant | undefined
    } & Renewal)
  /** It answered what was asked on this link a moment ago. */
  | { readonly type: 'grant'; readonly attempt: number }
  | {
      readonly type: 'commit'
      readonly manifest: Manifest
      readonly kinds: readonly SessionKind[]
      readonly late: number
      readonly claim: CommittedClaim
      readonly expiresAt: number
    }
  | { readonly type: 'abort'; readonly attempt: number; readonly reason: AbortReason }
  | {
      readonly type: 'consented'
      readonly checkpoint: string | undefined
      readonly manifest: Manifest | undefined
      readonly ageMs?: number
    }
  | { readonly type: 'denied'; readonly reason: RefusalReason }
  | { readonly type: 'transferred'; readonly bytes: number }
  | { readonly type: 'merged'; readonly conflicts: number }
  | { readonly type: 'checked' }
  | { readonly type: 'lease-written' }
  | { readonly type: 'restored'; readonly complete: boolean; readonly confirmed: boolean }
  | { readonly type: 'step-failed'; readonly code: ErrorCode; readonly retry: Retry }
  | { readonly type: 'nudged' }
  /** The holder was asked for and is not connected. */
  | { readonly type: 'unreachable' }
  | { readonly type: 'deadline' }
  | { readonly type: 'cancel' }
  | ({ readonly type: 'retry' } & Omit<Renewal, 'attempt'>)
export type TargetEventType = TargetEvent['type']

export type HandoffEvent = SourceEvent | TargetEvent

export type StepName = 'prepare' | 'publish' | 'recheck' | 'write-claim' | 'withdraw' | 'decide' | 'fetch' | 'merge' | 'check' | 'restore'

export type Effect =
  | { readonly type: 'send'; readonly message: 'request' | 'offer' | 'accept' | 'grant' | 'progress' | 'verified' | 'commit' }
  /** `attempt` is the one of the message that is answered. */
  | { readonly type: 'abort'; readonly reason: AbortReason; readonly attempt: number }
  | { readonly type: 'run'; readonly step: StepName }
  | { readonly type: 'reached'; readonly milestone: Milestone }
  /** Shows or takes away the hot set. */
  | { readonly type: 'arriving'; readonly shown: boolean }
  | { readonly type: 'settle'; readonly outcome: HandoffOutcome }

export interface Transition<Record extends HandoffRecord = HandoffRecord> {
  readonly record: Record
  readonly effects: readonly Effect[]
}

/** Nothing runs and nothing is expected; a retry or a late message may still wake it. */
export function isSettledState(state: SourceState | TargetState): boolean {
  return state === 'committed' || state === 'done' || state === 'ended'
}
