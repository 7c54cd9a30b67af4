/** Words that are nowhere else in the world, and every form in which they could show through. */
import { randomBytes } from 'node:crypto'

export interface Leak {
  readonly canary: string
  readonly form: string
  readonly where: string
}

/** 16 letters and digits each. */
export function createCanaries(count: number): readonly string[] {
  return Array.from({ length: count }, () => Array.from(randomBytes(16), byte => LETTERS[byte % LETTERS.length]).join(''))
}

/** Raw, hex, base64 in its three alignments (both alphabets), UTF-16 in both byte orders. */
export function formsOf(canary: string): ReadonlyMap<string, Buffer> {
  const raw = Buffer.from(canary)
  const forms = new Map<string, Buffer>([
    ['raw', raw],
    ['hex', Buffer.from(raw.toString('hex'))],
    ['HEX', Buffer.from(raw.toString('hex').toUpperCase())],
    ['utf-16le', Buffer.from(canary, 'utf16le')],
    ['utf-16be', Buffer.from(canary, 'utf16le').swap16()],
  ])
  for (const offset of [0, 1, 2]) {
    // Only the characters that depend on nothing but the canary.
    const [from, to] = [Math.ceil((offset * 8) / 6), Math.floor(((offset + raw.length) * 8) / 6)]
    const padded = Buffer.concat([Buffer.alloc(offset), raw])
    forms.set(`base64+${offset}`, Buffer.from(padded.toString('base64').slice(from, to)))
    forms.set(`base64url+${offset}`, Buffer.from(padded.toString('base64url').slice(from, to)))
  }
  return forms
}

export function createCanarySearch(canaries: readonly string[]): (bytes: Uint8Array, where: string) => readonly Leak[] {
  const needles = canaries.flatMap(canary => [...formsOf(canary)].map(([form, needle]) => ({ canary, form, needle })))
  return (bytes, where) => {
    const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return needles.filter(({ needle }) => haystack.includes(needle)).map(({ canary, form }) => ({ canary, form, where }))
  }
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz012345'
