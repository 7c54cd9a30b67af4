import { beforeEach, expect, test } from 'vitest'
import { createReplicaCast, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'

let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createReplicaCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
})

test('[R45] a peer that just came is not known to hold everything, until it says so; what is made then is missing until confirmed', async () => {
  await laptop.replica.add([cast.chunks.commit('note', '1')])
  expect(laptop.replica.holdsAll(desk.id)).toBe(false)
  cast.link(laptop, desk, { latencyMs: 100 })
  await clock.advance(50)
  expect(laptop.replica.peers.peek().get(desk.id)?.unconfirmed).toBe(0) // nothing is known yet
  expect(laptop.replica.holdsAll(desk.id)).toBe(false)
  await clock.advance(60_000)
  expect(laptop.replica.holdsAll(desk.id)).toBe(true)
  await laptop.replica.add([cast.chunks.commit('note', '2')])
  expect(laptop.replica.holdsAll(desk.id)).toBe(false)
  await clock.advance(60_000)
  expect(laptop.replica.holdsAll(desk.id)).toBe(true)
})

test('[R46] what a peer offers and what it sends is told, also when it is known here, with when its link began', async () => {
  const [first, second] = [cast.chunks.commit('note', '1'), cast.chunks.commit('note', '2')]
  await laptop.replica.add([first])
  await desk.replica.add([first, cast.chunks.commit('other', 'x')])
  const shown: (readonly [string, string, boolean])[] = []
  laptop.replica.subscribe({
    onArrived: () => undefined,
    onShown: (from, chunks, isWhole) => void shown.push(...chunks.map(({ id }) => [from, id, isWhole] as const)),
  })
  await clock.advance(5_000)
  cast.link(laptop, desk)
  await clock.advance(60_000)
  expect(laptop.replica.peers.peek().get(desk.id)?.linkedAt).toBe(5_000)
  expect(shown).toContainEqual([desk.id, cast.chunks.commit('other', 'x').id, true])
  shown.length = 0
  await desk.replica.add([second])
  await clock.advance(1_000)
  expect(shown).toContainEqual([desk.id, second.id, true])
})

test('[R53] receipts are told, of the group’s log too', async () => {
  const entry = cast.chunks.log('entry')
  const stored: (readonly [string, string])[] = []
  laptop.replica.subscribe({ onArrived: () => undefined, onStored: (from, ids) => void stored.push(...ids.map(id => [from, id] as const)) })
  cast.link(laptop, desk)
  await clock.advance(60_000)
  await laptop.replica.add([entry])
  await clock.advance(1_000)
  expect(stored).toEqual([[desk.id, entry.id]])
})
