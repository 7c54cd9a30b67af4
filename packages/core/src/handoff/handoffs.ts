/** What the rest of Segue sees of handoffs; `createHandoffs` in coordinator.ts makes it. */
import type { Closeable } from '../lib/closeables.ts'
import type { ErrorCode } from '../lib/errors.ts'
import type { DeviceId, HandoffId, SessionId, TraceId } from '../lib/ids.ts'
import type { Observable } from '../lib/observable.ts'
import type { Result } from '../lib/result.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import type { Lease } from './lease.ts'
import type { HandoffOutcome, Milestone, SessionKind, Step } from './outcome.ts'

export interface SendOptions {
  readonly to: DeviceId
  /** Default: all kinds. */
  readonly include?: readonly SessionKind[]
  /** Default two minutes to a connected device, one day for a queued offer. */
  readonly expiresInMs?: number
  /** Given again, the same handoff is joined or tried again, never started twice. */
  readonly id?: HandoffId
}

export interface TakeOptions {
  /** Default: whoever holds the session, as far as is known here. */
  readonly from?: DeviceId
  readonly include?: readonly SessionKind[]
  readonly expiresInMs?: number
  readonly id?: HandoffId
}

export interface Handoff {
  readonly id: HandoffId
  /** Steps from now on; ends with the handoff. Several may iterate. */
  readonly progress: AsyncIterable<Step>
  /** Settles once, by the handoff's deadline; never rejects. */
  readonly done: Promise<HandoffOutcome>
}

export interface HandoffSummary {
  readonly id: HandoffId
  readonly trace: TraceId
  readonly session: SessionId
  readonly peer: DeviceId
  readonly side: 'source' | 'target'
  readonly state: 'underway' | 'queued' | 'ended'
  readonly milestone: Milestone
  readonly kinds: readonly SessionKind[]
  readonly bytes: number
  readonly totalBytes: number
  /** Milliseconds since 1970 here. */
  readonly startedAt: number
  readonly expiresAt: number
  readonly outcome?: HandoffOutcome
}

export interface Handoffs extends Closeable {
  /** Gives the session to another device. Queues when that is not connected. */
  send(session: SessionId, options: SendOptions): Handoff
  /** "Continue here": asks the holder; when that does not answer, goes on from what is here and claims the lease, unconfirmed. */
  take(session: SessionId, options?: TakeOptions): Handoff
  /** From either side, in every state. The outcome says whether it was in time. HANDOFF_UNKNOWN for an id not known here. */
  cancel(id: HandoffId): Promise<Result<HandoffOutcome, ErrorCode>>
  /** Tries one that ended without moving the session once more, under the same id. */
  retry(id: HandoffId): Result<Handoff, ErrorCode>
  /** Content of the session back to before this handoff, as a new change, on this device (and so on all). */
  rollback(id: HandoffId): Promise<Result<void, ErrorCode>>
  /** An ongoing or remembered handoff, incoming ones included; `done` is its final outcome, never `queued`. */
  follow(id: HandoffId): Handoff | undefined
  /** Newest first. The ended ones are remembered for a while. */
  readonly list: Observable<readonly HandoffSummary[]>
  /** By what is here: waits for nothing that is on its way. */
  lease(session: SessionId): Promise<Lease>
  /** The first claim, written by the device that creates the session. */
  open(session: SessionId): Promise<void>

  // told by the network and by replication
  /** Its session document changed: perhaps because a queued offer was taken. */
  onSessionChanged(session: SessionId): void
  /** Who belongs changed: what is underway or queued with a device that was removed ends, and says so. */
  onMembersChanged(): void
  onLink(link: DeviceLink): void
  /** One frame of the control channel. Rejects when it is not one, which closes the link. */
  onFrame(link: DeviceLink, frame: Uint8Array): Promise<void>
  /** An offer that came as a register, checked to be written by `from`. */
  onCarriedOffer(from: DeviceId, offer: Uint8Array): Promise<void>
}
