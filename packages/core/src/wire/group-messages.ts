/**
 * Membership proof, `/segue/group/1`: how a device that a member does not know yet shows that it belongs, and how one that was removed
 * hears of it. One exchange, then the stream closes; the peers' keys are proven by Noise.
 *
 *     receiver -> newcomer   heads    {v: 1, heads: [32...]}                        the log heads the receiver has
 *     newcomer -> receiver   entries  {v: 1, entries: [bytes...], last: bool} ...   the path from there to its own add
 *     receiver -> newcomer   answer   {v: 1, admitted: bool}
 *
 * or, to whom the receiver knows to be removed, and nothing else:
 *
 *     receiver -> removed    removed  {v: 1, removed: bytes}                        the signed entry that removed it
 *     removed  -> receiver   receipt  {v: 1, record: bytes, signature: 64}          if it likes
 *
 * to which one that by its own log stays answers with `entries`, everything beside that entry, and hears `answer` if with them it does; one
 * that believes it sends `entries`, everything beside that entry, if somebody is removed in it, after its receipt, and hears nothing.
 *
 *     record    = CBOR {v: 1, group: 32, removal: 32, device: 32, erased: bool, time}
 *     signature = Ed25519 over ["segue/erase-receipt/v1", record], with the removed device's key
 *
 * Every frame is at most MAX_PAIRING_FRAME_BYTES, the entries together at most MAX_PROOF_BYTES.
 *
 * | version | changed |
 * |---|---|
 * | 1 | the first; `removed`, `receipt` and the `entries` after it were added before anybody used it |
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber, type DecodeFailure } from '../lib/codec.ts'
import { ENTRY_ID_BYTES, PUBLIC_KEY_BYTES } from '../lib/ids.ts'
import type { Result } from '../lib/result.ts'
import { MAX_ENTRY_BYTES, MAX_PAIRING_FRAME_BYTES } from './limits.ts'

/** As of group/envelope.ts: more heads than an entry has parents are not shown. */
export const MAX_PROOF_HEADS = 256
export const MAX_ERASURE_BYTES = 256

export type ProofGreeting =
  | { readonly v: 1; readonly heads: readonly Uint8Array[] }
  /** The receiver of a proof knows the other to be removed, and by which entry. */
  | { readonly v: 1; readonly removed: Uint8Array }

export interface ProofEntries {
  readonly v: 1
  readonly entries: readonly Uint8Array[]
  readonly last: boolean
}

export interface ProofAnswer {
  readonly v: 1
  readonly admitted: boolean
}

/** What was signed as it was signed, never a re-encoding of it. */
export interface SignedErasure {
  readonly v: 1
  readonly record: Uint8Array
  readonly signature: Uint8Array
}

export interface ErasureRecord {
  readonly v: 1
  readonly group: Uint8Array
  readonly removal: Uint8Array
  readonly device: Uint8Array
  /** Whether it wiped what it held of the group; else it only heard. */
  readonly erased: boolean
  /** Milliseconds since 1970 on the removed device's clock. */
  readonly time: number
}

const v1 = v.literal(1)
const id = bytesOf(ENTRY_ID_BYTES)

export const proofGreeting: v.GenericSchema<unknown, ProofGreeting> = v.union([
  v.strictObject({ v: v1, heads: v.pipe(v.array(id), v.maxLength(MAX_PROOF_HEADS)) }),
  v.strictObject({ v: v1, removed: bytesUpTo(MAX_ENTRY_BYTES) }),
])
export const proofEntries: v.GenericSchema<unknown, ProofEntries> = v.strictObject({
  v: v1,
  entries: v.pipe(v.array(bytesUpTo(MAX_ENTRY_BYTES)), v.maxLength(10_000)),
  last: v.boolean(),
})
export const proofAnswer: v.GenericSchema<unknown, ProofAnswer> = v.strictObject({ v: v1, admitted: v.boolean() })
export const signedErasure: v.GenericSchema<unknown, SignedErasure> = v.strictObject({
  v: v1,
  record: bytesUpTo(MAX_ERASURE_BYTES),
  signature: bytesOf(64),
})
export const erasureRecord: v.GenericSchema<unknown, ErasureRecord> = v.strictObject({
  v: v1,
  group: id,
  removal: id,
  device: bytesOf(PUBLIC_KEY_BYTES),
  erased: v.boolean(),
  time: wholeNumber,
})

export function encodeGroupMessage(message: ProofGreeting | ProofEntries | ProofAnswer | SignedErasure | ErasureRecord): Uint8Array {
  return encodeCbor(message)
}

export function decodeGroupMessage<Message>(schema: v.GenericSchema<unknown, Message>, frame: Uint8Array): Result<Message, DecodeFailure> {
  return decodeCbor(schema, frame, MAX_PAIRING_FRAME_BYTES)
}
