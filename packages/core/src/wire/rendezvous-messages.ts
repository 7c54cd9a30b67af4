/**
 * `/segue/rendezvous/1`: pairing across networks. A member of some mailbox opens a place on the relay under a topic that only the code it
 * shows tells (pairing's `rendezvousTopicOf`); a device without account or mailbox that has seen the code comes there, and the relay
 * carries the pairing conversation between the two. It stores nothing: a message is in its hands only until the other end has taken it.
 * One deterministic CBOR map per frame, at most MAX_RENDEZVOUS_FRAME_BYTES, framed like a pairing link.
 *
 *     open     host -> relay          a topic                              -> opened, or refused
 *     meet     guest -> relay         a topic                              -> met, or refused
 *     arrived  relay -> host          guest n, and who Noise proved it to be
 *     message  any way                host's end: of or to guest n; guest's end: n is 0
 *     left     any way                guest n is gone, or is sent away; from the guest's end: the host is
 *     refused  relay -> either        why, in one word; then the stream ends
 *
 * A frame of the pairing conversation is cut into messages: one byte (1: more of it follows, 0: its end), then bytes.
 *
 * | version | change |
 * |---|---|
 * | 1 | first |
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber, type DecodeFailure } from '../lib/codec.ts'
import type { ErrorCode } from '../lib/errors.ts'
import { PUBLIC_KEY_BYTES } from '../lib/ids.ts'
import type { Result } from '../lib/result.ts'
import { MAX_RENDEZVOUS_FRAME_BYTES } from './limits.ts'

export const RENDEZVOUS_VERSION = 1
export const TOPIC_BYTES = 32
/** The rest of the frame is the map around it. */
export const MAX_RENDEZVOUS_BODY_BYTES = 4_000
export const MAX_RENDEZVOUS_GUESTS = 65_535

/** What a refusal may say, and the code it becomes on the device. A word never changes its meaning. */
export const RENDEZVOUS_REFUSALS = {
  /** Nobody opened that place, or its time is over. */
  unknown: 'PAIRING_EXPIRED',
  /** Too many places, or guests in this one. */
  busy: 'PAIRING_BUSY',
  /** Who opens a place has to be on the list of a mailbox there. */
  'not-yours': 'RELAY_NOT_YOURS',
  draining: 'RELAY_BUSY',
  malformed: 'FRAME_INVALID',
} as const
export type RendezvousRefusal = keyof typeof RENDEZVOUS_REFUSALS

export type RendezvousMessage =
  | { readonly v: 1; readonly type: 'open' | 'meet'; readonly topic: Uint8Array }
  | { readonly v: 1; readonly type: 'opened' | 'met' }
  | { readonly v: 1; readonly type: 'arrived'; readonly guest: number; readonly device: Uint8Array }
  | { readonly v: 1; readonly type: 'message'; readonly guest: number; readonly body: Uint8Array }
  | { readonly v: 1; readonly type: 'left'; readonly guest: number }
  | { readonly v: 1; readonly type: 'refused'; readonly why: string }

export function encodeRendezvousMessage(message: RendezvousMessage): Uint8Array {
  return encodeCbor(message)
}

export function decodeRendezvousMessage(bytes: Uint8Array): Result<RendezvousMessage, DecodeFailure> {
  return decodeCbor(schema, bytes, MAX_RENDEZVOUS_FRAME_BYTES)
}

export function rendezvousRefusalCode(why: string): ErrorCode {
  return Object.hasOwn(RENDEZVOUS_REFUSALS, why) ? RENDEZVOUS_REFUSALS[why as RendezvousRefusal] : 'UNREACHABLE'
}

const version = v.literal(RENDEZVOUS_VERSION)
const guest = v.pipe(wholeNumber, v.maxValue(MAX_RENDEZVOUS_GUESTS))
const schema = v.variant('type', [
  v.strictObject({ v: version, type: v.literal('open'), topic: bytesOf(TOPIC_BYTES) }),
  v.strictObject({ v: version, type: v.literal('meet'), topic: bytesOf(TOPIC_BYTES) }),
  v.strictObject({ v: version, type: v.literal('opened') }),
  v.strictObject({ v: version, type: v.literal('met') }),
  v.strictObject({ v: version, type: v.literal('arrived'), guest, device: bytesOf(PUBLIC_KEY_BYTES) }),
  v.strictObject({ v: version, type: v.literal('message'), guest, body: bytesUpTo(MAX_RENDEZVOUS_BODY_BYTES) }),
  v.strictObject({ v: version, type: v.literal('left'), guest }),
  v.strictObject({ v: version, type: v.literal('refused'), why: v.pipe(v.string(), v.maxLength(32)) }),
])
