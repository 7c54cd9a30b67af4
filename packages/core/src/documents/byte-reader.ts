/** Reading untrusted binary formats: every step says undefined, never throws, when the bytes do not have it. */
import { Inflate } from 'fflate'
import { concatBytes } from '../lib/bytes.ts'

/** Raw deflate, given up (undefined) as soon as more than `maxBytes` come out or the data is not deflate. */
export function inflate(deflated: Uint8Array, maxBytes: number): Uint8Array | undefined {
  const pieces: Uint8Array[] = []
  const progress = { length: 0, isEnded: false }
  const stream = new Inflate((piece, final) => {
    progress.length += piece.length
    if (progress.length > maxBytes) throw new RangeError('inflates beyond the limit')
    pieces.push(piece)
    progress.isEnded ||= final
  })
  try {
    // Small steps: one step can put out about a thousand times what goes in.
    for (let at = 0; at < deflated.length; at += INFLATE_STEP_BYTES) {
      stream.push(deflated.subarray(at, at + INFLATE_STEP_BYTES), at + INFLATE_STEP_BYTES >= deflated.length)
    }
  } catch {
    return undefined // damaged or too large; both are the sender's fault and both mean refused
  }
  return progress.isEnded ? concatBytes(...pieces) : undefined
}

export interface ByteReader {
  /** Undefined when there are not that many left, or when `length` is undefined itself. */
  take(length: number | undefined): Uint8Array | undefined
  /** Unsigned LEB128 up to 2^53 - 1. */
  uleb(): number | undefined
  /** Signed LEB128, as safe integers. */
  sleb(): number | undefined
  /** Past one LEB128 of either kind, of at most ten bytes. */
  skipLeb(): boolean
  atEnd(): boolean
  /** How many bytes from the beginning were read or passed. */
  at(): number
}

export function createReader(bytes: Uint8Array, from = 0): ByteReader {
  let at = from
  return {
    take(length) {
      if (length === undefined || at + length > bytes.length) return undefined
      at += length
      return bytes.subarray(at - length, at)
    },
    uleb() {
      let value = 0
      for (let i = 0; i < 8; i++) {
        const byte = bytes[at++]
        if (byte === undefined) return undefined
        value += (byte & 0x7f) * 2 ** (7 * i)
        if (byte < 0x80) return Number.isSafeInteger(value) ? value : undefined
      }
      return undefined
    },
    sleb() {
      let value = 0
      for (let i = 0; i < 7; i++) {
        const byte = bytes[at++]
        if (byte === undefined) return undefined
        value += (byte & 0x7f) * 2 ** (7 * i)
        if (byte < 0x80) return byte & 0x40 ? value - 2 ** (7 * (i + 1)) : value
      }
      return undefined
    },
    skipLeb() {
      for (let i = 0; i < 10; i++) {
        const byte = bytes[at++]
        if (byte === undefined) return false
        if (byte < 0x80) return true
      }
      return false
    },
    atEnd: () => at === bytes.length,
    at: () => at,
  }
}

const INFLATE_STEP_BYTES = 1024
