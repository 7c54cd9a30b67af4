import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeCbor } from '../lib/codec.ts'
import { deviceIdOf, isDeviceId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { isDeviceName } from './device-name.ts'
import { createIdentity, decodeIdentity, encodeIdentity } from './identity.ts'

const random = createSeededRandom(6)

test('a device is named by its signing key, as libp2p names it', () => {
  const laptop = createIdentity({ name: 'Laptop', random })
  expect(laptop.id).toBe(deviceIdOf(laptop.signing.publicKey))
  expect(laptop.id.startsWith('12D3Koo')).toBe(true)
  expect(isDeviceId(laptop.id)).toBe(true)
})

test('an identity comes back from its vault', () => {
  const laptop = createIdentity({ name: 'Laptop', random })
  expect(decodeIdentity(encodeIdentity(laptop))).toEqual({ ok: true, value: laptop })
})

test('the sealing key is independent of the signing key', () => {
  const laptop = createIdentity({ name: 'Laptop', random })
  expect(laptop.sealing.secretKey).not.toEqual(laptop.signing.secretKey.subarray(0, 32))
})

test.each(['Laptop', 'Büro-PC', 'テレビ', '👩‍💻 mine', 'x'.repeat(64)])('%s can be the name of a device', name => {
  expect(isDeviceName(name)).toBe(true)
})

const UNSEEN = ['Lap\u200btop', 'Laptop\u200d', '\ufeffLaptop', 'Lap\u2060top', 'a\u200egnp', 'a\u061cgnp', 'Lap\u00adtop', '\u3164']

test.each(['', ' Laptop', 'Lap\ntop', 'Lap\u001b[31mtop', 'a\u202egnp', 'x'.repeat(65), '\ud800', ...UNSEEN])(
  '%j cannot be the name of a device',
  name => {
    expect(isDeviceName(name)).toBe(false)
    expect(() => createIdentity({ name, random })).toThrow(RangeError)
  },
)

test('10,000 pieces of garbage and CBOR of the wrong shape are no identity, and are not thrown', () => {
  const half = fc.record(
    {
      v: fc.constantFrom(1, 2, '1'),
      name: fc.string(),
      signing: fc.uint8Array({ maxLength: 33 }),
      sealing: fc.uint8Array({ maxLength: 33 }),
      more: fc.nat(),
    },
    { requiredKeys: ['more'] },
  )
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), half.map(encodeCbor)), bytes => !decodeIdentity(bytes).ok),
    { numRuns: 10_000 },
  )
})
