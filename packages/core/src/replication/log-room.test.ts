import { beforeEach, expect, test } from 'vitest'
import type { ChunkId, DeviceId } from '../lib/ids.ts'
import { createMemoryChunkStore } from '../testing/memory-chunk-store.ts'
import { createReplicaCast, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { createReplica } from './replica.ts'

let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember
let entries: number
/** The group would not take them any more. */
let pushedOut: Set<ChunkId>

beforeEach(async () => {
  clock = createSimulatedClock()
  cast = createReplicaCast(clock)
  laptop = await cast.join('laptop')
  entries = 0
  pushedOut = new Set()
  const store = createMemoryChunkStore()
  const checks = cast.chunks.inspector(() => store)
  desk = { id: 'desk' as DeviceId, store, arrived: [], missing: new Set() } as unknown as CastMember
  desk.replica = await createReplica({
    store,
    clock,
    random: createSeededRandom(2),
    maxLogChunks: 10,
    inspector: {
      ...checks,
      inspect: async chunk => (pushedOut.has(chunk.id) ? { kind: 'bad', reason: 'no room' } : checks.inspect(chunk)),
    },
  })
  cast.link(laptop, desk)
  await clock.advance(1_000)
})

async function write(count: number): Promise<void> {
  await laptop.replica.add(Array.from({ length: count }, () => cast.chunks.log(`entry ${entries++}`)))
  await clock.advance(120_000)
}

test('[R42] from others no more log chunks are stored than the limit, however many come at once', async () => {
  await write(7)
  await write(20)
  expect(desk.replica.log().count).toBe(10)
  expect(desk.store.size().chunks).toBe(10)
})

test('[R42] those that the inspector would not take any more make room', async () => {
  await write(10)
  for await (const { id } of desk.store.since(0)) if (pushedOut.size < 4) pushedOut.add(id)
  await write(3)
  expect(desk.replica.log().count).toBe(9)
  for (const id of pushedOut) expect(await desk.store.head(id)).toBeUndefined()
})

test('[R42] what is written here is stored whatever came', async () => {
  await write(10)
  await desk.replica.add([cast.chunks.log('our own')])
  expect(desk.replica.log().count).toBe(11)
})
