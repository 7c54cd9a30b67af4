/**
 * `/segue/relay/1`: what a device asks of a relay before and beside replication. One deterministic CBOR map per frame, at most
 * MAX_RELAY_FRAME_BYTES, framed like a pairing link; requests in turn, one answer each, at most MAX_RELAY_REQUESTS on a stream.
 * The device is who Noise proved it to be, so no request names it.
 *
 *     claim     an invite token makes the account of this device       -> claimed, with its quotas; the same device again: the same answer
 *     create    an account holder makes a mailbox with its admin key    -> created; the same again: the same answer
 *     list      who may use a mailbox, signed with its admin key; its   -> listed; `stale` unless it is the one after the relay's
 *               version is the relay's plus one
 *     get-list  the list in force, for members; asked with an id of    -> member-list
 *               zeros: of the mailbox that this peer's links lead to, for whoever has only the words of a phrase; asked with a
 *               proof of the admin key (mailbox/list-reader.ts): for whoever may write it and is not on it
 *     status    how full it is, for members                              -> mailbox-status
 *
 *     Until a mailbox has a list the account may ask for both.
 *
 *     move      a mailbox in the place of another, signed with the old    -> moved; the same again: the same answer; `stale` when
 *               one's admin key (mailbox/move.ts)                           another took its place and has its list
 *
 * Anything else is answered with `refused`, and why, in one word.
 *
 * | version | change |
 * |---|---|
 * | 1 | first; `move`, and `get-list` with a proof, among them |
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber, type DecodeFailure } from '../lib/codec.ts'
import type { ErrorCode } from '../lib/errors.ts'
import { PUBLIC_KEY_BYTES, RANDOM_ID_BYTES } from '../lib/ids.ts'
import type { Result } from '../lib/result.ts'
import { KIB } from '../lib/units.ts'
import { MAX_RELAY_FRAME_BYTES } from './limits.ts'

export const RELAY_VERSION = 1
export const INVITE_TOKEN_BYTES = 32
export const MAILBOX_ID_BYTES: number = RANDOM_ID_BYTES
/** In `get-list`: the mailbox that the asking peer's links lead to. */
export const OWN_MAILBOX: Uint8Array = new Uint8Array(MAILBOX_ID_BYTES)
/** A member list as it is signed. */
export const MAX_MEMBER_LIST_BYTES: number = 8 * KIB
export const MAX_RELAY_ADDRESS_LENGTH = 256

/** What a refusal may say, and the code it becomes on the device. A word never changes its meaning. */
export const RELAY_REFUSALS = {
  'unknown-token': 'RELAY_INVITE_REFUSED',
  'expired-token': 'RELAY_INVITE_REFUSED',
  /** Another device claimed it. */
  'used-token': 'RELAY_INVITE_USED',
  /** The account, or that of the mailbox, was closed by the operator. */
  revoked: 'RELAY_REVOKED',
  quota: 'RELAY_QUOTA',
  /** No account, not on the list, or somebody else's mailbox. Also for mailboxes that do not exist: strangers learn nothing. */
  'not-yours': 'RELAY_NOT_YOURS',
  /** The mailbox has another admin key. */
  'other-key': 'RELAY_NOT_YOURS',
  stale: 'RELAY_STALE',
  'bad-signature': 'RELAY_REFUSED',
  'too-many': 'RELAY_BUSY',
  draining: 'RELAY_BUSY',
  malformed: 'FRAME_INVALID',
  version: 'VERSION_UNSUPPORTED',
} as const
export type RelayRefusal = keyof typeof RELAY_REFUSALS

export const RETENTIONS = ['keep', 'until-acknowledged'] as const
/** keep: a full sealed copy. until-acknowledged: a chunk may go once every member has it. */
export type Retention = (typeof RETENTIONS)[number]

/** What an account may use. */
export interface RelayQuotas {
  readonly mailboxes: number
  readonly bytes: number
  readonly chunks: number
  /** Sealed bytes taken in a minute; more is slowed down. */
  readonly bytesPerMinute: number
}

export type RelayRequest =
  | { readonly v: 1; readonly type: 'claim'; readonly token: Uint8Array }
  | { readonly v: 1; readonly type: 'create'; readonly mailbox: Uint8Array; readonly adminKey: Uint8Array }
  /** `record`: see mailbox/member-list.ts. */
  | { readonly v: 1; readonly type: 'list'; readonly record: Uint8Array; readonly signature: Uint8Array }
  | { readonly v: 1; readonly type: 'get-list'; readonly mailbox: Uint8Array; readonly proof?: Uint8Array | undefined }
  | { readonly v: 1; readonly type: 'status'; readonly mailbox: Uint8Array }
  | {
      readonly v: 1
      readonly type: 'move'
      readonly from: Uint8Array
      readonly mailbox: Uint8Array
      readonly adminKey: Uint8Array
      readonly signature: Uint8Array
    }
export type RelayRequestType = RelayRequest['type']

