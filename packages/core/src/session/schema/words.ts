/**
 * Ids and cursors as single values: a plain string in Automerge is a text object with one operation per character, a
 * word is one operation. Heads are packed the same way, 32 bytes each.
 */
import * as A from '@automerge/automerge'
import * as v from 'valibot'
import { fromHex, toHex } from '../../lib/bytes.ts'

/** An id, cursor or other short text that is replaced whole, never edited. */
export type Word = A.ImmutableString

const HASH_BYTES = 32

export const wordSchema: v.GenericSchema<Word> = v.custom<Word>(value => A.isImmutableString(value))
export const packedHeadsSchema: v.GenericSchema<Uint8Array> = v.custom<Uint8Array>(
  value => value instanceof Uint8Array && value.length % HASH_BYTES === 0,
)

export function word(text: string): Word {
  return new A.ImmutableString(text)
}

export function packHeads(heads: readonly string[]): Uint8Array {
  return fromHex([...heads].sort().join(''))
}

export function unpackHeads(packed: Uint8Array): readonly string[] {
  const heads: string[] = []
  for (let at = 0; at + HASH_BYTES <= packed.length; at += HASH_BYTES) heads.push(toHex(packed.subarray(at, at + HASH_BYTES)))
  return heads
}

/** A document path as one word, and back. Undefined for what is not a path. */
export function pathWord(path: readonly (string | number)[]): Word {
  return word(JSON.stringify(path))
}

export function pathOf(value: Word): readonly (string | number)[] {
  try {
    const path: unknown = JSON.parse(value.val)
    return Array.isArray(path) && path.every(part => typeof part === 'string' || typeof part === 'number') ? path : []
  } catch {
    return [] // another device wrote nonsense: the root, where no text is, shows nothing
  }
}
