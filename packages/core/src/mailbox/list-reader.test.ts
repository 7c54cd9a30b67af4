import { expect, test } from 'vitest'
import { createSigningKeys } from '../crypto/index.ts'
import { deviceIdOf } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { isListReader, proveListReader } from './list-reader.ts'

test('[M11] a proof of the key is for one mailbox and one reader, and by no other key', () => {
  const random = createSeededRandom(4)
  const [admin, desk, other] = [createSigningKeys(random), createSigningKeys(random), createSigningKeys(random)]
  const reading = { mailbox: random.bytes(16), reader: deviceIdOf(desk.publicKey) }
  const proof = proveListReader(reading, admin)
  expect(isListReader(reading, proof, admin.publicKey)).toBe(true)
  expect(isListReader(reading, proof, other.publicKey)).toBe(false)
  expect(isListReader({ ...reading, mailbox: random.bytes(16) }, proof, admin.publicKey)).toBe(false)
  expect(isListReader({ ...reading, reader: deviceIdOf(other.publicKey) }, proof, admin.publicKey)).toBe(false)
})
