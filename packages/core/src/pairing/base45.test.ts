import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromUtf8, utf8 } from '../lib/bytes.ts'
import { decodeBase45, encodeBase45 } from './base45.ts'

test('[P1] base45 gives the examples of RFC 9285', () => {
  for (const [plain, encoded] of [
    ['AB', 'BB8'],
    ['Hello!!', '%69 VD92EX0'],
    ['base-45', 'UJCLQE7W581'],
    ['ietf!', 'QED8WEX0'],
  ] as const) {
    expect(encodeBase45(utf8(plain))).toBe(encoded)
    expect(fromUtf8(decodeBase45(encoded) as Uint8Array)).toBe(plain)
  }
})

test('[P1] base45 takes every byte array there and back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
      expect(decodeBase45(encodeBase45(bytes))).toEqual(bytes)
    }),
    { numRuns: 1_000 },
  )
})

test('[P1] base45 refuses what the encoder cannot have made', () => {
  for (const text of ['A', 'abc', 'BB8A', 'GGW', ':::', '::', 'BB\n']) expect(decodeBase45(text)).toBeUndefined()
})
