import { expect, test } from 'vitest'
import type { ChunkId } from '../lib/ids.ts'
import { createReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'

test('[R37] what arrived is told of before the disk has it, and settled waits for the disk', async () => {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createReplicaCast(clock)
  const laptop = await cast.join('laptop')
  const desk = await cast.join('desk')
  const checked: ChunkId[] = []
  desk.replica.subscribe({ onChecked: chunks => checked.push(...chunks.map(({ id }) => id)), onArrived: () => undefined })
  cast.link(laptop, desk)
  await clock.advance(1_000)

  const letGo = desk.store.holdWrites()
  const chunk = cast.chunks.commit('report', 'a letter')
  await laptop.replica.add([chunk])
  await clock.advance(100)
  expect(checked).toEqual([chunk.id])
  expect(desk.arrived).toEqual([])
  let isSettled = false
  void desk.replica.settled().then(() => (isSettled = true))
  await clock.advance(100)
  expect(isSettled).toBe(false)
  letGo()
  await clock.runUntil(() => isSettled)
  expect(desk.arrived.map(({ id }) => id)).toEqual([chunk.id])
  expect(checked).toEqual([chunk.id])
})
