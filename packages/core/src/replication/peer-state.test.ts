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

for (const keyless of [false, true]) {
  test(`[R23] what is written while two greet is owed once they are in sync${keyless ? ', by a relay too' : ''}`, async () => {
    const clock = createSimulatedClock()
    const cast = createReplicaCast(clock)
    const laptop = await cast.join('laptop')
    const desk = await cast.join('desk', { keyless })
    const write = async (name: string): Promise<void> => laptop.replica.add([cast.chunks.commit('doc', name)]).then(() => void written++)
    let written = 0
    await write('a')
    const link = await cast.inSync(laptop, desk)
    await clock.advance(10_000)
    link.cut()
    await cast.restart(desk, { keyless })
    cast.link(laptop, desk, { latencyMs: 50 })
    const soothed: number[] = []
    const look = (): void => {
      const said = laptop.replica.peers.peek().get(desk.id)
      if (said?.state === 'in-sync' && said.unconfirmed < written - desk.arrived.length) soothed.push(clock.monotonic())
    }
    laptop.replica.peers.subscribe(look)
    await clock.advance(20)
    await write('b')
    await clock.advance(40)
    await write('c')
    await clock.advance(10_000)
    expect(desk.arrived).toHaveLength(3)
    expect(soothed).toEqual([])
    expect(laptop.replica.peers.peek().get(desk.id)).toMatchObject({ state: 'in-sync', unconfirmed: 0 })
  })
}

test('[R45] what both held as they greeted is confirmed, whatever is written meanwhile and from then on', async () => {
  const clock = createSimulatedClock()
  const cast = createReplicaCast(clock)
  const [laptop, desk] = [await cast.join('laptop'), await cast.join('desk')]
  for (const { replica } of [laptop, desk]) await replica.add([cast.chunks.commit('old', 'a')])
  cast.link(laptop, desk, { latencyMs: 50 })
  await clock.advance(20)
  for (let typed = 0; typed < 3; typed++) {
    await laptop.replica.add([cast.chunks.commit('new', `${typed}`)])
    await clock.advance(3_000)
  }
  expect(cast.types()).not.toContain('root')
  const confirmed = ['old', 'new'].map(name => laptop.replica.confirmedAt(desk.id, cast.chunks.docTag(name)))
  expect(confirmed).toEqual([true, true])
})
