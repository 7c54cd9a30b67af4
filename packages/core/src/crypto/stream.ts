/**
 * A long stream sealed block by block under a key used for nothing else: the STREAM construction (Hoang, Reyhanitabar, Rogaway and
 * Vizár, 2015), as age uses it. Every block but the last has BLOCK_BYTES; the nonce is its number and whether it is the last, so a block
 * that is missing, moved, changed or added does not open, and neither does a stream that was cut off.
 *
 *     nonce = number u64 BE | 1 for the last block, else 0 | 15 zero bytes          sealed = secretbox(block, nonce, key)
 */
import nacl from 'tweetnacl'
import { KIB } from '../lib/units.ts'

export const BLOCK_BYTES: number = 64 * KIB
export const SEALED_BLOCK_BYTES: number = BLOCK_BYTES + nacl.secretbox.overheadLength

export interface BlockPlace {
  /** From 0. */
  readonly number: number
  readonly isLast: boolean
}

/** Throws RangeError for more than BLOCK_BYTES, or fewer in a block that is not the last. */
export function sealBlock(key: Uint8Array, place: BlockPlace, block: Uint8Array): Uint8Array {
  if (block.length > BLOCK_BYTES || (!place.isLast && block.length < BLOCK_BYTES)) throw new RangeError('a block has another size')
  return nacl.secretbox(block, nonceOf(place), key)
}

/** Undefined for anything but what was sealed with this key for this place. */
export function openBlock(key: Uint8Array, place: BlockPlace, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length > SEALED_BLOCK_BYTES || sealed.length < nacl.secretbox.overheadLength) return undefined
  return nacl.secretbox.open(sealed, nonceOf(place), key) ?? undefined
}

function nonceOf({ number, isLast }: BlockPlace): Uint8Array {
  const nonce = new Uint8Array(nacl.secretbox.nonceLength)
  new DataView(nonce.buffer).setBigUint64(0, BigInt(number))
  nonce[8] = isLast ? 1 : 0
  return nonce
}
