/**
 * RFC 9285. Base45's alphabet is exactly that of a QR code's alphanumeric mode, which stores two characters in 11 bits: bytes
 * cost 8.25 bits each this way, 16 as text in byte mode. No dependency of ours has it.
 */
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'
const VALUES: ReadonlyMap<string, number> = new Map(ALPHABET.split('').map((character, value) => [character, value]))

export function encodeBase45(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 2) {
    const first = bytes[i] as number
    const second = bytes[i + 1]
    let rest = second === undefined ? first : first * 256 + second
    for (let digits = second === undefined ? 2 : 3; digits > 0; digits--) {
      text += ALPHABET[rest % 45]
      rest = Math.floor(rest / 45)
    }
  }
  return text
}

/** `undefined` for any text that `encodeBase45` does not make. */
export function decodeBase45(text: string): Uint8Array | undefined {
  if (text.length % 3 === 1) return undefined
  const bytes: number[] = []
  for (let i = 0; i < text.length; i += 3) {
    const [a, b, c] = [VALUES.get(text[i] as string), VALUES.get(text[i + 1] as string), VALUES.get(text[i + 2] ?? '0')]
    if (a === undefined || b === undefined || c === undefined) return undefined
    const value = a + 45 * b + 2025 * c
    const isPair = i + 2 < text.length
    if (value > (isPair ? 0xffff : 0xff)) return undefined
    if (isPair) bytes.push(value >> 8)
    bytes.push(value & 0xff)
  }
  return new Uint8Array(bytes)
}
