import nacl from 'tweetnacl'
import { expect, test } from 'vitest'
import { fromHex, toHex, utf8 } from '../lib/bytes.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { WRAP_OVERHEAD_BYTES, createSealingKeys, isAdmissibleSealingKey, sharedSecret, unwrap, wrapFor } from './box.ts'

const random = createSeededRandom(2)
const desk = createSealingKeys(random)
const phone = createSealingKeys(random)
const secret = utf8('an epoch secret')

test('RFC 7748, X25519 test vector 1', () => {
  const scalar = fromHex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4')
  const u = fromHex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')
  expect(toHex(sharedSecret(scalar, u) ?? new Uint8Array())).toBe('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552')
})

// XSalsa20-Poly1305: tests/secretbox.c of NaCl 20110221.
test('the secretbox vector of NaCl', () => {
  const key = fromHex('1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389')
  const nonce = fromHex('69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37')
  const plain = fromHex(
    'be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705',
  )
  expect(toHex(nacl.secretbox(plain, nonce, key))).toBe(
    'f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5',
  )
})

test('what is wrapped for the desk opens there and nowhere else', () => {
  const wrapped = wrapFor(desk.publicKey, secret, random)
  expect(wrapped.length).toBe(secret.length + WRAP_OVERHEAD_BYTES)
  expect(unwrap(wrapped, desk)).toEqual(secret)
  expect(unwrap(wrapped, phone)).toBeUndefined()
})

test('a changed byte anywhere in a wrap is noticed', () => {
  const wrapped = wrapFor(desk.publicKey, secret, random)
  for (let at = 0; at < wrapped.length; at++) {
    const changed = wrapped.slice()
    changed[at] = (changed[at] as number) ^ 1
    expect(unwrap(changed, desk)).toBeUndefined()
  }
})

test.each([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])('the small-order key %s, which would make the secret known to all, is refused', hex => {
  const key = fromHex(hex)
  expect(sharedSecret(desk.secretKey, key)).toBeUndefined()
  expect(isAdmissibleSealingKey(key)).toBe(false)
  expect(() => wrapFor(key, secret, random)).toThrow(RangeError)
  const wrapped = wrapFor(desk.publicKey, secret, random)
  wrapped.set(key, 1)
  expect(unwrap(wrapped, desk)).toBeUndefined()
})

test('10,000 pieces of garbage are no wraps', () => {
  for (let i = 0; i < 10_000; i++) {
    const garbage = random.bytes(i % 200)
    if (i % 5 === 0 && i % 200 < 73) garbage[0] = 1 // the lengths that go further are tried below: they cost a scalar multiplication
    if (unwrap(i % 200 < 73 ? garbage : garbage.fill(0, 0, 1), desk) !== undefined) throw new Error(`opened ${toHex(garbage)}`)
  }
  for (let i = 0; i < 100; i++) {
    const garbage = random.bytes(105)
    garbage[0] = 1
    expect(unwrap(garbage, desk)).toBeUndefined()
  }
})
