import { expect, test } from 'vitest'
import { createReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'

test('[R23] what a peer still owes is shown as it confirms, large chunks that it fetches itself included', async () => {
  const clock = createSimulatedClock()
  const cast = createReplicaCast(clock)
  const laptop = await cast.join('laptop')
  const desk = await cast.join('desk')
  cast.link(laptop, desk)
  const seen = (): number | undefined => laptop.replica.peers.peek().get(desk.id)?.unconfirmed
  await clock.runUntil(() => laptop.replica.peers.peek().get(desk.id)?.state === 'in-sync')
  const made = ['a', 'b', 'c'].map(name => cast.chunks.commit('doc', name, { bytes: 70_000 }))
  await Promise.all(made.map(chunk => laptop.replica.add([chunk])))
  await clock.runUntil(() => seen() === 0, { limitMs: 1_000 })
  expect(seen()).toBe(0)
})
