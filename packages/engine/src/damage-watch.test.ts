import { createSubject, type ChunkId, type PeerSync, type DeviceId, type Replica } from '@segue/core'
import type { StoredChunk } from '@segue/core/ports'
import { createSimulatedClock } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { createDamageWatch } from './damage-watch.ts'
import { silentLogger } from './platform/loggers.ts'

const chunk = 'ab'.repeat(32) as ChunkId
const found = { area: 'chunk', key: chunk } as const

/** What the watch uses of a replica, and a store that has the chunk or not. */
function startWatch(): {
  readonly clock: ReturnType<typeof createSimulatedClock>
  readonly asked: number[]
  readonly watch: ReturnType<typeof createDamageWatch>
  heal(): void
} {
  const clock = createSimulatedClock()
  const asked: number[] = []
  let stored: StoredChunk | undefined
  const replica: Pick<Replica, 'peers' | 'subscribe' | 'refetch' | 'recount'> = {
    peers: createSubject<ReadonlyMap<DeviceId, PeerSync>>(new Map()),
    subscribe: () => () => undefined,
    refetch: () => void asked.push(clock.monotonic()),
    recount: () => Promise.resolve(),
  }
  const watch = createDamageWatch(clock, silentLogger)
  watch.follow(replica as Replica, { get: () => Promise.resolve(stored) })
  return { clock, asked, watch, heal: () => void (stored = {} as StoredChunk) }
}

test('what a late reader reports, and is whole by now, is not named', async () => {
  const { clock, watch, heal } = startWatch()
  heal()
  watch.onDamaged(found)
  await clock.advance(1)
  expect(watch.damaged.peek()).toEqual([])
})

test('what stays damaged is asked for again, ever more rarely, and forgotten once it is whole', async () => {
  const { clock, asked, watch, heal } = startWatch()
  watch.onDamaged(found)
  await clock.advance(8_000)
  expect(watch.damaged.peek()).toEqual([found])
  expect(asked.map(ms => ms - (asked[0] as number))).toEqual([0, 1_000, 3_000, 7_000])
  heal()
  await clock.advance(8_000)
  expect(watch.damaged.peek()).toEqual([])
})
