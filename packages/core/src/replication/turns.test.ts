import { expect, test } from 'vitest'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { createTurns, type Turns } from './turns.ts'

/** A simulated clock stands still while somebody works; here work takes the time it says. */
function createWorkday(): { readonly clock: SimulatedClock; readonly turns: Turns; work(ms: number): void } {
  const clock = createSimulatedClock()
  let worked = 0
  const turns = createTurns({ ...clock, monotonic: () => clock.monotonic() + worked })
  return { clock, turns, work: ms => void (worked += ms) }
}

test('[R65] bulk shares one slice of a turn, and who waits goes on in order', async () => {
  const { clock, turns, work } = createWorkday()
  const done: string[] = []
  const bulk = async (name: string): Promise<void> => {
    for (let piece = 0; piece < 2; piece++) {
      const turn = turns.next()
      if (turn !== undefined) await turn
      work(2)
      done.push(name)
    }
  }
  const all = Promise.all([bulk('a'), bulk('b'), bulk('c')])
  expect(done).toEqual(['a', 'a']) // two pieces of 2 ms fill the slice
  await clock.advance(1)
  await all
  expect(done).toEqual(['a', 'a', 'b', 'c', 'b', 'c'])
})

test('[R65] while somebody types bulk rests after each slice, and a second after the last letter no more', async () => {
  const { clock, turns, work } = createWorkday()
  const begun: number[] = []
  const bulk = async (pieces: number): Promise<void> => {
    for (let piece = 0; piece < pieces; piece++) {
      await turns.next()
      begun.push(clock.monotonic())
      work(5)
    }
  }
  turns.hurry()
  expect(turns.isHurried()).toBe(true)
  const hurried = bulk(4)
  await clock.advance(100)
  await hurried
  const gaps = begun.slice(1).map((at, i) => at - (begun[i] as number))
  expect(Math.min(...gaps)).toBeGreaterThan(0)

  await clock.advance(1_000)
  expect(turns.isHurried()).toBe(false)
  begun.length = 0
  const unhurried = bulk(4)
  await clock.advance(1)
  await unhurried
  expect(new Set(begun).size).toBeLessThanOrEqual(2)
})
