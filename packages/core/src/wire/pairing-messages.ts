/**
 * `/segue/pair/1`, frame by frame. One deterministic CBOR map per frame, at most MAX_PAIRING_FRAME_BYTES; every frame starts
 * with `v` and `type`, in this and every later version. "Old" is the device that shows the code, "new" the one that joins.
 *
 *     m0  commit   old -> new  SHA-256(r), r fresh per connection; with `nearby`, the QR's fields for those who scanned nothing
 *     m1  answer   new -> old  which invitation, an ephemeral key, and sealed: its keys, name, platform, proof over H0
 *     m2  reveal   old -> new  r; now both know H1, and the new device shows the six digits
 *     m3  welcome  old -> new  sealed: the add entry, log heads, group secret, newest epoch, how much log follows, signature over H1
 *         log      old -> new  sealed: a run of group entries, numbered; m3 and these are resent until
 *     m4  received new -> old  everything is on the new device's disk
 *         refuse   either way  why, in one word, then the link closes
 *
 * Sealed parts are opened by keys that only the two ends have; their shapes are checked after opening, like any other bytes.
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import type { ErrorCode } from '../lib/errors.ts'
import { ENTRY_ID_BYTES, EPOCH_ID_BYTES, PUBLIC_KEY_BYTES } from '../lib/ids.ts'
import { failed, type Result } from '../lib/result.ts'
import { KIB, MIB, MINUTE_MS, SECOND_MS } from '../lib/units.ts'
import { MAX_ENTRY_BYTES, MAX_LOG_ENTRIES, MAX_PAIRING_FRAME_BYTES } from './limits.ts'

export const PAIRING_VERSION = 1

export const PAIRING_DEFAULT_MS: number = 2 * MINUTE_MS
export const PAIRING_LONGEST_MS: number = 10 * MINUTE_MS
/** Devices whose digits may be typed at one time. */
export const MAX_PAIRING_CANDIDATES = 3
export const MAX_PAIRING_TRIES = 3
/** Connections of one invitation at one time, those that have not answered yet included. */
export const MAX_PAIRING_LINKS = 8
/**
 * Codes that one invitation makes for devices that scanned nothing. Each is a draw of one in a million for somebody between
 * two honest devices, so reconnecting until the digits fit must end early.
 */
export const MAX_NEARBY_CODES = 10
/** Who connects and says nothing is let go after this. */
export const PAIRING_ANSWER_MS: number = 10 * SECOND_MS
/** From the connection to m2 on the new device; nobody types anything in between. */
export const PAIRING_STEP_MS: number = 20 * SECOND_MS
/** m3 and the log are sent again this long after the last time, doubling. */
export const PAIRING_RESEND_MS: number = 2 * SECOND_MS
/** How long the old device waits for m4 once it has admitted the new one. */
export const PAIRING_WELCOME_MS: number = 2 * MINUTE_MS
/** The whole log that a new device takes over the pairing stream. */
export const MAX_PAIRING_LOG_BYTES: number = 64 * MIB
/** Entries are packed into log frames up to about this; one entry always fits. */
export const PAIRING_LOG_FRAME_BYTES: number = 96 * KIB
export const MAX_PLATFORM_LENGTH = 32

export const COMMITMENT_BYTES = 32
export const REVEAL_BYTES = 16
/** Names an invitation without telling its secret. */
export const INVITATION_ID_BYTES = 8
export const SIGNATURE_BYTES = 64
export const GROUP_SECRET_BYTES = 32
export const MAX_PAYLOAD_BYTES = 600

/** What a refusal may say, and the code it becomes on the other device. A word never changes its meaning. */
export const REFUSALS = {
  expired: 'PAIRING_EXPIRED',
  used: 'PAIRING_USED',
  version: 'PAIRING_VERSION',
  tries: 'PAIRING_TOO_MANY_TRIES',
  busy: 'PAIRING_BUSY',
  full: 'GROUP_FULL',
  malformed: 'FRAME_INVALID',
  cancelled: 'CANCELLED',
  refused: 'PAIRING_REFUSED',
} as const
export type Refusal = keyof typeof REFUSALS

const version = v.literal(PAIRING_VERSION)

const commit = v.strictObject({
  v: version,
  type: v.literal('commit'),
  commitment: bytesOf(COMMITMENT_BYTES),
  nearby: v.optional(bytesUpTo(MAX_PAYLOAD_BYTES)),
})
const answer = v.strictObject({
  v: version,
  type: v.literal('answer'),
  invitation: bytesOf(INVITATION_ID_BYTES),
  ephemeralKey: bytesOf(PUBLIC_KEY_BYTES),
  sealed: bytesUpTo(4 * KIB),
})
const reveal = v.strictObject({ v: version, type: v.literal('reveal'), reveal: bytesOf(REVEAL_BYTES) })
const welcome = v.strictObject({ v: version, type: v.literal('welcome'), sealed: bytesUpTo(MAX_PAIRING_FRAME_BYTES) })
const log = v.strictObject({ v: version, type: v.literal('log'), index: wholeNumber, sealed: bytesUpTo(MAX_PAIRING_FRAME_BYTES) })
const received = v.strictObject({ v: version, type: v.literal('received') })
const refuse = v.strictObject({ v: version, type: v.literal('refuse'), why: v.pipe(v.string(), v.maxLength(32)) })

