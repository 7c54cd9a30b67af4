/**
 * What a relay's operator gives to a person: where the relay is, which key proves it, and a token that makes one account.
 *
 *     text  = "segue-relay1:" || base64url(bytes)
 *     bytes = CBOR {v: 1, relay: 32, addresses: [text...], token: 32} || check(4)
 *
 * The check is the start of a hash, so that a part lost in copying is noticed here and not as a token that nobody knows.
 */
import { base64urlnopad } from '@scure/base'
import * as v from 'valibot'
import { isAdmissibleKey, labelledHash } from '../crypto/index.ts'
import { concatBytes, equalBytes } from '../lib/bytes.ts'
import { bytesOf, decodeCbor, encodeCbor } from '../lib/codec.ts'
import type { ErrorCode } from '../lib/errors.ts'
import { PUBLIC_KEY_BYTES, deviceIdOf, publicKeyOf, type DeviceId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import { MAX_RELAY_ADDRESSES } from '../wire/limits.ts'
import { INVITE_TOKEN_BYTES, MAX_RELAY_ADDRESS_LENGTH, relayAddress } from '../wire/relay-messages.ts'

export const INVITE_PREFIX = 'segue-relay1:'

export interface RelayInvite {
  readonly relay: DeviceId
  /** Multiaddrs, the best first. */
  readonly addresses: readonly string[]
  readonly token: Uint8Array
}

/** Throws RangeError for addresses that no device would take. */
export function encodeInvite({ relay, addresses, token }: RelayInvite): string {
  const body = encodeCbor({ v: 1, relay: publicKeyOf(relay), addresses, token })
  const text = INVITE_PREFIX + base64urlnopad.encode(concatBytes(body, checkOf(body)))
  const read = decodeInvite(text)
  if (!read.ok) throw new RangeError('an invite needs 1 to 8 addresses and a token of 32 bytes')
  return text
}

/** Takes the text with whatever white space a terminal or chat put around or into it. */
export function decodeInvite(text: string): Result<RelayInvite, ErrorCode> {
  if (text.length > MAX_TEXT_LENGTH) return failed('RELAY_INVITE_INVALID')
  const bytes = bytesIn(text)
  if (bytes === undefined || bytes.length <= CHECK_BYTES) return failed('RELAY_INVITE_INVALID')
  const body = bytes.subarray(0, -CHECK_BYTES)
  if (!equalBytes(bytes.subarray(-CHECK_BYTES), checkOf(body))) return failed('RELAY_INVITE_INVALID')
  const read = decodeCbor(INVITE, body, MAX_INVITE_BYTES)
  if (!read.ok) return failed('RELAY_INVITE_INVALID')
  const { relay, addresses, token } = read.value
  return ok({ relay: deviceIdOf(relay), addresses, token })
}

const CHECK_BYTES = 4
const MAX_INVITE_BYTES: number = MAX_RELAY_ADDRESSES * (MAX_RELAY_ADDRESS_LENGTH + 3) + 200
const MAX_TEXT_LENGTH: number = 4 * MAX_INVITE_BYTES

const INVITE = v.strictObject({
  v: v.literal(1),
  relay: v.pipe(bytesOf(PUBLIC_KEY_BYTES), v.check(isAdmissibleKey, 'inadmissible key')),
  addresses: v.pipe(v.array(relayAddress), v.minLength(1), v.maxLength(MAX_RELAY_ADDRESSES)),
  token: bytesOf(INVITE_TOKEN_BYTES),
})

function checkOf(body: Uint8Array): Uint8Array {
  return labelledHash('relay-invite', [body]).subarray(0, CHECK_BYTES)
}

function bytesIn(text: string): Uint8Array | undefined {
  const start = text.indexOf(INVITE_PREFIX)
  if (start < 0) return undefined
  try {
    return base64urlnopad.decode(text.slice(start + INVITE_PREFIX.length).replace(/\s/g, ''))
  } catch {
    return undefined // characters that are not base64url, or a length it cannot have
  }
}
