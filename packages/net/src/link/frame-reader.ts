/**
 * The bytes of one stream, cut into frames.
 *
 *     u32 big endian < 0x8000_0000   a frame of that many bytes follows (at most the stream's limit)
 *     u32 with the top bit           a signal: first byte which, the other three its value
 *
 * The length is judged as soon as its four bytes are there, before anything of the frame is kept. Signals travel between frames,
 * never inside one; they say why a link closes and whether the peer is alive.
 */
import { failed, ok, type Result } from '@segue/core/sealed'

export const SIGNALS = {
  /** The last thing on a stream; the value is a number of core's CLOSE_CODES. */
  close: 0x80,
  /** Handed to and fro, one per 30 s. */
  keepalive: 0x81,
  /** To be answered at once. */
  probe: 0x82,
  'probe-answer': 0x83,
} as const
export type Signal = keyof typeof SIGNALS

export type Read =
  | { readonly type: 'frame'; readonly bytes: Uint8Array }
  | { readonly type: 'signal'; readonly signal: Signal; readonly value: number }

export interface FrameReader {
  /** What `bytes` completes, in order. After a failure the reader is done for: the stream can only be closed. */
  push(bytes: Uint8Array): Result<readonly Read[], 'frame-too-large' | 'malformed-frame'>
}

export const HEADER_BYTES = 4

export function createFrameReader(maxFrameBytes: number): FrameReader {
  const header = new Uint8Array(HEADER_BYTES)
  let headerFilled = 0
  let body: Uint8Array | undefined
  let bodyFilled = 0
  return {
    push(bytes) {
      const reads: Read[] = []
      let offset = 0
      while (offset < bytes.length) {
        if (body === undefined) {
          const part = bytes.subarray(offset, offset + HEADER_BYTES - headerFilled)
          header.set(part, headerFilled)
          headerFilled += part.length
          offset += part.length
          if (headerFilled < HEADER_BYTES) break
          headerFilled = 0
          const word = readWord(header)
          if (word >= FIRST_SIGNAL) {
            const signal = SIGNAL_BY_BYTE.get(word >>> 24)
            if (signal === undefined) return failed('malformed-frame')
            reads.push({ type: 'signal', signal, value: word & 0xff_ff_ff })
            continue
          }
          if (word > maxFrameBytes) return failed('frame-too-large')
          // A frame wholly in this piece is the common case. Copied: `slice` of a Buffer would share the socket's memory.
          if (bytes.length - offset >= word) {
            reads.push({ type: 'frame', bytes: new Uint8Array(bytes.subarray(offset, offset + word)) })
            offset += word
            continue
          }
          body = new Uint8Array(word)
          bodyFilled = 0
        }
        const part = bytes.subarray(offset, offset + body.length - bodyFilled)
        body.set(part, bodyFilled)
        bodyFilled += part.length
        offset += part.length
        if (bodyFilled < body.length) break
        reads.push({ type: 'frame', bytes: body })
        body = undefined
      }
      return ok(reads)
    },
  }
}

export function encodeHeader(frameBytes: number): Uint8Array {
  return word(frameBytes)
}

export function encodeSignal(signal: Signal, value = 0): Uint8Array {
  return word(((SIGNALS[signal] << 24) | value) >>> 0)
}

const FIRST_SIGNAL = 0x80_00_00_00
const SIGNAL_BY_BYTE = new Map<number, Signal>(Object.entries(SIGNALS).map(([signal, byte]) => [byte, signal as Signal]))

function readWord(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
