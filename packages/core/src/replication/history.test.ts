import { expect, test } from 'vitest'
import { createChunkCast } from '../testing/plain-chunks.ts'
import { createMemoryChunkStore, type MemoryChunkStore } from '../testing/memory-chunk-store.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { openHistory, type ReplicaHistory } from './history.ts'
import type { DeviceId, Incarnation } from '../lib/ids.ts'

const random = createSeededRandom(5)
const chunks = createChunkCast()

const open = async (store: MemoryChunkStore): Promise<ReplicaHistory> => {
  const records = new Map<string, Uint8Array | undefined>()
  const history = await openHistory(store, random, (key, value) => void records.set(key, value))
  await store.apply({ records })
  return history
}
const fill = (store: MemoryChunkStore, count: number): Promise<void> =>
  store.apply({ put: Array.from({ length: count }, (_, i) => ({ ...chunks.commit('report', `${store.lastArrival() + i}`), live: true })) })

test('[R5] a store restored from a backup knows that it did not get as far', async () => {
  const laptop = createMemoryChunkStore()
  const before = await open(laptop)
  await fill(laptop, 20)
  const backup = laptop.crash() // the original went on to 25 in the same incarnation
  const after = await open(backup)
  await fill(backup, 9)
  expect(after.id).toBe(before.id)
  expect(after.hasReached({ incarnation: before.incarnation, arrival: 20 })).toBe(true)
  expect(after.hasReached({ incarnation: before.incarnation, arrival: 25 })).toBe(false)
  expect(after.hasReached({ incarnation: after.incarnation, arrival: 29 })).toBe(true)
  expect(after.hasReached({ incarnation: 'ff'.repeat(16) as Incarnation, arrival: 1 })).toBe(false)
})

test('[R5] cursors outlive a restart', async () => {
  const laptop = createMemoryChunkStore()
  const records = new Map<string, Uint8Array | undefined>()
  const history = await openHistory(laptop, random, (key, value) => void records.set(key, value))
  const cursor = { incarnation: history.incarnation, arrival: 7 }
  history.setCursor('desk' as DeviceId, cursor)
  await laptop.apply({ records })
  expect((await open(laptop)).cursorFor('desk' as DeviceId)).toEqual(cursor)
})

test('[R41] where a replica got with whom is found again, and no record names the peer', async () => {
  const store = createMemoryChunkStore()
  const desk = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' as DeviceId
  const cursor = { incarnation: 'ab'.repeat(16) as Incarnation, arrival: 7 }
  const records = new Map<string, Uint8Array | undefined>()
  const history = await openHistory(store, random, (key, value) => void records.set(key, value))
  history.setCursor(desk, cursor)
  await store.apply({ records })
  expect((await open(store)).cursorFor(desk)).toEqual(cursor)
  expect((await open(createMemoryChunkStore())).cursorFor(desk)).toBeUndefined()
  for await (const [key] of store.listRecords('')) expect(key).not.toContain(desk)
})

test('[R52] a store that was put back is behind what a peer has of it; one that forgot an old incarnation is not', async () => {
  const laptop = createMemoryChunkStore()
  const first = await open(laptop)
  await fill(laptop, 20)
  const backup = laptop.crash() // the original went on to 25 in the same incarnation, then to 30 in another
  const back = await open(backup)
  const unknown = 'ff'.repeat(16) as Incarnation
  expect(back.isBehind({ incarnation: first.incarnation, arrival: 25 })).toBe(true)
  expect(back.isBehind({ incarnation: unknown, arrival: 30 })).toBe(true)
  expect(back.isBehind({ incarnation: first.incarnation, arrival: 20 })).toBe(false)

  for (let run = 0; run < 80; run++) {
    await fill(backup, 1)
    await open(backup)
  }
  const last = await open(backup)
  const old = { incarnation: back.incarnation, arrival: 20 }
  expect([last.hasReached(old), last.isBehind(old)]).toEqual([false, false]) // not remembered, and nothing missing
})
