/** The memory stores keep the same contracts, and fail and crash when told. */
import { expect, test } from 'vitest'
import type { ChunkId, DocTag, EpochId } from '../lib/ids.ts'
import type { NewChunk } from '../ports/chunk-store.ts'
import { describeChunkStore } from './describe-chunk-store.ts'
import { describeRecordStore } from './describe-record-store.ts'
import { createMemoryChunkStore } from './memory-chunk-store.ts'
import { createMemoryRecordStore } from './memory-record-store.ts'

describeChunkStore('memory', async () => {
  let store = createMemoryChunkStore()
  return {
    store,
    reopen: async () => (store = store.crash()),
    failWrites: () => {
      store.failWrites(new Error('no space'))
      return () => store.failWrites(undefined)
    },
    tearDown: () => store.close(),
  }
})

describeRecordStore('memory', async () => {
  let store = createMemoryRecordStore()
  return { store, reopen: async () => (store = store.crash()), tearDown: () => store.close() }
})

const chunk: NewChunk = {
  class: 'commit',
  epoch: '00'.repeat(16) as EpochId,
  docTag: '11'.repeat(16) as DocTag,
  id: '22'.repeat(32) as ChunkId,
  sequence: 0,
  live: true,
  bytes: new Uint8Array([1, 2, 3]),
}

test('what is held when the power goes is gone', async () => {
  const store = createMemoryChunkStore()
  store.holdWrites()
  let isDone = false
  void store.apply({ put: [chunk] }).then(() => (isDone = true))
  const after = store.crash()
  await after.apply({ records: new Map([['note', new Uint8Array()]]) })
  expect(await after.get(chunk.id)).toBeUndefined()
  expect(isDone).toBe(false)
})

test('what is held is there once it is let go', async () => {
  const store = createMemoryChunkStore()
  const letGo = store.holdWrites()
  const applied = store.apply({ put: [chunk] })
  expect(await store.get(chunk.id)).toBeUndefined()
  letGo()
  await applied
  expect((await store.get(chunk.id))?.bytes).toEqual(chunk.bytes)
})

test('a damaged chunk is reported and reads as absent until it is put again', async () => {
  const damaged: string[] = []
  const store = createMemoryChunkStore({ onDamaged: key => damaged.push(key) })
  await store.apply({ put: [chunk] })
  store.damage(chunk.id)
  expect(await store.get(chunk.id)).toBeUndefined()
  expect(damaged).toEqual([chunk.id])
  await store.apply({ put: [chunk] })
  expect((await store.get(chunk.id))?.bytes).toEqual(chunk.bytes)
})
