/** Every value on disk ends in its CRC-32, so that rot is found on reading and never taken for content. */
import { crc32 } from 'node:zlib'

export const CHECKSUM_BYTES = 4

/** `value` and its checksum. A pooled Buffer, as everything made only to be written: memory of its own costs more than the rest. */
export function withChecksum(value: Uint8Array): Uint8Array {
  const stored = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES)
  stored.set(value)
  return writeChecksum(stored)
}

/** Fills the last four bytes of `stored` in place. */
export function writeChecksum(stored: Uint8Array): Uint8Array {
  const end = stored.length - CHECKSUM_BYTES
  viewOf(stored).setUint32(end, crc32(stored.subarray(0, end)))
  return stored
}

/** A view of the value without its checksum, or undefined when the two do not agree. */
export function checked(stored: Uint8Array): Uint8Array | undefined {
  const end = stored.length - CHECKSUM_BYTES
  if (end < 0 || viewOf(stored).getUint32(end) !== crc32(stored.subarray(0, end))) return undefined
  return stored.subarray(0, end)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
