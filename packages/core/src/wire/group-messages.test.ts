import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { encodeCbor } from '../lib/codec.ts'
import {
  decodeGroupMessage,
  encodeGroupMessage,
  erasureRecord,
  proofAnswer,
  proofEntries,
  proofGreeting,
  signedErasure,
} from './group-messages.ts'

/** A change here changes the wire: it needs a new version and a line in the table of group-messages.ts. */
const PINNED = '72578b368af320f3a348d0d14d55b568f558dd617143146cabcae8be3098d3a3'

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)
const SCHEMAS = { proofGreeting, proofEntries, proofAnswer, signedErasure, erasureRecord }
const MESSAGES = [
  { v: 1, heads: [bytes(32)] },
  { v: 1, removed: bytes(200) },
  { v: 1, entries: [bytes(200)], last: true },
  { v: 1, admitted: true },
  { v: 1, record: bytes(150), signature: bytes(64) },
  { v: 1, group: bytes(32), removal: bytes(32), device: bytes(32), erased: true, time: 5 },
] as const

test('the schemas and the bytes are pinned', () => {
  const shape = JSON.stringify(Object.values(SCHEMAS), (key, value: unknown) => (key.startsWith('~') ? undefined : value))
  const hash = createHash('sha256').update(shape)
  for (const message of MESSAGES) hash.update(encodeGroupMessage(message))
  expect(hash.digest('hex')).toBe(PINNED)
})

test('every message is read by one schema, as it was', () => {
  for (const message of MESSAGES) {
    const read = Object.values(SCHEMAS).map(schema => decodeGroupMessage<unknown>(schema, encodeGroupMessage(message)))
    expect(read.filter(({ ok }) => ok)).toEqual([{ ok: true, value: message }])
  }
})

test('a greeting is heads or a removal, never both', () => {
  expect(decodeGroupMessage(proofGreeting, encodeCbor({ v: 1, heads: [], removed: bytes(3) })).ok).toBe(false)
  expect(decodeGroupMessage(proofGreeting, encodeCbor({ v: 1 })).ok).toBe(false)
})

test.each(Object.entries(SCHEMAS))('10,000 of garbage and of well-formed nonsense make %s throw nothing', (_, schema) => {
  const value = fc.oneof(fc.uint8Array({ maxLength: 70 }), fc.nat(), fc.boolean(), fc.string({ maxLength: 5 }), fc.array(fc.uint8Array()))
  const field = fc.constantFrom('v', 'heads', 'removed', 'entries', 'last', 'admitted', 'record', 'signature', 'group', 'time')
  const nonsense = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.dictionary(field, value).map(encodeCbor))
  fc.assert(
    fc.property(nonsense, frame => void decodeGroupMessage<unknown>(schema, frame)),
    { numRuns: 10_000 },
  )
})
