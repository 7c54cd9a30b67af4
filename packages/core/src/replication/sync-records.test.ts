import { expect, test } from 'vitest'
import type { ChunkId, DocTag } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { packDocSums, packIds, packOffers, unpackDocSums, unpackIds, unpackOffers, type Offer } from './sync-records.ts'

test('records survive packing', () => {
  const offer: Offer = {
    docTag: 'ab'.repeat(16) as DocTag,
    class: 'register',
    id: 'cd'.repeat(32) as ChunkId,
    sequence: 2 ** 40,
    byteLength: 5_000_000,
  }
  expect(unpackOffers(packOffers([offer, offer]))).toEqual([offer, offer])
  expect(unpackIds(packIds([offer.id]), 32)).toEqual([offer.id])
  const sum = { docTag: offer.docTag, sum: 2n ** 255n + 1n }
  expect(unpackDocSums(packDocSums([sum]))).toEqual([sum])
})

test('[R26] 10,000 packed records of garbage throw nothing', () => {
  const random = createSeededRandom(27)
  for (let i = 0; i < 10_000; i++) unpackOffers(random.bytes(61 * random.below(3)))
})
