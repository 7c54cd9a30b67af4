/** Byte arrays: comparing, joining, and the text forms used in logs, keys and tests. */

const encoder = new TextEncoder()

export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Throws TypeError when `bytes` is not valid UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0
}

/** Lexicographic, as Level orders keys; a prefix sorts before what it begins. Not constant time: never for secrets. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** In one piece: text that is put together two letters at a time takes six times as long, and as long again when it is first looked up. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (let start = 0; start < bytes.length; start += HEX_PIECE_BYTES) {
    const end = Math.min(start + HEX_PIECE_BYTES, bytes.length)
    const codes: number[] = []
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number
      codes.push(HEX_CODES[byte >> 4] as number, HEX_CODES[byte & 15] as number)
    }
    text += String.fromCharCode(...codes)
  }
  return text
}

/** Throws RangeError on an odd length or a character outside 0-9 a-f. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2)
  let seen = text.length % 2 === 0 ? 0 : INVALID
  for (let i = 0; i < bytes.length; i++) {
    const [high, low] = [DIGIT[text.charCodeAt(2 * i)] ?? INVALID, DIGIT[text.charCodeAt(2 * i + 1)] ?? INVALID]
    seen |= high | low
    bytes[i] = (high << 4) | low
  }
  if (seen >= INVALID) throw new RangeError('not lower-case hexadecimal')
  return bytes
}

const HEX_CODES = Uint8Array.from({ length: 16 }, (_, digit) => digit.toString(16).charCodeAt(0))
const HEX_PIECE_BYTES = 64
const INVALID = 16
/** By character code: a history has tens of thousands of hashes, and an expression and a parser take ten times as long for each. */
const DIGIT: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(code))
  return digit < 0 ? INVALID : digit
})

/** A plain Uint8Array over its own memory: Level and sockets return Buffers, automerge-repo's suites refuse them. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes)
}