const frame = v.variant('type', [commit, answer, reveal, welcome, log, received, refuse])

export type PairingFrame =
  | { readonly v: 1; readonly type: 'commit'; readonly commitment: Uint8Array; readonly nearby?: Uint8Array | undefined }
  | {
      readonly v: 1
      readonly type: 'answer'
      readonly invitation: Uint8Array
      readonly ephemeralKey: Uint8Array
      readonly sealed: Uint8Array
    }
  | { readonly v: 1; readonly type: 'reveal'; readonly reveal: Uint8Array }
  | { readonly v: 1; readonly type: 'welcome'; readonly sealed: Uint8Array }
  | { readonly v: 1; readonly type: 'log'; readonly index: number; readonly sealed: Uint8Array }
  | { readonly v: 1; readonly type: 'received' }
  | { readonly v: 1; readonly type: 'refuse'; readonly why: string }
export type PairingFrameType = PairingFrame['type']
export type FrameOf<Type extends PairingFrameType> = Extract<PairingFrame, { readonly type: Type }>

/** Inside m1. Whether the name may be shown is for identity/device-name to say. */
const introduction = v.strictObject({
  signingKey: bytesOf(PUBLIC_KEY_BYTES),
  sealingKey: bytesOf(PUBLIC_KEY_BYTES),
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  platform: v.pipe(v.string(), v.maxLength(MAX_PLATFORM_LENGTH), v.regex(/^[\x20-\x7e]*$/)),
  proof: bytesOf(SIGNATURE_BYTES),
})
export interface Introduction {
  readonly signingKey: Uint8Array
  readonly sealingKey: Uint8Array
  readonly name: string
  readonly platform: string
  readonly proof: Uint8Array
}

/** Inside m3. `entries` and `frames` say how much log follows; `epoch` is the newest one, which the new device must be able to open. */
const admission = v.strictObject({
  add: bytesUpTo(MAX_ENTRY_BYTES),
  heads: v.pipe(v.array(bytesOf(ENTRY_ID_BYTES)), v.minLength(1), v.maxLength(1024)),
  groupSecret: bytesOf(GROUP_SECRET_BYTES),
  epoch: bytesOf(EPOCH_ID_BYTES),
  entries: v.pipe(wholeNumber, v.minValue(1), v.maxValue(MAX_LOG_ENTRIES)),
  frames: v.pipe(wholeNumber, v.minValue(1), v.maxValue(MAX_LOG_ENTRIES)),
  signature: bytesOf(SIGNATURE_BYTES),
})
export interface Admission {
  readonly add: Uint8Array
  readonly heads: readonly Uint8Array[]
  readonly groupSecret: Uint8Array
  readonly epoch: Uint8Array
  readonly entries: number
  readonly frames: number
  readonly signature: Uint8Array
}

/** Inside a log frame. */
const logRun = v.pipe(v.array(bytesUpTo(MAX_ENTRY_BYTES)), v.minLength(1), v.maxLength(MAX_LOG_ENTRIES))

export function encodePairingFrame(value: PairingFrame): Uint8Array {
  return encodeCbor(value)
}

/** A frame of another version is told apart from garbage, so that both people learn which device to update. */
export function decodePairingFrame(bytes: Uint8Array): Result<PairingFrame, 'PAIRING_VERSION' | 'FRAME_INVALID' | 'FRAME_TOO_LARGE'> {
  const parsed = decodeCbor(frame, bytes, MAX_PAIRING_FRAME_BYTES)
  if (parsed.ok) return parsed
  if (parsed.error.reason === 'too-large') return failed('FRAME_TOO_LARGE')
  const envelope = decodeCbor(anyVersion, bytes, MAX_PAIRING_FRAME_BYTES)
  return failed(envelope.ok && envelope.value.v !== PAIRING_VERSION ? 'PAIRING_VERSION' : 'FRAME_INVALID')
}

export function encodeIntroduction(value: Introduction): Uint8Array {
  return encodeCbor(value)
}
export function decodeIntroduction(bytes: Uint8Array): Introduction | undefined {
  const parsed = decodeCbor(introduction, bytes, 4 * KIB)
  return parsed.ok ? parsed.value : undefined
}

export function encodeAdmission(value: Admission): Uint8Array {
  return encodeCbor(value)
}
export function decodeAdmission(bytes: Uint8Array): Admission | undefined {
  const parsed = decodeCbor(admission, bytes, MAX_PAIRING_FRAME_BYTES)
  return parsed.ok ? parsed.value : undefined
}

export function encodeLogRun(entries: readonly Uint8Array[]): Uint8Array {
  return encodeCbor(entries)
}
export function decodeLogRun(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const parsed = decodeCbor(logRun, bytes, MAX_PAIRING_FRAME_BYTES)
  return parsed.ok ? parsed.value : undefined
}

export function refusalCode(why: string): ErrorCode {
  return Object.hasOwn(REFUSALS, why) ? REFUSALS[why as Refusal] : 'PAIRING_REFUSED'
}

const anyVersion = v.looseObject({ v: wholeNumber, type: v.string() })
