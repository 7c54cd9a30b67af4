import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_REGISTER_BYTES } from '../wire/limits.ts'
import { utf8 } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import { deviceIdOf } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { decodeRegister, encodeRegister, registerContentKey, type Register } from './register.ts'
import { createSigningKeys, sign } from './sign.ts'

const random = createSeededRandom(5)
const laptop = createSigningKeys(random)
const desk = createSigningKeys(random)
const documentId = random.bytes(16)
const claim: Register = { documentId, name: 'claim', device: deviceIdOf(laptop.publicKey), sequence: 3, body: utf8('heads') }
const content = encodeRegister(claim, laptop)

test('a register says who wrote it, verified', () => {
  expect(decodeRegister(content, { sequence: 3, documentId })).toEqual({ ok: true, value: claim })
})

test('a register under another sequence or document is refused', () => {
  expect(decodeRegister(content, { sequence: 4, documentId }).ok).toBe(false)
  expect(decodeRegister(content, { sequence: 3, documentId: random.bytes(16) }).ok).toBe(false)
})

test('a device signs registers in its own name only', () => {
  expect(() => encodeRegister(claim, desk)).toThrow(RangeError)
  const unsigned = encodeCbor({ v: 1, document: documentId, name: 'claim', device: laptop.publicKey, sequence: 3, body: utf8('heads') })
  const forged = encodeCbor([unsigned, sign('register', unsigned, desk)])
  expect(decodeRegister(forged, { sequence: 3, documentId })).toEqual({ ok: false, error: 'register: bad signature' })
})

test('a register over MAX_REGISTER_BYTES is not written', () => {
  expect(() => encodeRegister({ ...claim, body: new Uint8Array(MAX_REGISTER_BYTES) }, laptop)).toThrow(RangeError)
})

test('the content key is the name and the device', () => {
  expect(registerContentKey('claim', claim.device)).not.toEqual(registerContentKey('keep', claim.device))
  expect(registerContentKey('claim', claim.device)).not.toEqual(registerContentKey('claim', deviceIdOf(desk.publicKey)))
})

test('10,000 pieces of garbage and CBOR of the wrong shape are refused, not thrown', () => {
  const shapes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.anything({ withBigInt: false, withDate: false }).map(encodeOrEmpty),
    fc.tuple(fc.anything().map(encodeOrEmpty), fc.uint8Array({ minLength: 64, maxLength: 64 })).map(pair => encodeCbor(pair)),
  )
  fc.assert(
    fc.property(shapes, bytes => !decodeRegister(bytes, { sequence: 3, documentId }).ok),
    { numRuns: 10_000 },
  )
})

function encodeOrEmpty(value: unknown): Uint8Array {
  try {
    return encodeCbor(value)
  } catch {
    return new Uint8Array()
  }
}
