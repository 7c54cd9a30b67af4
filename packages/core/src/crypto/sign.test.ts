import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import nacl from 'tweetnacl'
import { expect, test } from 'vitest'
import { concatBytes, fromHex, utf8 } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { PURPOSES } from './purposes.ts'
import { createSigningKeys, isAdmissibleKey, portableVerifier, sign, signingKeysOf, verify } from './sign.ts'

const { Point } = ed25519
const ORDER = Point.Fn.ORDER
const laptop = createSigningKeys(createSeededRandom(1))
const message = utf8('from laptop')

// RFC 8032 section 7.1, tests 1 to 3: seed, public key, message, signature.
const RFC_8032 = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
] as const

test.each(RFC_8032)('RFC 8032: seed %s', (seed, publicKey, text, signature) => {
  expect(signingKeysOf(fromHex(seed)).publicKey).toEqual(fromHex(publicKey))
  expect(portableVerifier.verify(fromHex(signature), fromHex(text), fromHex(publicKey))).toBe(true)
  expect(portableVerifier.verify(fromHex(signature), concatBytes(fromHex(text), utf8('!')), fromHex(publicKey))).toBe(false)
})

test('a signature covers its label: it is none for another purpose', () => {
  const signature = sign('register', message, laptop)
  expect(verify('register', message, signature, laptop.publicKey)).toBe(true)
  expect(verify('group-entry', message, signature, laptop.publicKey)).toBe(false)
  expect(portableVerifier.verify(signature, encodeCbor([PURPOSES.register, message]), laptop.publicKey)).toBe(true)
})

test('labels are all different', () => {
  expect(new Set(Object.values(PURPOSES)).size).toBe(Object.keys(PURPOSES).length)
})

test('S + L is refused, which tweetnacl takes for the same signature', () => {
  const signature = ed25519.sign(message, laptop.secretKey.subarray(0, 32))
  const malleated = concatBytes(signature.subarray(0, 32), littleEndian(numberOf(signature.subarray(32)) + ORDER))
  expect(nacl.sign.detached.verify(message, malleated, laptop.publicKey)).toBe(true)
  expect(portableVerifier.verify(malleated, message, laptop.publicKey)).toBe(false)
})

const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
] as const

test.each(SMALL_ORDER)('the small-order key %s may not speak', key => {
  expect(isAdmissibleKey(fromHex(key))).toBe(false)
})

test('a small-order key "signs" anything for tweetnacl, nothing here', () => {
  const key = fromHex(SMALL_ORDER[0])
  const forged = concatBytes(key, new Uint8Array(32)) // R = the neutral point, S = 0
  expect(nacl.sign.detached.verify(message, forged, key)).toBe(true)
  expect(portableVerifier.verify(forged, message, key)).toBe(false)
})

test.each([
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // y = p, for y = 0
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // y = p + 1, for y = 1
  '0100000000000000000000000000000000000000000000000000000000000080', // x = 0 with its sign bit set
  '0200000000000000000000000000000000000000000000000000000000000000', // on no point of the curve
])('%s is no canonical key', key => {
  expect(isAdmissibleKey(fromHex(key))).toBe(false)
})

test('a key with torsion may not speak', () => {
  const torsion = Point.fromHex(SMALL_ORDER[4])
  expect(isAdmissibleKey(Point.fromBytes(laptop.publicKey).add(torsion).toBytes())).toBe(false)
  expect(isAdmissibleKey(laptop.publicKey)).toBe(true)
})

test('torsion added to R by a dishonest signer is refused, though noble multiplies it away', () => {
  const secret = 12345n
  const publicKey = Point.BASE.multiply(secret).toBytes()
  const nonce = 67890n
  const r = Point.BASE.multiply(nonce).add(Point.fromHex(SMALL_ORDER[4])).toBytes()
  const challenge = numberOf(sha512(concatBytes(r, publicKey, message))) % ORDER
  const signature = concatBytes(r, littleEndian((nonce + challenge * secret) % ORDER))
  expect(ed25519.verify(signature, message, publicKey, { zip215: false })).toBe(true)
  expect(portableVerifier.verify(signature, message, publicKey)).toBe(false)
})

test('keys and signatures of the wrong length are refused, not thrown', () => {
  const signature = sign('register', message, laptop)
  expect(verify('register', message, signature.subarray(1), laptop.publicKey)).toBe(false)
  expect(verify('register', message, signature, laptop.publicKey.subarray(1))).toBe(false)
  expect(verify('register', message, new Uint8Array(64).fill(255), laptop.publicKey)).toBe(false)
})

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

function littleEndian(number: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((number >> BigInt(8 * i)) & 255n))
}
