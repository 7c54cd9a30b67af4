import { expect, test } from 'vitest'
import { areEqual, createReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { HAVE_RECORD_BYTES } from '../wire/sync-messages.ts'
import { FRAME_FILL_BYTES, MAX_BATCH_ITEMS, OFFERED_AT_ONCE } from './pace.ts'

test('[R13] 10,000 documents arrive in few frames and few batches, none of them large', async () => {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createReplicaCast(clock)
  const [laptop, desk] = [await cast.join('laptop'), await cast.join('desk')]
  await cast.fill(laptop, 10_000)
  let batches = 0
  let largest = 0
  const { apply } = desk.store
  desk.store.apply = batch => {
    batches++
    largest = Math.max(largest, batch.put?.length ?? 0)
    return apply(batch)
  }
  const made = cast.link(laptop, desk)
  await clock.runUntil(() => areEqual(laptop, desk))
  expect(batches).toBeLessThan(60)
  expect(largest).toBeLessThan(2 * MAX_BATCH_ITEMS)
  expect(made.sent[0].frames).toBeLessThan(150)
  expect(made.sent[1].frames).toBeLessThan(100)
  for (const { message } of cast.seen) {
    if (message.type === 'chunks') expect(message.chunks.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(FRAME_FILL_BYTES)
    if (message.type === 'have') expect(message.items.length).toBeLessThanOrEqual(OFFERED_AT_ONCE * HAVE_RECORD_BYTES)
  }
})
