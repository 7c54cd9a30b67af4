import { beforeEach, expect, test } from 'vitest'
import type { EpochId } from '../lib/ids.ts'
import { createReplicaCast, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { UNCHECKED_PREFIX } from './unchecked.ts'

const EPOCH = '22'.repeat(16) as EpochId
let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember

beforeEach(async () => {
  clock = createSimulatedClock()
  cast = createReplicaCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  for (const { missing } of [laptop, desk]) missing.add(EPOCH)
})

async function uncheckedAt(member: CastMember): Promise<string[]> {
  const ids: string[] = []
  for await (const [key] of member.store.listRecords(UNCHECKED_PREFIX)) ids.push(key.slice(UNCHECKED_PREFIX.length))
  return ids
}

async function withoutCursor(member: CastMember): Promise<void> {
  const records = new Map<string, undefined>()
  for await (const [key] of member.store.listRecords('replica/cursor/')) records.set(key, undefined)
  await member.store.apply({ records })
  await cast.restart(member)
}

/** What the desk got of `chunks` while it was linked to somebody who holds only those. */
async function given(...chunks: Parameters<CastMember['replica']['add']>[0]): Promise<void> {
  const phone = await cast.join('phone')
  await phone.replica.add(chunks)
  const link = cast.link(phone, desk)
  await clock.advance(60_000)
  link.cut()
  await clock.advance(10)
}

test('[R40] a register that cannot be checked never takes the place of one that was', async () => {
  const own = cast.chunks.register('session', 'claim', 5, 'own')
  await desk.replica.add([own])
  await given(cast.chunks.register('session', 'claim', Number.MAX_SAFE_INTEGER, 'squat', { epoch: EPOCH }))
  expect((await desk.store.get(own.id))?.bytes).toEqual(own.bytes)
  expect(await uncheckedAt(desk)).toEqual([])
})

test('[R40] what was checked takes the place of what could not be, whatever the sequence, made here or fetched', async () => {
  const squat = cast.chunks.register('session', 'claim', Number.MAX_SAFE_INTEGER, 'squat', { epoch: EPOCH })
  await given(squat)
  expect((await desk.store.head(squat.id))?.epoch).toBe(EPOCH)
  expect(await uncheckedAt(desk)).toEqual([squat.id])
  const fetched = cast.chunks.register('session', 'claim', 6, 'fetched')
  await laptop.replica.add([fetched])
  cast.link(laptop, desk)
  await clock.advance(60_000)
  expect((await desk.store.get(squat.id))?.bytes).toEqual(fetched.bytes)
  expect(await uncheckedAt(desk)).toEqual([])
  expect(desk.replica.fingerprint()).toBe(laptop.replica.fingerprint())
  expect(desk.arrived.map(({ sequence }) => sequence)).toEqual([6])
})

test('[R40] a commit that cannot be checked gives way to the one that can, and counts once', async () => {
  const squat = cast.chunks.commit('report', 'text', { epoch: EPOCH })
  const commit = cast.chunks.commit('report', 'text')
  await given(squat)
  cast.link(laptop, desk)
  await clock.advance(1_000)
  await laptop.replica.add([commit])
  await clock.advance(1_000)
  expect((await desk.store.get(commit.id))?.bytes).toEqual(commit.bytes)
  expect(await uncheckedAt(desk)).toEqual([])
  expect(desk.replica.fingerprint()).toBe(laptop.replica.fingerprint())
})

test('[R40] what cannot be checked is remembered as such when it mends what was damaged', async () => {
  const commit = cast.chunks.commit('report', 'text')
  await desk.replica.add([commit])
  const phone = await cast.join('phone')
  await phone.replica.add([cast.chunks.commit('report', 'text', { epoch: EPOCH })])
  cast.link(phone, desk)
  await clock.advance(1_000)
  desk.store.damage(commit.id)
  desk.replica.refetch([commit])
  await clock.advance(1_000)
  expect(await uncheckedAt(desk)).toEqual([commit.id])
  await desk.replica.add([commit])
  expect(await uncheckedAt(desk)).toEqual([])
})

test.each([
  ['by cursor', false, false],
  ['by summary', true, false],
  ['of what is wanted', false, true],
])('[R21] what a peer holds unread is not confirmed by a later comparison %s', async (_, isForgotten, isWanted) => {
  const secret = cast.chunks.commit('report', 'secret', { epoch: EPOCH })
  await laptop.replica.add([secret])
  const first = cast.link(laptop, desk)
  await clock.advance(60_000)
  first.cut()
  await cast.restart(laptop)
  if (isForgotten) await withoutCursor(desk)
  if (isWanted) desk.replica.want([secret.docTag])
  await laptop.replica.add([cast.chunks.commit('minutes', 'edit')])
  cast.link(laptop, desk)
  await clock.advance(60_000)
  expect(laptop.replica.confirmedAt(desk.id, cast.chunks.docTag('minutes'))).toBe(true)
  expect(laptop.replica.confirmedAt(desk.id, secret.docTag)).toBe(false)
})
