/**
 * The messages of libp2p's circuit relay v2 that a relay reads and writes (hop: from who asks, stop: to who is asked for), as protobuf:
 *
 *     HopMessage   1 type (0 reserve, 1 connect, 2 status)   2 peer   3 reservation   4 limit   5 status
 *     StopMessage  1 type (0 connect, 1 status)              2 peer                   3 limit   4 status
 *     Peer         1 id (multihash)                          Reservation   1 expire (seconds since 1970)
 *
 * https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md. libp2p's own server is not used because it keeps whatever a slow
 * reader has not taken, without bound, and knows no rates.
 */
import { concatBytes, deviceIdOf, equalBytes, publicKeyOf, type DeviceId } from '@segue/core/sealed'

export const HOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/hop'
export const STOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/stop'
/** A peer with a few addresses. */
export const MAX_CIRCUIT_MESSAGE_BYTES = 4_096

export const CIRCUIT_STATUS = {
  ok: 100,
  'resource-limit': 201,
  'permission-denied': 202,
  'connection-failed': 203,
  'no-reservation': 204,
  malformed: 400,
} as const
export type CircuitStatus = keyof typeof CIRCUIT_STATUS

export type HopRequest = { readonly type: 'reserve' } | { readonly type: 'connect'; readonly to: DeviceId }

/** Undefined for everything that is not one. */
export function decodeHopRequest(bytes: Uint8Array): HopRequest | undefined {
  const fields = readFields(bytes)
  if (fields === undefined) return undefined
  const type = fields.get(1)
  if (type === 0) return { type: 'reserve' }
  const peer = fields.get(2)
  if (type !== 1 || !(peer instanceof Uint8Array)) return undefined
  const id = readFields(peer)?.get(1)
  const to = id instanceof Uint8Array ? deviceOfMultihash(id) : undefined
  return to && { type: 'connect', to }
}

export function encodeHopStatus(status: CircuitStatus, reservation?: { readonly expiresAtSeconds: number }): Uint8Array {
  const reserved = reservation && [bytesField(3, varintField(1, reservation.expiresAtSeconds))]
  return concatBytes(varintField(1, 2), ...(reserved ?? []), varintField(5, CIRCUIT_STATUS[status]))
}

export function encodeStopConnect(from: DeviceId): Uint8Array {
  return concatBytes(varintField(1, 0), bytesField(2, bytesField(1, multihashOf(from))))
}

/** Whether the one who was asked for agrees. */
export function isStopAgreed(bytes: Uint8Array): boolean {
  const fields = readFields(bytes)
  return fields?.get(1) === 1 && fields.get(4) === CIRCUIT_STATUS.ok
}

/** An Ed25519 key as libp2p's peer id: the identity hash of its protobuf. */
const MULTIHASH_HEAD = new Uint8Array([0x00, 0x24, 0x08, 0x01, 0x12, 0x20])

function multihashOf(device: DeviceId): Uint8Array {
  return concatBytes(MULTIHASH_HEAD, publicKeyOf(device))
}

function deviceOfMultihash(bytes: Uint8Array): DeviceId | undefined {
  const head = bytes.subarray(0, MULTIHASH_HEAD.length)
  return bytes.length === MULTIHASH_HEAD.length + 32 && equalBytes(head, MULTIHASH_HEAD)
    ? deviceIdOf(bytes.slice(MULTIHASH_HEAD.length))
    : undefined
}

const VARINT = 0
const LENGTH_DELIMITED = 2

/** The last of each field; undefined when it is not protobuf, or has kinds of fields that these messages lack. */
function readFields(bytes: Uint8Array): ReadonlyMap<number, number | Uint8Array> | undefined {
  const fields = new Map<number, number | Uint8Array>()
  let offset = 0
  while (offset < bytes.length) {
    const tag = readVarint(bytes, offset)
    const value = tag && readVarint(bytes, tag.next)
    if (tag === undefined || value === undefined) return undefined
    const number = Math.floor(tag.value / 8)
    const kind = tag.value % 8
    offset = value.next
    if (kind === VARINT) fields.set(number, value.value)
    else if (kind === LENGTH_DELIMITED && offset + value.value <= bytes.length) {
      fields.set(number, bytes.slice(offset, (offset += value.value)))
    } else return undefined
  }
  return fields
}

/** Up to 2^53; more is of no use in any of these fields. */
function readVarint(bytes: Uint8Array, start: number): { readonly value: number; readonly next: number } | undefined {
  let value = 0
  for (let i = 0; i < MAX_VARINT_BYTES; i++) {
    const byte = bytes[start + i]
    if (byte === undefined) return undefined
    value += (byte % 128) * 2 ** (7 * i)
    if (byte < 128) return Number.isSafeInteger(value) ? { value, next: start + i + 1 } : undefined
  }
  return undefined
}

const MAX_VARINT_BYTES = 10

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return new Uint8Array([...bytes, rest])
}

function varintField(number: number, value: number): Uint8Array {
  return concatBytes(varint(number * 8 + VARINT), varint(value))
}

function bytesField(number: number, bytes: Uint8Array): Uint8Array {
  return concatBytes(varint(number * 8 + LENGTH_DELIMITED), varint(bytes.length), bytes)
}
