/**
 * What the QR holds: enough for one other device to find this one and to prove that it saw the screen.
 *
 *     version u8 = 1 | mode u8 (0 scanned, 1 nearby) | ephemeral X25519 key 32 | secret 16 | device key 32 | group hint 8
 *     | n u8, n addresses (addresses.ts) | relay hint: length u8, printable ASCII | checksum 4
 *
 * Bytes in base45 for the QR (its alphanumeric mode), the same bytes as base64url after a prefix for pasting: base45 has spaces,
 * which terminals and chats break. The first byte is the version and the last four are the checksum in every version to come,
 * so a damaged code and one of another version are told apart. About 120 bytes with two addresses.
 */
import { base64urlnopad } from '@scure/base'
import { labelledHash } from '../crypto/index.ts'
import { concatBytes, equalBytes, fromUtf8, utf8 } from '../lib/bytes.ts'
import { deviceIdOf, idBytes, publicKeyOf, type DeviceId, type GroupId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import { INVITATION_ID_BYTES, MAX_PAYLOAD_BYTES, PAIRING_VERSION } from '../wire/pairing-messages.ts'
import { isPlainAddress, packAddress, unpackAddress } from './addresses.ts'
import { decodeBase45, encodeBase45 } from './base45.ts'

export type PairingMode = 'scanned' | 'nearby'

export interface PairingPayload {
  /** `nearby`: never in a QR; m0 carries it, its secret is zero. */
  readonly mode: PairingMode
  readonly ephemeralKey: Uint8Array
  /** 16 bytes. Who has it saw the screen (or a picture of it). */
  readonly secret: Uint8Array
  /** The device that shows it. */
  readonly device: DeviceId
  /** 8 bytes, see `groupHintOf`. */
  readonly groupHint: Uint8Array
  /** Multiaddrs, best first. */
  readonly addresses: readonly string[]
  /** Where to meet when no address answers: a multiaddr of a relay. */
  readonly relay?: string
}

export type PayloadFailure = 'PAIRING_TEXT_INVALID' | 'PAIRING_VERSION'

export const PAIRING_SECRET_BYTES = 16
export const NO_SECRET: Uint8Array = new Uint8Array(PAIRING_SECRET_BYTES)
export const MAX_PAYLOAD_ADDRESSES = 8
/** Begins the text form; a QR's text never does (base45 has no small letters). */
export const PAIRING_TEXT_PREFIX = 'segue-pair:'

/**
 * Lets a member recognise its own group and a newcomer check what it is given, and tells others nothing: the fresh ephemeral
 * key makes it differ from one invitation to the next.
 */
export function groupHintOf(group: GroupId, ephemeralKey: Uint8Array): Uint8Array {
  return labelledHash('group-hint', [idBytes(group), ephemeralKey]).slice(0, HINT_BYTES)
}

/** Names an invitation in m1 without telling its secret. */
export function invitationIdOf(payload: Uint8Array): Uint8Array {
  return labelledHash('pairing-invitation', [payload]).slice(0, INVITATION_ID_BYTES)
}

/**
 * Where the two meet on the relay, known to who has seen the code and to nobody else: the relay, which is told it, learns nothing from it
 * that would let it join, and cannot tell two invitations of one device apart from those of two.
 */
export function rendezvousTopicOf({ secret, device }: Pick<PairingPayload, 'secret' | 'device'>): Uint8Array {
  return labelledHash('pairing-topic', [secret, publicKeyOf(device)])
}

/** What does not fit (too many addresses, too long, not printable) is left out; the first addresses are kept. */
export function encodePayload(payload: PairingPayload): Uint8Array {
  const relay = utf8(payload.relay !== undefined && isPlainAddress(payload.relay) ? payload.relay : '')
  const packed = payload.addresses.map(packAddress).filter(address => address !== undefined)
  const kept: Uint8Array[] = []
  let room = MAX_PAYLOAD_BYTES - HEAD_BYTES - 1 - 1 - relay.length - CHECKSUM_BYTES
  for (const address of packed.slice(0, MAX_PAYLOAD_ADDRESSES)) {
    room -= address.length
    if (room < 0) break
    kept.push(address)
  }
  const body = concatBytes(
    new Uint8Array([PAIRING_VERSION, MODES.indexOf(payload.mode)]),
    payload.ephemeralKey,
    payload.secret,
    publicKeyOf(payload.device),
    payload.groupHint,
    new Uint8Array([kept.length]),
    ...kept,
    new Uint8Array([relay.length]),
    relay,
  )
  return concatBytes(body, checksumOf(body))
}

export function decodePayload(bytes: Uint8Array): Result<PairingPayload, PayloadFailure> {
  if (bytes.length < 1 + CHECKSUM_BYTES || bytes.length > MAX_PAYLOAD_BYTES) return failed('PAIRING_TEXT_INVALID')
  const body = bytes.subarray(0, -CHECKSUM_BYTES)
  if (!equalBytes(bytes.subarray(-CHECKSUM_BYTES), checksumOf(body))) return failed('PAIRING_TEXT_INVALID')
  if (body[0] !== PAIRING_VERSION) return failed('PAIRING_VERSION')
  const mode = MODES[body[1] ?? MODES.length]
  if (mode === undefined || body.length < HEAD_BYTES + 2) return failed('PAIRING_TEXT_INVALID')
  const rest = readPlaces(body)
  if (rest === undefined) return failed('PAIRING_TEXT_INVALID')
  return ok({
    mode,
    ephemeralKey: body.slice(2, 34),
    secret: body.slice(34, 50),
    device: deviceIdOf(body.slice(50, 82)),
    groupHint: body.slice(82, HEAD_BYTES),
    ...rest,
  })
}

/** For the QR, in alphanumeric mode. */
export function payloadToQrText(payload: Uint8Array): string {
  return encodeBase45(payload)
}

/** For pasting. */
export function payloadToText(payload: Uint8Array): string {
  return PAIRING_TEXT_PREFIX + base64urlnopad.encode(payload)
}

/** Takes both text forms, with whatever white space a terminal or chat put around or into the pasted one. Gives checked bytes. */
export function payloadFromText(text: string): Result<Uint8Array, PayloadFailure> {
  if (text.length > MAX_TEXT_LENGTH) return failed('PAIRING_TEXT_INVALID')
  const bytes = textBytes(text)
  if (bytes === undefined) return failed('PAIRING_TEXT_INVALID')
  const decoded = decodePayload(bytes)
  return decoded.ok ? ok(bytes) : decoded
}

const MODES: readonly PairingMode[] = ['scanned', 'nearby']
const HINT_BYTES = 8
const HEAD_BYTES = 2 + 32 + PAIRING_SECRET_BYTES + 32 + HINT_BYTES
const CHECKSUM_BYTES = 4
const MAX_TEXT_LENGTH = 4_000

function checksumOf(body: Uint8Array): Uint8Array {
  return labelledHash('pairing-checksum', [body]).slice(0, CHECKSUM_BYTES)
}

function readPlaces(body: Uint8Array): { readonly addresses: readonly string[]; readonly relay?: string } | undefined {
  const count = body[HEAD_BYTES] as number
  if (count > MAX_PAYLOAD_ADDRESSES) return undefined
  const addresses: string[] = []
  let offset = HEAD_BYTES + 1
  for (let i = 0; i < count; i++) {
    const read = unpackAddress(body, offset)
    if (read === undefined) return undefined
    addresses.push(read.address)
    offset = read.next
  }
  const relay = body.subarray(offset + 1)
  if (body[offset] !== relay.length || relay.some(byte => byte > 0x7e)) return undefined
  if (relay.length === 0) return { addresses }
  const text = fromUtf8(relay)
  return isPlainAddress(text) ? { addresses, relay: text } : undefined
}

function textBytes(text: string): Uint8Array | undefined {
  const start = text.indexOf(PAIRING_TEXT_PREFIX)
  if (start < 0) return decodeBase45(text.replace(/^[\r\n\t]+|[\r\n\t]+$/g, ''))
  try {
    return base64urlnopad.decode(text.slice(start + PAIRING_TEXT_PREFIX.length).replace(/\s/g, ''))
  } catch {
    return undefined // characters that are not base64url, or a length it cannot have
  }
}
