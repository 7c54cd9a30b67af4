import { expect, test } from 'vitest'
import type { DeviceId } from '../lib/ids.ts'
import { KIB } from '../lib/units.ts'
import { createReplicaCast, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { keylessInspector } from './keyless-inspector.ts'
import { LEFT_TO_MAILBOX_MS, SMALL_CATCH_UP_BYTES, boundFor } from './small-catch-ups.ts'

interface World {
  readonly clock: SimulatedClock
  readonly cast: ReplicaCast
  readonly laptop: CastMember
  readonly desk: CastMember
  readonly relay: CastMember
  /** Bytes that laptop said to desk on the bulk channel. */
  carried(): number
  linkThroughRelay(): void
}

async function createWorld(): Promise<World> {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createReplicaCast(clock)
  const [laptop, desk] = [await cast.join('laptop'), await cast.join('desk')]
  const relay = await cast.join('relay', { keyless: true, inspector: keylessInspector })
  let carried = 0
  const onFrame = (from: DeviceId, _to: DeviceId, channel: string, frame: Uint8Array): void => {
    if (from === laptop.id && channel === 'sync-bulk') carried += frame.length
  }
  const linkThroughRelay = (): void => void cast.link(laptop, desk, { path: 'relayed', onFrame })
  return { clock, cast, laptop, desk, relay, carried: () => carried, linkThroughRelay }
}

const areEqual = (...members: readonly CastMember[]): boolean => new Set(members.map(({ replica }) => replica.fingerprint())).size === 1

test('[R50] a small catch-up goes through the relay at once', async () => {
  const { clock, cast, laptop, desk, linkThroughRelay } = await createWorld()
  await laptop.replica.add(Array.from({ length: 20 }, (_, i) => cast.chunks.commit('report', `edit ${i}`, { bytes: 10 * KIB })))
  linkThroughRelay()
  await clock.advance(1_000)
  expect(areEqual(laptop, desk)).toBe(true)
})

test('[R50] a large one comes from the mailbox, and the circuit carries no more than its bound', async () => {
  const { clock, cast, laptop, desk, relay, carried, linkThroughRelay } = await createWorld()
  await laptop.replica.add(Array.from({ length: 200 }, (_, i) => cast.chunks.commit('report', `edit ${i}`, { bytes: 60 * KIB })))
  await laptop.replica.add([cast.chunks.commit('picture', 'all of it', { bytes: 2 * SMALL_CATCH_UP_BYTES })])
  linkThroughRelay()
  await clock.advance(1_000)
  expect(areEqual(laptop, desk)).toBe(false)
  cast.link(laptop, relay)
  cast.link(desk, relay)
  await clock.advance(5_000)
  expect(areEqual(laptop, desk, relay)).toBe(true)
  expect(carried()).toBeLessThan(1.5 * SMALL_CATCH_UP_BYTES)
})

test('[R50] without a mailbox that has room it comes all the same, slowly', async () => {
  const { clock, cast, laptop, desk, linkThroughRelay } = await createWorld()
  await laptop.replica.add(Array.from({ length: 40 }, (_, i) => cast.chunks.commit('report', `edit ${i}`, { bytes: 60 * KIB })))
  await laptop.replica.add([cast.chunks.commit('picture', 'all of it', { bytes: 1.5 * SMALL_CATCH_UP_BYTES })])
  linkThroughRelay()
  await clock.advance(LEFT_TO_MAILBOX_MS / 2)
  expect(areEqual(laptop, desk)).toBe(false)
  await clock.advance(4 * LEFT_TO_MAILBOX_MS)
  expect(areEqual(laptop, desk)).toBe(true)
})

test('[R50] an edit goes through the relay at once, whatever waits', async () => {
  const { clock, cast, laptop, desk, linkThroughRelay } = await createWorld()
  await laptop.replica.add(Array.from({ length: 100 }, (_, i) => cast.chunks.commit('report', `edit ${i}`, { bytes: 60 * KIB })))
  linkThroughRelay()
  await clock.advance(1_000)
  const edit = cast.chunks.commit('note', 'a keystroke')
  await laptop.replica.add([edit])
  await clock.advance(50)
  expect(desk.arrived.map(({ id }) => id)).toContain(edit.id)
})

test('[R50] no snapshot is asked for through a relay', async () => {
  const { clock, cast, laptop, desk, linkThroughRelay } = await createWorld()
  const report = cast.chunks.docTag('report')
  await laptop.replica.add([cast.chunks.commit('report', 'edit')])
  await laptop.replica.putSnapshot(report, new Uint8Array(100))
  linkThroughRelay()
  await clock.advance(1_000)
  expect(await desk.replica.requestSnapshot(report)).toBeUndefined()
})

test('[R50] the bound ends with its link, and others have none', async () => {
  const clock = createSimulatedClock({ settle: async () => undefined })
  const link = new AbortController()
  let calls = 0
  const mayAsk = boundFor({ path: 'relayed', closed: link.signal }, clock, () => calls++)
  expect([mayAsk(SMALL_CATCH_UP_BYTES), mayAsk(1), mayAsk(2), mayAsk(Infinity)]).toEqual([true, false, false, false])
  link.abort()
  await clock.advance(LEFT_TO_MAILBOX_MS)
  expect(calls).toBe(0)
  expect(boundFor({ path: 'lan', closed: link.signal }, clock, () => calls++)(Infinity)).toBe(true)
})
