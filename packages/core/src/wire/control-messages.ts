/**
 * `/segue/control/1`: the messages of a handoff between its two sides, one per frame, deterministic CBOR.
 *
 * A push begins with `offer`, a pull with `request`. Then: accept (carries the receiver's fresh nonce) - grant (signed over it) -
 * progress ... - verified - commit; `abort` from either side. Every message may be repeated, and is answered again when it is:
 * a message is a statement about the sender's state, not an instruction. `attempt` tells a retry of the same handoff from an echo
 * of the try before; `revision` counts the manifests of one attempt. Times are integer milliseconds, devices 32-byte keys,
 * heads 32 bytes each. Unknown message types close the link: the version of the channel is in its name.
 *
 * | version | change |
 * |---|---|
 * | 1 | first |
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber, type DecodeFailure } from '../lib/codec.ts'
import { PUBLIC_KEY_BYTES, RANDOM_ID_BYTES } from '../lib/ids.ts'
import { KIB } from '../lib/units.ts'
import type { Result } from '../lib/result.ts'
import { MAX_HOT_SET_BYTES } from './limits.ts'

/** A manifest of the most documents (4,096, two heads each) and the hot set fit. */
export const MAX_CONTROL_FRAME_BYTES: number = 1_024 * KIB
export const MAX_MANIFEST_DOCUMENTS = 4_096
export const MAX_HEADS = 256
export const NONCE_BYTES = 32
const SIGNATURE_BYTES = 64
const HASH_BYTES = 32
const DOCUMENT_ID_BYTES = 16

export interface WireManifest {
  readonly schemaVersion: number
  readonly documents: readonly {
    readonly documentId: Uint8Array
    readonly kind: WireKind | 'session'
    readonly heads: readonly Uint8Array[]
    readonly bytes: number
  }[]
}
export type WireKind = 'documents' | 'drafts' | 'views' | 'preferences'
export type WireMilestone = 'authentication' | 'transfer' | 'merge' | 'verification'
export type AbortReason =
  | 'declined'
  | 'schema-newer'
  | 'unknown-session'
  | 'not-offered'
  | 'busy'
  | 'expired'
  | 'cancelled'
  | 'failed'
  | 'unknown-handoff'

/** The signed promise behind a queued offer: the target may write the claim `counter` by itself until then. */
export interface StandingGrant {
  readonly counter: number
  /** Milliseconds since 1970 at the source. */
  readonly expiresAt: number
  readonly signature: Uint8Array
}

/** The change of holder as the source wrote it, so that the target need not wait for it to arrive with the session document. */
export interface CommittedClaim extends StandingGrant {
  /** Milliseconds since 1970 at the writer. */
  readonly time: number
}

interface Base {
  readonly handoff: Uint8Array
  readonly session: Uint8Array
  readonly trace: Uint8Array
  readonly attempt: number
}

export type ControlMessage = Base &
  (
    | { readonly type: 'request'; readonly kinds: readonly WireKind[]; readonly expiresInMs: number }
    | {
        readonly type: 'offer'
        readonly kinds: readonly WireKind[]
        readonly expiresInMs: number
        readonly revision: number
        readonly manifest: WireManifest
        readonly hotSet: Uint8Array
        /** The one it is for: an offer carried by others names it. */
        readonly target: Uint8Array
        readonly standing?: StandingGrant | undefined
      }
    | { readonly type: 'accept'; readonly nonce: Uint8Array }
    | { readonly type: 'grant'; readonly nonce: Uint8Array; readonly signature: Uint8Array }
    | { readonly type: 'progress'; readonly milestone: WireMilestone; readonly bytes: number }
    | { readonly type: 'verified'; readonly revision: number; readonly bytes: number; readonly conflicts: number }
    | {
        readonly type: 'commit'
        readonly kinds: readonly WireKind[]
        readonly manifest: WireManifest
        readonly late: number
        readonly claim: CommittedClaim
      }
    | { readonly type: 'abort'; readonly reason: AbortReason }
  )

export function encodeControlMessage(message: ControlMessage): Uint8Array {
  return encodeCbor(message)
}

export function decodeControlMessage(frame: Uint8Array): Result<ControlMessage, DecodeFailure> {
  return decodeCbor(controlMessage, frame, MAX_CONTROL_FRAME_BYTES)
}

const id = bytesOf(RANDOM_ID_BYTES)
const base = { handoff: id, session: id, trace: id, attempt: wholeNumber }
const kind = v.picklist(['documents', 'drafts', 'views', 'preferences'])
const kinds = v.pipe(v.array(kind), v.maxLength(4))

export const wireManifest: v.GenericSchema<unknown, WireManifest> = v.strictObject({
  schemaVersion: wholeNumber,
  documents: v.pipe(
    v.array(
      v.strictObject({
        documentId: bytesOf(DOCUMENT_ID_BYTES),
        kind: v.picklist(['session', 'documents', 'drafts', 'views', 'preferences']),
        heads: v.pipe(v.array(bytesOf(HASH_BYTES)), v.maxLength(MAX_HEADS)),
        bytes: wholeNumber,
      }),
    ),
    v.maxLength(MAX_MANIFEST_DOCUMENTS),
  ),
})

const grant = { counter: wholeNumber, expiresAt: wholeNumber, signature: bytesOf(SIGNATURE_BYTES) }
export const standingGrant: v.GenericSchema<unknown, StandingGrant> = v.strictObject(grant)
export const committedClaim: v.GenericSchema<unknown, CommittedClaim> = v.strictObject({ ...grant, time: wholeNumber })

/** Exported for the test that pins it. */
export const controlMessage: v.GenericSchema<unknown, ControlMessage> = v.variant('type', [
  v.strictObject({ type: v.literal('request'), ...base, kinds, expiresInMs: wholeNumber }),
  v.strictObject({
    type: v.literal('offer'),
    ...base,
    kinds,
    expiresInMs: wholeNumber,
    revision: wholeNumber,
    manifest: wireManifest,
    hotSet: bytesUpTo(MAX_HOT_SET_BYTES),
    target: bytesOf(PUBLIC_KEY_BYTES),
    standing: v.optional(standingGrant),
  }),
  v.strictObject({ type: v.literal('accept'), ...base, nonce: bytesOf(NONCE_BYTES) }),
  v.strictObject({ type: v.literal('grant'), ...base, nonce: bytesOf(NONCE_BYTES), signature: bytesOf(SIGNATURE_BYTES) }),
  v.strictObject({
    type: v.literal('progress'),
    ...base,
    milestone: v.picklist(['authentication', 'transfer', 'merge', 'verification']),
    bytes: wholeNumber,
  }),
  v.strictObject({ type: v.literal('verified'), ...base, revision: wholeNumber, bytes: wholeNumber, conflicts: wholeNumber }),
  v.strictObject({ type: v.literal('commit'), ...base, kinds, manifest: wireManifest, late: wholeNumber, claim: committedClaim }),
  v.strictObject({
    type: v.literal('abort'),
    ...base,
    reason: v.picklist([
      'declined',
      'schema-newer',
      'unknown-session',
      'not-offered',
      'busy',
      'expired',
      'cancelled',
      'failed',
      'unknown-handoff',
    ]),
  }),
])
