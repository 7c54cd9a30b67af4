import { expect, test } from 'vitest'
import type { ChunkId, DocTag } from '../lib/ids.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { createBulkQueue } from './bulk-queue.ts'
import { GUARANTEED_OFFERS, OFFER_BYTES } from './pace.ts'
import { createRoom } from './room.ts'
import type { Offer } from './sync-records.ts'
import { createWants } from './wants.ts'

const offer = (n: number): Offer => ({
  class: 'commit',
  docTag: '00'.repeat(16) as DocTag,
  id: n.toString(16).padStart(64, '0') as ChunkId,
  sequence: 0,
  byteLength: 100,
})

test('[R63] requests of many links that wait take of one room, and give it back when they are answered', async () => {
  const room = createRoom(10_000)
  const closed: string[] = []
  let answer = (): void => undefined
  const answered = new Promise<void>(resolve => (answer = resolve))
  const queueOf = (name: string) =>
    createBulkQueue({ isOpen: () => true, onFailure: () => undefined, onTooMuch: () => void closed.push(name), room })
  const [laptop, desk] = [queueOf('laptop'), queueOf('desk')]
  laptop(() => answered, 6_000)
  desk(() => answered, 6_000)
  expect(closed).toEqual(['desk'])
  answer()
  await new Promise(done => setImmediate(done))
  desk(() => answered, 6_000)
  expect(closed).toEqual(['desk'])
})

test('[R63] offers that are not delivered take of it too, beyond those that each link may make in any case', () => {
  const room = createRoom(10 * OFFER_BYTES)
  const wants = createWants<string>(createSimulatedClock(), () => undefined, undefined, room)
  for (let n = 0; n < GUARANTEED_OFFERS + 20; n++) wants.announce('liar', offer(n))
  expect(wants.count('liar')).toBe(GUARANTEED_OFFERS + 10)
  for (let n = 0; n < GUARANTEED_OFFERS + 20; n++) wants.announce('desk', offer(n + 1_000_000))
  expect(wants.count('desk')).toBe(GUARANTEED_OFFERS)
  wants.drop('liar')
  expect(room.take(10 * OFFER_BYTES)).toBe(true)
})
