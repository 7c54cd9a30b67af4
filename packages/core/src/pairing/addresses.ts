/**
 * Addresses inside a QR. A multiaddr of the LAN as text costs about 27 bytes and as numbers 7, and a small QR is what a cheap
 * camera can read, so the usual shapes are packed and anything else travels as text.
 *
 * One address = kind u8, then: 0 text: length u8, printable ASCII; 1 /ip4/../tcp/..: 4 bytes, port u16; 2 the same with /ws;
 * 3 and 4 the same two for /ip6: 16 bytes, port u16.
 */
import { concatBytes, fromUtf8, utf8 } from '../lib/bytes.ts'

export const MAX_ADDRESS_LENGTH = 128

/** Short enough, printable ASCII: what travels as text. */
export function isPlainAddress(address: string): boolean {
  return address.length <= MAX_ADDRESS_LENGTH && /^[\x21-\x7e]+$/.test(address)
}

/** `undefined` when the address does not fit the format (too long, not printable ASCII). */
export function packAddress(address: string): Uint8Array | undefined {
  const packed = packTcp(address)
  if (packed !== undefined && unpackAddress(packed, 0)?.address === address) return packed
  if (!isPlainAddress(address)) return undefined
  return concatBytes(new Uint8Array([0, address.length]), utf8(address))
}

/** The address at `offset` and where the next thing starts; `undefined` when there is none. */
export function unpackAddress(bytes: Uint8Array, offset: number): { readonly address: string; readonly next: number } | undefined {
  const kind = bytes[offset]
  if (kind === undefined || kind > 4) return undefined
  if (kind === 0) {
    const next = offset + 2 + (bytes[offset + 1] ?? 0)
    if (next > bytes.length) return undefined
    const text = bytes.subarray(offset + 2, next)
    if (text.some(byte => byte > 0x7e)) return undefined
    const address = fromUtf8(text)
    return isPlainAddress(address) ? { address, next } : undefined
  }
  const hostLength = kind <= 2 ? 4 : 16
  const next = offset + 1 + hostLength + 2
  if (next > bytes.length) return undefined
  const host = bytes.subarray(offset + 1, next - 2)
  const port = word(bytes, next - 2)
  const family = kind <= 2 ? `/ip4/${host.join('.')}` : `/ip6/${formatIp6(host)}`
  return { address: `${family}/tcp/${port}${kind % 2 === 0 ? '/ws' : ''}`, next }
}

function packTcp(address: string): Uint8Array | undefined {
  const match = /^\/(ip4|ip6)\/([0-9a-f.:]+)\/tcp\/(\d{1,5})(\/ws)?$/.exec(address)
  if (match === null) return undefined
  const [, family, text, port, ws] = match as unknown as [string, string, string, string, string | undefined]
  const host = family === 'ip4' ? text.split('.').map(Number) : parseIp6(text)
  const kind = (family === 'ip4' ? 1 : 3) + (ws === undefined ? 0 : 1)
  if (host === undefined || host.length !== (family === 'ip4' ? 4 : 16)) return undefined
  return new Uint8Array([kind, ...host, Number(port) >> 8, Number(port) & 0xff])
}

function word(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] as number) * 256 + (bytes[offset + 1] as number)
}

function parseIp6(text: string): readonly number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [left, right] = halves.map(half => (half === '' ? [] : half.split(':').map(group => Number.parseInt(group, 16)))) as [
    number[],
    number[]?,
  ]
  const missing = 8 - left.length - (right?.length ?? 0)
  if (missing < 0) return undefined
  return [...left, ...Array<number>(missing).fill(0), ...(right ?? [])].flatMap(group => [group >> 8, group & 0xff])
}

/** RFC 5952: the longest run of two or more zero groups becomes `::`, the first one of equals. */
function formatIp6(host: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => word(host, 2 * i))
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = groups.map(group => group.toString(16))
  if (best.start < 0) return hex.join(':')
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`
}
