/** Whatever is on disk, reading it gives an answer. */
import { anything, assert, oneof, property, uint8Array } from 'fast-check'
import { encodeCbor, type ChunkId } from '@segue/core'
import { expect, test } from 'vitest'
import { checked, withChecksum } from './checksum.ts'
import { decodeCounters, decodeHead } from './chunk-value.ts'
import { parseFormat } from './format.ts'
import { decodeArrivals, decodePointers } from './pointers.ts'
import { parseKeyFile } from './vault/key-file.ts'
import { decodeVault } from './vault/vault-file.ts'

const id = '00'.repeat(32) as ChunkId
const decoders: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  checksum: checked,
  head: bytes => decodeHead(id, bytes),
  counters: decodeCounters,
  pointers: decodePointers,
  arrivals: decodeArrivals,
  format: parseFormat,
  vault: decodeVault,
  'key file': parseKeyFile,
}

for (const [name, decode] of Object.entries(decoders)) {
  test(`[L18] 10,000 inputs that nobody wrote: ${name}`, () => {
    const garbage = uint8Array({ maxLength: 200 })
    const summed = garbage.map(bytes => Uint8Array.from(withChecksum(bytes)))
    const shapes = anything({ withNullPrototype: false }).map(value => Uint8Array.from(withChecksum(encodeOr(value))))
    assert(
      property(oneof(garbage, summed, shapes), bytes => {
        decode(bytes)
      }),
      { numRuns: 10_000 },
    )
  })
}

test('[L18] a flipped bit anywhere is found', () => {
  const value = withChecksum(Uint8Array.from({ length: 60 }, (_, i) => i))
  for (let bit = 0; bit < value.length * 8; bit++) {
    const flipped = Uint8Array.from(value)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    expect(checked(flipped)).toBeUndefined()
  }
})

/** Not every JavaScript value has a CBOR form. */
function encodeOr(value: unknown): Uint8Array {
  try {
    return encodeCbor(value)
  } catch {
    return new Uint8Array()
  }
}
