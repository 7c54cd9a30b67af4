/** Known answers for every primitive, from the documents that define them; what must be refused is beside each primitive's own tests. */
import { hkdf as nobleHkdf } from '@noble/hashes/hkdf.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { mnemonicToSeedSync } from '@scure/bip39'
import nacl from 'tweetnacl'
import { expect, test } from 'vitest'
import { fromHex, toHex, utf8 } from '../lib/bytes.ts'
import { sealingKeysOf, sharedSecret } from './box.ts'
import { portableHasher } from './hash.ts'
import { RECOVERY_WORDS, createRecoveryPhrase, recoveryKeysOf } from './recovery-phrase.ts'
import { isAdmissibleKey, portableVerifier, signingKeysOf } from './sign.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'

test.each([
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  ['abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1'],
])('FIPS 180-4, SHA-256 of "%s"', (text, digest) => {
  expect(toHex(portableHasher.sha256(utf8(text)))).toBe(digest)
})

test.each([
  ['0b'.repeat(20), utf8('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
  [toHex(utf8('Jefe')), utf8('what do ya want for nothing?'), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'],
  ['aa'.repeat(20), new Uint8Array(50).fill(0xdd), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
])('RFC 4231, HMAC-SHA-256 under %s', (key, message, mac) => {
  expect(toHex(portableHasher.hmacSha256(fromHex(key), message))).toBe(mac)
})

test.each([
  [
    'case 1',
    '0b'.repeat(22),
    '000102030405060708090a0b0c',
    'f0f1f2f3f4f5f6f7f8f9',
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  ],
  ['case 3', '0b'.repeat(22), '', '', '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8'],
])('RFC 5869, HKDF-SHA-256, test %s', (_, secret, salt, info, okm) => {
  expect(toHex(nobleHkdf(nobleSha256, fromHex(secret), fromHex(salt), fromHex(info), 42))).toBe(okm)
})

test.each([
  [
    '',
    '',
    { N: 16, r: 1, p: 1 },
    '77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906',
  ],
  [
    'pleaseletmein',
    'SodiumChloride',
    { N: 16_384, r: 8, p: 1 },
    '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
  ],
])('RFC 7914, scrypt of "%s"', (passphrase, salt, cost, key) => {
  expect(toHex(scrypt(utf8(passphrase), utf8(salt), { ...cost, dkLen: 64 }))).toBe(key)
})

// RFC 8032 section 7.1: TEST 1024's neighbours are in sign.test.ts; this is TEST SHA(abc).
test('RFC 8032, Ed25519 of SHA-512("abc"): the key, the signature, and that both libraries make it', () => {
  const seed = fromHex('833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42')
  const message = fromHex(
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  )
  const signature = fromHex(
    'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  )
  const { publicKey, secretKey } = signingKeysOf(seed)
  expect(toHex(ed25519.sign(message, seed))).toBe(toHex(signature))
  expect(toHex(nacl.sign.detached(message, secretKey))).toBe(toHex(signature))
  expect(portableVerifier.verify(signature, message, publicKey)).toBe(true)
  expect(portableVerifier.verify(signature, message.with(0, 0), publicKey)).toBe(false)
})

test('RFC 8032, non-canonical keys and points: y of p or more, and a sign bit where x is zero, are refused', () => {
  const tooLarge = ['edff', 'eeff', 'ffff'].map(low => `${low}${'ff'.repeat(29)}7f`)
  const signBit = `01${'00'.repeat(30)}80`
  const { publicKey, secretKey } = signingKeysOf(new Uint8Array(32).fill(7))
  const message = utf8('hello')
  const signature = nacl.sign.detached(message, secretKey)
  for (const point of [...tooLarge, signBit].map(fromHex)) {
    expect(isAdmissibleKey(point)).toBe(false)
    const forged = signature.slice()
    forged.set(point)
    expect(portableVerifier.verify(forged, message, publicKey)).toBe(false)
  }
  expect(portableVerifier.verify(signature, message, publicKey)).toBe(true)
})

// RFC 7748 section 5.2; bit 255 of the second u is set and must not count.
test('RFC 7748, X25519 test vector 2', () => {
  const scalar = fromHex('4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d')
  const u = fromHex('e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493')
  expect(toHex(sharedSecret(scalar, u) ?? new Uint8Array())).toBe('95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957')
})

test('RFC 7748, X25519 a thousand times over', () => {
  let [k, u] = [fromHex(`09${'00'.repeat(31)}`), fromHex(`09${'00'.repeat(31)}`)]
  for (let i = 0; i < 1_000; i++) {
    ;[k, u] = [sharedSecret(k, u) ?? new Uint8Array(), k]
    if (i === 0) expect(toHex(k)).toBe('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079')
  }
  expect(toHex(k)).toBe('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51')
})

test('RFC 7748 section 6.1, the exchange of two keys', () => {
  const alice = sealingKeysOf(fromHex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'))
  const bob = sealingKeysOf(fromHex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'))
  expect(toHex(alice.publicKey)).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
  expect(toHex(bob.publicKey)).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
  const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'
  expect(toHex(sharedSecret(alice.secretKey, bob.publicKey) ?? new Uint8Array())).toBe(shared)
  expect(toHex(sharedSecret(bob.secretKey, alice.publicKey) ?? new Uint8Array())).toBe(shared)
})

test('BIP39: the seed of the phrase of zeros, and from there the same keys for ever', () => {
  const phrase = `${'abandon '.repeat(23)}art`
  expect(toHex(mnemonicToSeedSync(phrase))).toBe(
    '408b285c123836004f4b8842c89324c1f01382450c0d439af345ba7fc49acf705489c6fc77dbd4e3dc1dd8cc6bc9f043db8ada1e243c4a0eafb290d399480840',
  )
  const keys = recoveryKeysOf(phrase)
  expect(keys.ok && [keys.value.signing.publicKey, keys.value.sealing.publicKey].map(toHex)).toMatchInlineSnapshot(`
    [
      "745a86d6b080f3d72043ea4d0e491108704fae40487e5606d2855c9e9393e111",
      "52dcacb0cd62050a00244d3585e6a8dc1f5817d839914147d945a4869647a850",
    ]
  `)
  // However it is typed.
  expect(recoveryKeysOf(` ${phrase.toUpperCase().replaceAll(' ', '\n ')} `)).toEqual(keys)
})

test('a made phrase has 24 words and stands for keys of its own', () => {
  const random = createSeededRandom(5)
  const [one, two] = [createRecoveryPhrase(random), createRecoveryPhrase(random)]
  expect(one.split(' ').length).toBe(RECOVERY_WORDS)
  const [a, b] = [recoveryKeysOf(one), recoveryKeysOf(two)]
  expect(a.ok && b.ok && toHex(a.value.signing.publicKey) !== toHex(b.value.signing.publicKey)).toBe(true)
})

test('a phrase that was mistyped is told what is wrong with it', () => {
  const words = createRecoveryPhrase(createSeededRandom(6)).split(' ')
  const [first = '', second = ''] = words
  expect(recoveryKeysOf(words.slice(1).join(' '))).toEqual({ ok: false, error: { kind: 'count', words: 23 } })
  expect(recoveryKeysOf(words.with(4, 'segue').join(' '))).toEqual({ ok: false, error: { kind: 'unknown-word', place: 5 } })
  expect(recoveryKeysOf(words.with(0, second).with(1, first).join(' '))).toEqual({ ok: false, error: { kind: 'checksum' } })
  expect(recoveryKeysOf('')).toEqual({ ok: false, error: { kind: 'count', words: 0 } })
})
