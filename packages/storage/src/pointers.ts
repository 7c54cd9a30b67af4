/**
 * What the two indexes hold: which chunks arrived together, so that a batch costs one index entry and not one for each chunk.
 *
 *     (offset u32 || chunk id 32) ... || checksum        arrival = the first arrival of the group (in the key) + offset
 */
import { hexId, type ChunkId } from '@segue/core/sealed'
import { CHECKSUM_BYTES, checked, writeChecksum } from './checksum.ts'

export interface Pointer {
  readonly id: ChunkId
  readonly offset: number
}

/** Bounds what has to be read and written again when one chunk of a group is removed. */
export const GROUP_POINTERS = 512

export function encodePointers(pointers: readonly Pointer[]): Uint8Array {
  const value = Buffer.allocUnsafe(pointers.length * POINTER_BYTES + CHECKSUM_BYTES)
  pointers.forEach(({ id, offset }, i) => {
    value.writeUInt32BE(offset, i * POINTER_BYTES)
    value.write(id, i * POINTER_BYTES + 4, 'hex')
  })
  return writeChecksum(value)
}

/** Undefined when damaged. */
export function decodePointers(stored: Uint8Array): readonly Pointer[] | undefined {
  const value = checked(stored)
  if (value === undefined || value.length % POINTER_BYTES !== 0) return undefined
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  return Array.from({ length: value.length / POINTER_BYTES }, (_, i) => {
    const at = i * POINTER_BYTES
    return { offset: view.getUint32(at), id: hexId<ChunkId>(value.subarray(at + 4, at + POINTER_BYTES)) }
  })
}

/** How many there are, without looking at them. */
export function pointersIn(stored: Uint8Array): number {
  return Math.floor((stored.length - CHECKSUM_BYTES) / POINTER_BYTES)
}

const POINTER_BYTES = 36
