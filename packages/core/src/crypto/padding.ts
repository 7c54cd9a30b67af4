/**
 * Padme padding (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", 2019): a length of L shows only its
 * O(log log L) leading bits, for at most 12% more bytes. A sealed size then says little about what was typed.
 */

const LENGTH_BYTES = 4

/** The padded length of `length` bytes. */
export function padmeLength(length: number): number {
  if (length < 2) return length
  const exponent = Math.floor(Math.log2(length))
  const kept = Math.floor(Math.log2(exponent)) + 1
  const unit = 2 ** Math.max(0, exponent - kept)
  return Math.ceil(length / unit) * unit
}

/** `length u32 BE || parts || zeros`, as long as Padme says. */
export function pad(...parts: readonly Uint8Array[]): Uint8Array {
  let length = LENGTH_BYTES
  for (const part of parts) length += part.length
  const padded = new Uint8Array(padmeLength(length))
  new DataView(padded.buffer).setUint32(0, length - LENGTH_BYTES)
  let offset = LENGTH_BYTES
  for (const part of parts) {
    padded.set(part, offset)
    offset += part.length
  }
  return padded
}

/** What was padded, as a view; undefined unless the padding is exactly what `pad` makes. */
export function unpad(padded: Uint8Array): Uint8Array | undefined {
  if (padded.length < LENGTH_BYTES) return undefined
  const length = new DataView(padded.buffer, padded.byteOffset).getUint32(0)
  const end = LENGTH_BYTES + length
  if (padmeLength(end) !== padded.length) return undefined
  for (let i = end; i < padded.length; i++) if (padded[i] !== 0) return undefined
  return padded.subarray(LENGTH_BYTES, end)
}
