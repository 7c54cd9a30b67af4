import { expect, test } from 'vitest'
import { fromHex, toHex, utf8 } from '../lib/bytes.ts'
import { deviceIdOf, type EpochId } from '../lib/ids.ts'
import { sealingKeysOf, unwrap, wrapFor } from './box.ts'
import { sha256 } from './hash.ts'
import { openRecord, sealRecord } from './record.ts'
import { encodeRegister } from './register.ts'
import { sealChunk } from './seal.ts'
import { signingKeysOf } from './sign.ts'

/** Stored bytes outlive this code: a literal here changes only together with a version byte. */
const PINNED_CHUNK = [
  'cf20f2709974cc62d2c7e061d542787cd6b472d9f3d3f31a3d60c8b31bcd4569',
  '1927c0b5081da4c04e7acd40896b4605',
  'de422206b8d1fc4a48185a63da5f1ada',
]
const PINNED_REGISTER = '6b0795ea5150706e987639396b53ca5c'
const PINNED_RECORD = '16f89eb3dea7e0b06b917e7165b51ef0'
const PINNED_WRAP = '69a4a56f6560206c24bc8b46ef609668'

const counting = { bytes: (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i) }
const key = fromHex('11'.repeat(32))
const documentId = fromHex('22'.repeat(16))
const digest = (bytes: Uint8Array): string => toHex(sha256(bytes)).slice(0, 32)

test('sealed chunks, version 1', () => {
  const chunk = sealChunk({
    keys: { idKey: key, tagKey: key },
    epoch: '33'.repeat(16) as EpochId,
    epochSecret: key,
    class: 'commit',
    documentId,
    contentKey: key,
    sequence: 0,
    content: utf8('a change'),
    random: counting,
  })
  expect([chunk.id, chunk.docTag, digest(chunk.bytes)]).toEqual(PINNED_CHUNK)
})

test('registers, version 1', () => {
  const laptop = signingKeysOf(key)
  const register = { documentId, name: 'claim', device: deviceIdOf(laptop.publicKey), sequence: 1, body: utf8('heads') }
  expect(digest(encodeRegister(register, laptop))).toBe(PINNED_REGISTER)
})

test('records, version 1', () => {
  const sealed = sealRecord(key, 'settings', utf8('dark'), counting)
  expect(digest(sealed)).toBe(PINNED_RECORD)
  expect(openRecord(key, 'settings', sealed)).toEqual(utf8('dark'))
})

test('wraps, version 1', () => {
  const desk = sealingKeysOf(key)
  const wrapped = wrapFor(desk.publicKey, utf8('secret'), counting)
  expect(digest(wrapped)).toBe(PINNED_WRAP)
  expect(unwrap(wrapped, desk)).toEqual(utf8('secret'))
})
