import { expect, test } from 'vitest'
import type { ChunkId } from '../lib/ids.ts'
import type { Inspector } from '../ports/inspector.ts'
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

test('[R37] what is checked at once is told of in the same breath, not after what waits its turn', async () => {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createReplicaCast(clock)
  const laptop = await cast.join('laptop')
  const order: string[] = []
  const inspector: Inspector = {
    inspect() {
      order.push('checked')
      queueMicrotask(() => order.push('whoever waited'))
      return { kind: 'good', level: 0, covers: [] }
    },
    covers: async () => new Map(),
  }
  const desk = await cast.join('desk', { inspector })
  desk.replica.subscribe({ onChecked: () => order.push('told'), onArrived: () => undefined })
  cast.link(laptop, desk)
  await clock.advance(1_000)
  await laptop.replica.add([cast.chunks.commit('report', 'a letter')])
  await clock.advance(100)
  expect(order).toEqual(['checked', 'told', 'whoever waited'])
})
