/**
 * Just what a handoff needs from the rest of Segue, so that it can be run and tested without Automerge and without a network.
 * The engine adapts sessions, documents, history and replication to it. Every call may be repeated after a crash: all of them
 * are idempotent. A rejection means "not now" (a SegueError whose retry is `never` means "not ever"): it is tried again until
 * the handoff's deadline. Every signal aborts when the handoff ends or the coordinator closes.
 */
import type { SigningKeys } from '../crypto/sign.ts'
import type { DeviceId, HandoffId, SessionId } from '../lib/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import type { Logger } from '../ports/logger.ts'
import type { Random } from '../ports/random.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { TelemetrySink } from '../ports/telemetry-sink.ts'
import type { Verifier } from '../ports/verifier.ts'
import type { TelemetryEvent } from '../telemetry/events.ts'
import type { Claim } from './lease.ts'
import type { SessionKind } from './outcome.ts'

export interface HandoffComponents {
  readonly identity: { readonly id: DeviceId; readonly signing: SigningKeys }
  readonly clock: Clock
  readonly random: Random
  readonly verifier?: Verifier | undefined
  readonly logger: Logger
  /** Uses the keys under `handoff/`. */
  readonly records: RecordStore
  readonly telemetry: TelemetrySink<TelemetryEvent>
  readonly sessions: HandoffSessions
  readonly content: HandoffContent
  readonly leases: HandoffLeases
  readonly devices: HandoffDevices
  /** Absent where offers wait only here, until the target is connected. */
  readonly carrier?: OfferCarrier
}

/** One document as the source has it. */
export interface ManifestDocument {
  /** 16 raw bytes. */
  readonly documentId: Uint8Array
  readonly kind: SessionKind | 'session'
  /** Hex change hashes, sorted. */
  readonly heads: readonly string[]
  /** Sealed bytes of the document in the store: the estimate behind progress. */
  readonly bytes: number
}

export interface Manifest {
  readonly schemaVersion: number
  readonly documents: readonly ManifestDocument[]
}

export interface HandoffSessions {
  /** Its documents can be opened here, or are on their way. */
  has(session: SessionId): Promise<boolean>
  /** The newest schema version that can be read here; a manifest above it is refused. */
  readonly schemaVersion: number
  /** Documents of the chosen kinds and the session document, with their heads now. Everything acknowledged so far is in it. */
  manifest(session: SessionId, kinds: readonly SessionKind[]): Promise<Manifest>
  /** When its newest change that is here was made, by the clock of whoever made it: milliseconds since 1970. Undefined when none says so. */
  changedAt(session: SessionId): Promise<number | undefined>
  /** Pending drafts are written; every change acknowledged so far is captured and on disk. */
  flush(session: SessionId): Promise<void>
  /** Names the present state. `undefined` when the session is not known here (nothing to go back to). */
  takeCheckpoint(session: SessionId): Promise<string | undefined>
  /** Brings the content back to the checkpoint, as a new change. Throws CHECKPOINT_UNKNOWN. */
  rollback(session: SessionId, checkpoint: string): Promise<void>
  /** Concurrent changes merged here since the checkpoint that want a person's look. */
  conflictsSince(session: SessionId, checkpoint: string): Promise<number>
  /** At most MAX_HOT_SET_BYTES: enough to show something at once. Opaque to the handoff. */
  hotSet(session: SessionId, kinds: readonly SessionKind[]): Promise<Uint8Array>
  /** Shows the hot set, read-only and marked as arriving; `undefined` takes it away again. */
  showArriving(session: SessionId, arriving: { readonly from: DeviceId; readonly hotSet: Uint8Array } | undefined): void
  /** Opens views, cursor, drafts and preferences of these kinds here. The session is whole when this is called. */
  restore(session: SessionId, kinds: readonly SessionKind[], options: { readonly signal: AbortSignal }): Promise<void>
}

export interface HandoffContent {
  /** These come before everything else. Returns how to let go. */
  want(documents: readonly Uint8Array[]): () => void
  /** Opened, heads contained, no missing dependencies, on disk. Rejects when the signal aborts. */
  whenContains(documentId: Uint8Array, heads: readonly string[], options: { readonly signal: AbortSignal }): Promise<void>
  /** Reports the sealed bytes that arrived for these documents since the call, cumulative. Returns how to stop. */
  watchArrival(documents: readonly Uint8Array[], onBytes: (bytes: number) => void): () => void
}

export interface HandoffLeases {
  /** The claims in the session document here; empty when the session is unknown. */
  read(session: SessionId): Promise<readonly Claim[]>
  /** Adds the claim under `claimKey(claim)`; durable when it resolves. Adding one again changes nothing. */
  write(session: SessionId, claim: Claim): Promise<void>
  /** As LeaseEvidence.hasHeard. */
  hasHeard(session: SessionId, device: DeviceId, claim: Claim): boolean
}

export interface HandoffDevices {
  /** The live link, if there is one. */
  link(device: DeviceId): DeviceLink | undefined
  isActive(device: DeviceId): boolean
  /** Asked once per incoming offer or request; absent means every member may. */
  consent?(ask: {
    readonly handoff: HandoffId
    readonly session: SessionId
    readonly from: DeviceId
    readonly direction: 'incoming' | 'outgoing'
    readonly signal: AbortSignal
  }): Promise<boolean>
}

/** Carries a queued offer through third devices, as a sealed register named by the handoff; a greater revision replaces a lesser. */
export interface OfferCarrier {
  /** `offer` undefined withdraws it. Durable here when it resolves. */
  publish(handoff: HandoffId, target: DeviceId, revision: number, offer: Uint8Array | undefined): Promise<void>
}