export type RelayAnswer =
  | { readonly v: 1; readonly type: 'claimed'; readonly quotas: RelayQuotas; readonly retention: Retention }
  | { readonly v: 1; readonly type: 'created' }
  | { readonly v: 1; readonly type: 'moved' }
  | { readonly v: 1; readonly type: 'listed'; readonly version: number }
  /** Without a list: none was set since the mailbox was made. */
  | {
      readonly v: 1
      readonly type: 'member-list'
      readonly list?: { readonly record: Uint8Array; readonly signature: Uint8Array } | undefined
    }
  | {
      readonly v: 1
      readonly type: 'mailbox-status'
      readonly chunks: number
      readonly bytes: number
      /** Of `bytes`: retired, and gone when their time is up. */
      readonly retiredBytes: number
      /** Of the account that the mailbox belongs to, and what all its mailboxes use together. */
      readonly quotas: RelayQuotas
      readonly usedBytes: number
      readonly usedChunks: number
      readonly retention: Retention
      /** Version of the member list in force; 0: none. */
      readonly listVersion: number
    }
  | { readonly v: 1; readonly type: 'refused'; readonly why: string }
export type RelayAnswerType = RelayAnswer['type']

/** The answer that each request gets unless it is refused. */
export const ANSWER_TO = {
  claim: 'claimed',
  create: 'created',
  list: 'listed',
  'get-list': 'member-list',
  status: 'mailbox-status',
  move: 'moved',
} as const

export function encodeRelayRequest(request: RelayRequest): Uint8Array {
  return encodeCbor(request)
}

/** For a failure a relay answers `refused` with `refusalFor`. */
export function decodeRelayRequest(frame: Uint8Array): Result<RelayRequest, DecodeFailure> {
  return decodeCbor(relayRequest, frame, MAX_RELAY_FRAME_BYTES)
}

/** A request of another version is told apart from garbage, so that people learn which side to update. */
export function refusalFor(frame: Uint8Array): RelayRefusal {
  const envelope = decodeCbor(anyVersion, frame, MAX_RELAY_FRAME_BYTES)
  return envelope.ok && envelope.value.v !== RELAY_VERSION ? 'version' : 'malformed'
}

export function encodeRelayAnswer(answer: RelayAnswer): Uint8Array {
  return encodeCbor(answer)
}

export function decodeRelayAnswer(frame: Uint8Array): Result<RelayAnswer, DecodeFailure> {
  return decodeCbor(relayAnswer, frame, MAX_RELAY_FRAME_BYTES)
}

/** The error that a device shows for a refusal; words of a later version are a plain refusal. */
export function relayRefusalCode(why: string): ErrorCode {
  return Object.hasOwn(RELAY_REFUSALS, why) ? RELAY_REFUSALS[why as RelayRefusal] : 'RELAY_REFUSED'
}

/** An address of a relay as text: a multiaddr, printable and bounded; whether it can be dialled is for net to say. */
export const relayAddress: v.GenericSchema<string> = v.pipe(v.string(), v.maxLength(MAX_RELAY_ADDRESS_LENGTH), v.regex(/^\/[\x21-\x7e]+$/))

const version = v.literal(RELAY_VERSION)
const mailbox = bytesOf(MAILBOX_ID_BYTES)
const signed = { record: bytesUpTo(MAX_MEMBER_LIST_BYTES), signature: bytesOf(64) }
const quotas = v.strictObject({ mailboxes: wholeNumber, bytes: wholeNumber, chunks: wholeNumber, bytesPerMinute: wholeNumber })
const retention = v.picklist(RETENTIONS)

/** Exported for the test that pins it, like the next. */
export const relayRequest: v.GenericSchema<unknown, RelayRequest> = v.variant('type', [
  v.strictObject({ v: version, type: v.literal('claim'), token: bytesOf(INVITE_TOKEN_BYTES) }),
  v.strictObject({ v: version, type: v.literal('create'), mailbox, adminKey: bytesOf(PUBLIC_KEY_BYTES) }),
  v.strictObject({ v: version, type: v.literal('list'), ...signed }),
  v.strictObject({ v: version, type: v.literal('get-list'), mailbox, proof: v.optional(bytesOf(64)) }),
  v.strictObject({ v: version, type: v.literal('status'), mailbox }),
  v.strictObject({
    v: version,
    type: v.literal('move'),
    from: mailbox,
    mailbox,
    adminKey: bytesOf(PUBLIC_KEY_BYTES),
    signature: bytesOf(64),
  }),
])

export const relayAnswer: v.GenericSchema<unknown, RelayAnswer> = v.variant('type', [
  v.strictObject({ v: version, type: v.literal('claimed'), quotas, retention }),
  v.strictObject({ v: version, type: v.literal('created') }),
  v.strictObject({ v: version, type: v.literal('moved') }),
  v.strictObject({ v: version, type: v.literal('listed'), version: wholeNumber }),
  v.strictObject({ v: version, type: v.literal('member-list'), list: v.optional(v.strictObject(signed)) }),
  v.strictObject({
    v: version,
    type: v.literal('mailbox-status'),
    chunks: wholeNumber,
    bytes: wholeNumber,
    retiredBytes: wholeNumber,
    quotas,
    usedBytes: wholeNumber,
    usedChunks: wholeNumber,
    retention,
    listVersion: wholeNumber,
  }),
  v.strictObject({ v: version, type: v.literal('refused'), why: v.pipe(v.string(), v.maxLength(32)) }),
])

const anyVersion = v.looseObject({ v: wholeNumber, type: v.string() })
