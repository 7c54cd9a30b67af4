/** A store whose documents find their latest chunks in memory, beside one that has everything there. */
import type { DocTag } from '@segue/core'
import type { ChunkBatch, ChunkStore } from '@segue/core/ports'
import { createMemoryChunkStore, createSeededRandom } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { chunkOf } from '../fixtures/batches.ts'
import { encodeCounters, finishHead, prepareHead } from './chunk-value.ts'
import { arrivalKey, COUNTERS_KEY, documentKey, headKey } from './key-layout.ts'
import { encodePointers } from './pointers.ts'
import { withChecksum } from './checksum.ts'
import { createChunkStore, createMemoryVolume, type Volume } from './volume.ts'

for (const seed of [1, 2]) {
  test(`[L32] whatever is put, replaced, removed, fails or crashes: every document lists what it holds (seed ${seed})`, async () => {
    const random = createSeededRandom(seed)
    let [volume, model] = [createMemoryVolume(), createMemoryChunkStore()]
    let store = await open(volume)
    const aBatch = (): ChunkBatch => {
      const numbers = Array.from({ length: 1 + random.below(random.chance(0.05) ? 700 : 60) }, () => random.below(2_500))
      const put = numbers.map(number => ({
        ...chunkOf(number, 0),
        docTag: tag(random.below(random.chance(0.8) ? 12 : 800)),
        bytes: random.bytes(4),
      }))
      return { put, remove: Array.from({ length: random.below(30) }, () => chunkOf(random.below(2_500), 0).id) }
    }
    for (let step = 0; step < 40; step++) {
      const batches = Array.from({ length: 1 + random.below(3) }, aBatch)
      const isFailing = random.chance(0.15)
      if (isFailing) model.failWrites(new Error('full'))
      const heal = isFailing ? volume.failWrites() : () => undefined
      if (random.chance(0.5)) await store.heads((batches[0]?.put ?? []).map(({ id }) => id))
      await Promise.allSettled(batches.flatMap(batch => [store.apply(batch), model.apply(batch)]))
      heal()
      model.failWrites(undefined)
      if (isFailing) await Promise.all(batches.flatMap(batch => [store.apply(batch), model.apply(batch)]))
      const isCrash = random.chance(0.1)
      if (isCrash) [volume, model] = [volume.crash(), model.crash()]
      if (isCrash || random.chance(0.1)) store = await open(volume)
      if (step % 6 === 0) await expectSame(store, model)
    }
    await expectSame(store, model)
    await expectSame(await open(volume), model)
  })
}

test('[L32] damaged counters are counted again with what has no entry of its document yet', async () => {
  const volume = createMemoryVolume()
  const [store, model] = [await open(volume), createMemoryChunkStore()]
  for (const from of [0, 300, 600]) {
    const put = Array.from({ length: 300 }, (_, i) => chunkOf(from + i, 0))
    for (const each of [store, model]) await each.apply({ put })
  }
  for (const each of [store, model]) await each.apply({ remove: [chunkOf(1, 0).id, chunkOf(899, 0).id] })
  await volume.commit(transaction => transaction.put(COUNTERS_KEY, new Uint8Array(9)))
  const again = await open(volume)
  expect((await all(again.document(chunkOf(5, 0).docTag))).map(({ id }) => id)).toEqual(
    (await all(model.document(chunkOf(5, 0).docTag))).map(({ id }) => id),
  )
  expect(again.size()).toEqual(model.size())
})

test('[L5] what format 2 wrote is listed, removed and written on to', async () => {
  const volume = createMemoryVolume()
  const chunks = [chunkOf(0, 0), chunkOf(7, 0), chunkOf(7, 1)] // all of one document
  await volume.commit(transaction => {
    const pointers = chunks.map(({ id }, offset) => ({ id, offset }))
    for (const [offset, chunk] of chunks.entries())
      transaction.put(headKey(chunk.id), finishHead(prepareHead(chunk), 1 + offset, offset, 0))
    transaction.put(arrivalKey(1), encodePointers(pointers))
    transaction.put(documentKey(chunkOf(0, 0).docTag, 1), encodePointers(pointers))
    const counters = encodeCounters({
      lastArrival: 3,
      chunks: 3,
      bytes: chunks.reduce((sum, { bytes }) => sum + bytes.length, 0),
      indexed: 0,
    })
    transaction.put(COUNTERS_KEY, withChecksum(counters.subarray(0, 24)))
  })
  const store = await open(volume)
  await store.apply({ put: [chunkOf(14, 0)], remove: [chunkOf(7, 0).id] })
  for (const each of [store, await open(volume)]) {
    expect((await each.listDocument(chunkOf(0, 0).docTag)).map(({ arrival }) => arrival)).toEqual([1, 3, 4])
    expect((await all(each.since(0))).map(({ arrival }) => arrival)).toEqual([1, 3, 4])
  }
})

function open(volume: Volume): Promise<ChunkStore> {
  return createChunkStore(volume, damage => expect(damage.area).toBe('counters'))
}

async function expectSame(store: ChunkStore, model: ChunkStore): Promise<void> {
  const tags = await all(store.docTags())
  expect(tags).toEqual(await all(model.docTags()))
  for (const docTag of tags.slice(0, 20)) expect(await store.listDocument(docTag)).toEqual(await model.listDocument(docTag))
  const [tagged, after] = [tags[3] as DocTag, model.lastArrival() - 300]
  expect(await all(store.document(tagged, after))).toEqual(await all(model.document(tagged, after)))
  expect(store.size()).toEqual(model.size())
  expect(store.lastArrival()).toBe(model.lastArrival())
}

function tag(n: number): DocTag {
  return (n * 20).toString(16).padStart(4, '0').repeat(8) as DocTag
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
