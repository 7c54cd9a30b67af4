/**
 * What the two indexes hold: which chunks arrived together, so that a batch costs one index entry and not one for each chunk.
 *
 *     of a document   (offset u32 || chunk id 32) ... || checksum
 *     of arrivals     0xffffffff || (offset u32 || chunk id 32 || doc tag 16) ... || checksum
 *
 * arrival = the first arrival of the group (in the key) + offset. Formats 1 and 2 have arrivals in the form of documents.
 */
import { hexId, type ChunkId, type DocTag } from '@segue/core/sealed'
import { CHECKSUM_BYTES, checked, writeChecksum } from './checksum.ts'

export interface Pointer {
  readonly id: ChunkId
  readonly offset: number
}

export interface ArrivalPointer extends Pointer {
  /** Undefined where an earlier format did not say: then the document's own entry has it. */
  readonly docTag: DocTag | undefined
}

/** Bounds what has to be read and written again when one chunk of a group is removed. */
export const GROUP_POINTERS = 512

export function encodePointers(pointers: readonly Pointer[]): Uint8Array {
  const value = Buffer.allocUnsafe(pointers.length * POINTER_BYTES + CHECKSUM_BYTES)
  let at = 0
  for (const { id, offset } of pointers) {
    value.writeUInt32BE(offset, at)
    value.write(id, at + 4, 'hex')
    at += POINTER_BYTES
  }
  return writeChecksum(value)
}

export function encodeArrivals(pointers: readonly ArrivalPointer[]): Uint8Array {
  if (pointers.some(({ docTag }) => docTag === undefined)) return encodePointers(pointers)
  const value = Buffer.allocUnsafe(MARK_BYTES + pointers.length * ARRIVAL_BYTES + CHECKSUM_BYTES)
  value.writeUInt32BE(MARK, 0)
  let at = MARK_BYTES
  for (const { id, offset, docTag } of pointers) {
    value.writeUInt32BE(offset, at)
    value.write(id, at + 4, 'hex')
    value.write(docTag as DocTag, at + POINTER_BYTES, 'hex')
    at += ARRIVAL_BYTES
  }
  return writeChecksum(value)
}

/** Of either index. Undefined when damaged. */
export function decodePointers(stored: Uint8Array): readonly Pointer[] | undefined {
  return read(stored, (id, offset) => ({ id, offset }))
}

/** Undefined when damaged. */
export function decodeArrivals(stored: Uint8Array): readonly ArrivalPointer[] | undefined {
  return read(stored, (id, offset, docTag) => ({ id, offset, docTag: docTag && hexId<DocTag>(docTag) }))
}

/** How many there are, without looking at them. */
export function pointersIn(stored: Uint8Array): number {
  const { start, size } = shapeOf(stored)
  return Math.floor((stored.length - start - CHECKSUM_BYTES) / size)
}

function read<T>(stored: Uint8Array, make: (id: ChunkId, offset: number, docTag: Uint8Array | undefined) => T): readonly T[] | undefined {
  const value = checked(stored)
  if (value === undefined) return undefined
  const { start, size } = shapeOf(value)
  if ((value.length - start) % size !== 0) return undefined
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  return Array.from({ length: (value.length - start) / size }, (_, i) => {
    const at = start + i * size
    const docTag = start === 0 ? undefined : value.subarray(at + POINTER_BYTES, at + ARRIVAL_BYTES)
    return make(hexId<ChunkId>(value.subarray(at + 4, at + POINTER_BYTES)), view.getUint32(at), docTag)
  })
}

/** No offset is that large: groups have at most GROUP_POINTERS. */
function shapeOf(value: Uint8Array): { readonly start: number; readonly size: number } {
  const isMarked = value.length >= MARK_BYTES && value.subarray(0, MARK_BYTES).every(byte => byte === 0xff)
  return isMarked ? { start: MARK_BYTES, size: ARRIVAL_BYTES } : { start: 0, size: POINTER_BYTES }
}

const POINTER_BYTES = 36
const ARRIVAL_BYTES: number = POINTER_BYTES + 16
const MARK = 0xffffffff
const MARK_BYTES = 4
