import { beforeEach, expect, test } from 'vitest'
import { createReplicaCast, sumOnDisk, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { openSummary } from './summary.ts'

let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember
/** On both devices' disks. */
let chunks: readonly SealedChunk[]

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createReplicaCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  chunks = [0, 1, 2].map(i => cast.chunks.commit(`document ${i}`, 'first'))
  await laptop.replica.add(chunks)
  cast.link(laptop, desk)
  await clock.runUntil(areInSync)
})

const areInSync = (): boolean =>
  [laptop, desk].every(({ replica }) => [...replica.peers.peek().values()].some(({ state }) => state === 'in-sync'))
const first = (): SealedChunk => chunks[0] as SealedChunk

test('[R20] a damaged chunk that is asked for is fetched again', async () => {
  const before = desk.replica.fingerprint()
  desk.store.damage(first().id)
  desk.replica.refetch([first()])
  await clock.advance(100)
  expect((await desk.store.get(first().id))?.bytes).toEqual(first().bytes)
  expect(desk.replica.fingerprint()).toBe(before)
})

test('[R20] a damaged chunk that is offered as if it had never been here is not counted twice', async () => {
  const before = desk.replica.fingerprint()
  desk.store.damage(first().id)
  desk.replica.refetch([first()])
  desk.replica.want([first().docTag]) // the laptop offers what it has of it
  await clock.advance(5_000)
  expect((await desk.store.get(first().id))?.bytes).toEqual(first().bytes)
  expect(desk.replica.fingerprint()).toBe(before)
  expect((await openSummary(desk.store)).root()).toBe(await sumOnDisk(desk))
})

test('[R31] a summary that was lost is counted again, and the devices agree', async () => {
  const before = laptop.replica.fingerprint()
  const records = new Map<string, undefined>()
  for await (const [key] of desk.store.listRecords('summary/')) records.set(key, undefined)
  expect(records.size).toBeGreaterThan(0)
  await desk.store.apply({ records })
  await cast.restart(desk)
  expect(desk.replica.fingerprint()).not.toBe(before)
  const log = laptop.replica.log()
  await desk.replica.recount()
  expect(desk.replica.fingerprint()).toBe(before)
  expect(desk.replica.log()).toEqual(log)
  expect((await openSummary(desk.store)).root()).toBe(await sumOnDisk(desk))
})
