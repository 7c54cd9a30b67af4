/**
 * The six digits that a person reads on the new device and types into the old one (a short authentication string). They come
 * from a key and a transcript that only the two ends of one connection share, so somebody in between makes them differ.
 */
import { hkdf } from '../crypto/index.ts'

export const CODE_DIGITS = 6

/** `digits(HKDF(k_sas, H1))`, leading zeros kept. 64 bits modulo a million: even to one part in 10^13. */
export function codeOf(codeKey: Uint8Array, h1: Uint8Array): string {
  const bytes = hkdf(codeKey, undefined, 'pairing-code', 8, [h1])
  const number = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0)
  return String(number % 1_000_000n).padStart(CODE_DIGITS, '0')
}

/** What a person typed, without the spaces and dashes that screens put between digits; `undefined` when it is not six digits. */
export function typedCode(text: string): string | undefined {
  const digits = text.replaceAll(/[\s-]/g, '')
  return /^[0-9]{6}$/.test(digits) ? digits : undefined
}
