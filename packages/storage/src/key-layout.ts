/**
 * Every key in the store. The first byte says what follows; nothing else in the package writes a prefix.
 *
 * | first | rest | value (each ends in its checksum) |
 * |---|---|---|
 * | `m` | | counters: last arrival, chunks, bytes, up to which arrival `d` is complete |
 * | `h` | chunk id (32) | head; the sealed bytes too when they are few |
 * | `b` | chunk id (32) | the sealed bytes when they are many |
 * | `d` | doc tag (16), first arrival (8, big-endian) | pointers: chunks of a document, of some hundred arrivals (recent-pointers.ts) |
 * | `a` | first arrival (8, big-endian) | pointers with doc tags: all chunks that arrived together |
 * | `r` | the key, UTF-8 | a record that belongs to the chunks |
 * | `l` | HMAC of the key (32) | one of this device's own records, sealed, its key inside |
 *
 * `d` and `a` only point (pointers.ts): a pointer counts when the head it points to has the same arrival.
 */
import { fromUtf8, toHex, utf8, type ChunkId, type DocTag } from '@segue/core/sealed'

export const COUNTERS_KEY: Uint8Array = utf8('m')
const HEAD = 0x68
const BYTES = 0x62
const DOCUMENT = 0x64
const ARRIVAL = 0x61
const RECORD = 0x72
const LOCAL = 0x6c

/** Keys with `gte <= key < lt`. */
export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

export function headKey(id: ChunkId): Uint8Array {
  return hexKey(HEAD, id)
}

export function bytesKey(id: ChunkId): Uint8Array {
  return hexKey(BYTES, id)
}

export function documentKey(docTag: DocTag, arrival: number): Uint8Array {
  const key = Buffer.allocUnsafe(1 + docTag.length / 2 + 8)
  key[0] = DOCUMENT
  key.write(docTag, 1, 'hex')
  writeArrival(key, key.length - 8, arrival)
  return key
}

export function arrivalKey(arrival: number): Uint8Array {
  const key = Buffer.allocUnsafe(9)
  key[0] = ARRIVAL
  writeArrival(key, 1, arrival)
  return key
}

export function recordKey(key: string): Uint8Array {
  const whole = Buffer.allocUnsafe(1 + Buffer.byteLength(key))
  whole[0] = RECORD
  whole.write(key, 1)
  return whole
}

export function localRecordKey(name: Uint8Array): Uint8Array {
  return prefixed(LOCAL, name)
}

export function documentRange(docTag: DocTag): KeyRange {
  return rangeOf(hexKey(DOCUMENT, docTag))
}

/** The documents from `from` on. */
export function documentsFrom(from: DocTag | undefined): KeyRange {
  return { gte: from === undefined ? new Uint8Array([DOCUMENT]) : hexKey(DOCUMENT, from), lt: new Uint8Array([DOCUMENT + 1]) }
}

/** The documents after `docTag`. */
export function documentsAfter(docTag: DocTag): KeyRange {
  return { gte: rangeOf(hexKey(DOCUMENT, docTag)).lt, lt: new Uint8Array([DOCUMENT + 1]) }
}

/** The groups whose first arrival is `arrival` or later. */
export function arrivalsFrom(arrival: number): KeyRange {
  return { gte: arrivalKey(arrival), lt: new Uint8Array([ARRIVAL + 1]) }
}

/** The groups whose first arrival is `arrival` or earlier. */
export function arrivalsUpTo(arrival: number): KeyRange {
  return { gte: new Uint8Array([ARRIVAL]), lt: arrivalKey(arrival + 1) }
}

export function recordRange(prefix: string): KeyRange {
  return rangeOf(recordKey(prefix))
}

export function localRecordRange(): KeyRange {
  return rangeOf(new Uint8Array([LOCAL]))
}

export function docTagInKey(key: Uint8Array): DocTag {
  return toHex(key.subarray(1, 17)) as DocTag
}

/** Of a `d` or `a` key: its last eight bytes. */
export function arrivalInKey(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  return view.getUint32(key.length - 8) * 2 ** 32 + view.getUint32(key.length - 4)
}

export function recordInKey(key: Uint8Array): string {
  return fromUtf8(key.subarray(1))
}

function hexKey(prefix: number, id: string): Uint8Array {
  const key = Buffer.allocUnsafe(1 + id.length / 2)
  key[0] = prefix
  key.write(id, 1, 'hex')
  return key
}

function prefixed(prefix: number, rest: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + rest.length)
  key[0] = prefix
  key.set(rest, 1)
  return key
}

function writeArrival(key: Buffer, offset: number, arrival: number): void {
  key.writeUInt32BE(Math.floor(arrival / 2 ** 32), offset)
  key.writeUInt32BE(arrival >>> 0, offset + 4)
}

/** All keys that begin with `prefix`, which must not be 0xff only: then there would be no next one. */
export function rangeOf(prefix: Uint8Array): KeyRange {
  const lt = Uint8Array.from(prefix)
  let last = lt.length - 1
  while (lt[last] === 0xff) last--
  lt[last] = (lt[last] as number) + 1
  return { gte: prefix, lt: lt.slice(0, last + 1) }
}
