/** The fixed-size records that sync messages carry packed: reading ten thousand of them must cost next to nothing. */
import { fromHex, toHex } from '../lib/bytes.ts'
import { CHUNK_ID_BYTES, DOC_TAG_BYTES, type ChunkId, type DocTag } from '../lib/ids.ts'
import type { ChunkClass, ChunkHeader } from '../ports/sealed-chunk.ts'
import { FINGERPRINT_BYTES } from '../wire/hello.ts'
import { DOC_RECORD_BYTES, HAVE_RECORD_BYTES } from '../wire/sync-messages.ts'

/** A chunk somebody holds. */
export type Offer = Omit<ChunkHeader, 'epoch'> & { readonly byteLength: number }

export interface DocSum {
  readonly docTag: DocTag
  readonly sum: bigint
}

export function packIds(ids: readonly (ChunkId | DocTag)[]): Uint8Array {
  return fromHex(ids.join(''))
}

export function unpackIds<Id extends ChunkId | DocTag>(packed: Uint8Array, size: number): Id[] {
  const ids: Id[] = []
  for (let at = 0; at < packed.length; at += size) ids.push(toHex(packed.subarray(at, at + size)) as Id)
  return ids
}

export function packOffers(offers: readonly Offer[]): Uint8Array {
  const packed = new Uint8Array(offers.length * HAVE_RECORD_BYTES)
  const view = new DataView(packed.buffer)
  let at = 0
  for (const offer of offers) {
    packed.set(fromHex(offer.docTag), at)
    packed[at + DOC_TAG_BYTES] = CLASSES.indexOf(offer.class)
    packed.set(fromHex(offer.id), at + DOC_TAG_BYTES + 1)
    view.setBigUint64(at + SEQUENCE_AT, BigInt(offer.sequence))
    view.setUint32(at + LENGTH_AT, offer.byteLength)
    at += HAVE_RECORD_BYTES
  }
  return packed
}

/** `undefined` when a class is unknown or a sequence is no safe integer. */
export function unpackOffers(packed: Uint8Array): Offer[] | undefined {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const offers: Offer[] = []
  for (let at = 0; at < packed.length; at += HAVE_RECORD_BYTES) {
    const chunkClass = CLASSES[packed[at + DOC_TAG_BYTES] as number]
    const sequence = Number(view.getBigUint64(at + SEQUENCE_AT))
    if (chunkClass === undefined || !Number.isSafeInteger(sequence)) return undefined
    offers.push({
      docTag: toHex(packed.subarray(at, at + DOC_TAG_BYTES)) as DocTag,
      class: chunkClass,
      id: toHex(packed.subarray(at + DOC_TAG_BYTES + 1, at + SEQUENCE_AT)) as ChunkId,
      sequence,
      byteLength: view.getUint32(at + LENGTH_AT),
    })
  }
  return offers
}

export function packDocSums(sums: readonly DocSum[]): Uint8Array {
  return fromHex(sums.map(({ docTag, sum }) => docTag + sumHex(sum)).join(''))
}

export function unpackDocSums(packed: Uint8Array): DocSum[] {
  const sums: DocSum[] = []
  for (let at = 0; at < packed.length; at += DOC_RECORD_BYTES) {
    sums.push({
      docTag: toHex(packed.subarray(at, at + DOC_TAG_BYTES)) as DocTag,
      sum: sumOf(packed.subarray(at + DOC_TAG_BYTES, at + DOC_RECORD_BYTES)),
    })
  }
  return sums
}

/** The items in runs of at most `size`. */
export function slicesOf<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}

/** A fingerprint as 64 hex digits. */
export function sumHex(sum: bigint): string {
  return sum.toString(16).padStart(2 * FINGERPRINT_BYTES, '0')
}

export function sumBytes(sum: bigint): Uint8Array {
  return fromHex(sumHex(sum))
}

export function sumOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`)
}

const CLASSES: readonly ChunkClass[] = ['commit', 'fragment', 'register', 'log']
const SEQUENCE_AT = DOC_TAG_BYTES + 1 + CHUNK_ID_BYTES
const LENGTH_AT = SEQUENCE_AT + 8
