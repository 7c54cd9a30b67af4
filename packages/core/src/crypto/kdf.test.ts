import { createHash, createHmac, hkdfSync, scryptSync } from 'node:crypto'
import { hkdf as nobleHkdf } from '@noble/hashes/hkdf.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { expect, test } from 'vitest'
import { fromHex, toHex, utf8 } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import { labelledHash, labelledHmac, sha256 } from './hash.ts'
import { hkdf, scryptKey } from './kdf.ts'

const secret = new Uint8Array(22).fill(0x0b)
const salt = fromHex('000102030405060708090a0b0c')

test('RFC 5869, test case 1', () => {
  expect(toHex(nobleHkdf(nobleSha256, secret, salt, fromHex('f0f1f2f3f4f5f6f7f8f9'), 42))).toBe(
    '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  )
})

test('hkdf has the label and the context in its info', () => {
  const info = encodeCbor(['segue/wrap/v1', utf8('context')])
  expect(hkdf(secret, salt, 'wrap', 42, [utf8('context')])).toEqual(new Uint8Array(hkdfSync('sha256', secret, salt, info, 42)))
  expect(hkdf(secret, undefined, 'wrap', 32)).not.toEqual(hkdf(secret, undefined, 'content-key', 32))
})

test('RFC 7914, scrypt N = 1024, r = 8, p = 16', () => {
  expect(toHex(scrypt(utf8('password'), utf8('NaCl'), { N: 1024, r: 8, p: 16, dkLen: 64 }))).toBe(
    'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
  )
})

test('a passphrase key is scrypt N = 2^17, r = 8, p = 1, then the label; composed and decomposed letters are one passphrase', () => {
  const slot = new Uint8Array(16).fill(7)
  const stretched = scryptSync('caf\u00e9', slot, 32, { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 })
  const expected = new Uint8Array(hkdfSync('sha256', stretched, slot, encodeCbor(['segue/passphrase/v1']), 32))
  expect(scryptKey('cafe\u0301', slot)).toEqual(expected)
})

test('hashes and HMACs are over a CBOR array that begins with the label', () => {
  const parts = [utf8('one'), 'two', 3, ['four']]
  const array = encodeCbor(['segue/heads/v1', ...parts])
  const key = new Uint8Array(32).fill(9)
  expect(toHex(labelledHash('heads', parts))).toBe(createHash('sha256').update(array).digest('hex'))
  expect(toHex(labelledHmac(key, 'heads', parts))).toBe(createHmac('sha256', key).update(array).digest('hex'))
  expect(toHex(sha256(utf8('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

test('where one part ends and the next begins is part of what is hashed', () => {
  expect(labelledHash('heads', ['ab', 'c'])).not.toEqual(labelledHash('heads', ['a', 'bc']))
})
