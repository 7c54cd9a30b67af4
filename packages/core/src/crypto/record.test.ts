import { expect, test } from 'vitest'
import { utf8 } from '../lib/bytes.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { openRecord, sealRecord } from './record.ts'

const random = createSeededRandom(3)
const key = random.bytes(32)

test('a record opens with its key and purpose only', () => {
  const sealed = sealRecord(key, 'settings', utf8('dark'), random)
  expect(openRecord(key, 'settings', sealed)).toEqual(utf8('dark'))
  expect(openRecord(key, 'handoff', sealed)).toBeUndefined()
  expect(openRecord(random.bytes(32), 'settings', sealed)).toBeUndefined()
})

test('an empty record is a record', () => {
  expect(openRecord(key, 'empty', sealRecord(key, 'empty', new Uint8Array(), random))).toEqual(new Uint8Array())
})

test('10,000 pieces of garbage and damaged records open to nothing', () => {
  const sealed = sealRecord(key, 'settings', utf8('dark'), random)
  for (let i = 0; i < 10_000; i++) {
    const garbage = i % 2 === 0 ? random.bytes(i % 150) : sealed.slice(0, sealed.length - (i % 3))
    if (i % 2 === 1) garbage[i % garbage.length] = (garbage[i % garbage.length] as number) ^ (1 << (i % 8))
    if (openRecord(key, 'settings', garbage) !== undefined) throw new Error(`opened garbage ${i}`)
  }
})
