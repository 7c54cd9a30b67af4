/** The summary beside a plain sum, over many batches and restarts. */
import { expect, test } from 'vitest'
import type { ChunkStore } from '../ports/chunk-store.ts'
import { createChunkCast } from '../testing/plain-chunks.ts'
import { createMemoryChunkStore } from '../testing/memory-chunk-store.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { portableHasher } from '../crypto/hash.ts'
import { bucketOf, openSummary, valueOf } from './summary.ts'
import { sumBytes } from './sync-records.ts'

test('[R67] a summary that is opened again is what it was, whatever was written before', async () => {
  const random = createSeededRandom(5)
  const cast = createChunkCast()
  const store = createMemoryChunkStore()
  let summary = await openSummary(store)
  const sums = Array.from<bigint>({ length: 256 }).fill(0n)
  for (let batch = 0; batch < 200; batch++) {
    const delta = summary.delta(portableHasher)
    const isLarge = random.chance(0.02)
    const isTaken = random.chance(0.9)
    for (let i = isLarge ? 200 : 1 + random.below(12); i > 0; i--) {
      const chunk = cast.commit(`document ${random.below(300)}`, `${batch} ${i}`)
      delta.add(chunk)
      if (isTaken) sums[bucketOf(chunk.docTag)] = (sums[bucketOf(chunk.docTag)] as bigint) + valueOf(chunk, portableHasher)
    }
    const records = delta.records()
    if (!isTaken) continue // by the store
    await store.apply({ records })
    summary.commit(delta)
    if (random.chance(0.2)) summary = await openSummary(store)
  }
  expect(await keysIn(store)).toBeLessThanOrEqual(65)
  expect(bucketsOf(await openSummary(store))).toEqual(sums.map(sum => BigInt.asUintN(256, sum)))
})

test('[R67] buckets as an earlier version wrote them are read, and replaced when all are written', async () => {
  const store = createMemoryChunkStore()
  const bucket = (index: number): string => `summary/bucket/${index.toString(16).padStart(2, '0')}`
  await store.apply({ records: new Map(Array.from({ length: 256 }, (_, index) => [bucket(index), sumBytes(BigInt(index))])) })
  let summary = await openSummary(store)
  expect([summary.root(), summary.bucket(7)]).toEqual([BigInt((255 * 256) / 2), 7n])
  const cast = createChunkCast()
  const before = summary.root()
  let added = 0n
  for (let i = 0; i < 65; i++) {
    const delta = summary.delta(portableHasher)
    const chunk = cast.commit('a document', String(i))
    delta.add(chunk)
    added += valueOf(chunk, portableHasher)
    await store.apply({ records: delta.records() })
    summary.commit(delta)
    if (i % 16 === 0) summary = await openSummary(store)
    expect(summary.root()).toBe(BigInt.asUintN(256, before + added))
  }
  expect(await keysIn(store, 'summary/bucket/')).toBe(0)
  expect((await openSummary(store)).root()).toBe(summary.root())
})

test('[R67] without the record of all buckets those that changed since count nothing, then and later', async () => {
  const store = createMemoryChunkStore()
  const cast = createChunkCast()
  const write = async (name: string): Promise<void> => {
    const summary = await openSummary(store)
    const delta = summary.delta(portableHasher)
    delta.add(cast.commit('a document', name))
    await store.apply({ records: delta.records() })
  }
  for (let i = 0; i < 70; i++) await write(String(i))
  await store.apply({ records: new Map([['summary/buckets', undefined]]) })
  expect((await openSummary(store)).root()).toBe(0n)
  await write('after')
  expect((await openSummary(store)).root()).toBe(valueOf(cast.commit('a document', 'after'), portableHasher))
})

function bucketsOf(summary: { bucket(index: number): bigint }): readonly bigint[] {
  return Array.from({ length: 256 }, (_, index) => summary.bucket(index))
}

async function keysIn(store: ChunkStore, prefix = 'summary/'): Promise<number> {
  let count = 0
  for await (const _ of store.listRecords(prefix)) count++
  return count
}
