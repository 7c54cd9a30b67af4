import { describe, expect, test } from 'vitest'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { quiesce, together, typesOf } from '../testing/handoff-world.ts'
import { retryDelayMs } from './backoff.ts'
import { forgettable, MAX_REMEMBERED, REMEMBER_MS } from './records.ts'
import type { HandoffRecord } from './state.ts'

describe('bad days', () => {
  test('[H13] every message twice gives the same', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    for (let i = 0; i < 20; i++) {
      while (world.frames.length > 0) await world.deliver(0, { twice: true })
      await world.replicate(laptop, desk)
    }
    expect(await handoff.done).toMatchObject({ kind: 'done' })
    expect(desk.restored).toHaveLength(1)
    expect(laptop.claims().filter(({ kind }) => kind === 'granted')).toHaveLength(1)
    await world.close()
  })

  test('[H14] the same id joins, retries, and leaves alone what moved', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    desk.consents = false
    const first = laptop.handoffs.send(session, { to: desk.id })
    await world.settle()
    expect(await first.done).toEqual({ kind: 'refused', reason: 'declined' })
    desk.consents = true
    const second = laptop.handoffs.send(session, { to: desk.id, id: first.id })
    await world.settle()
    expect(await second.done).toMatchObject({ kind: 'done' })
    const third = laptop.handoffs.send(session, { to: desk.id, id: first.id })
    expect(await third.done).toMatchObject({ kind: 'done' })
    expect(laptop.handoffs.list.peek()).toHaveLength(1)
    await world.close()
  })

  test('[H15] both sides die after every frame and the handoff still comes through', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const { id } = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    for (let i = 0; i < 12; i++) {
      await world.deliver()
      await (i % 2 === 0 ? desk : laptop).restart()
      await world.replicate(laptop, desk)
    }
    await world.pass(5_000)
    expect(await laptop.handoffs.follow(id)?.done).toMatchObject({ kind: 'done', holder: desk.id })
    expect(await desk.handoffs.follow(id)?.done).toMatchObject({ kind: 'done', confirmed: true })
    await world.close()
  })

  test('[H16] a promise settles by its deadline when the store of either side fails', async () => {
    for (const name of ['laptop', 'desk'] as const) {
      const world = await together()
      const { laptop, desk, session } = world
      world[name].store.failWrites(new Error('disk full'))
      const handoff = laptop.handoffs.send(session, { to: desk.id, expiresInMs: 5_000 })
      await world.pass(7_000)
      expect(['failed', 'expired']).toContain((await handoff.done).kind)
      expect(await laptop.handoffs.lease(session)).toMatchObject({ holder: laptop.id, confirmed: true })
      await world.close()
    }
  })

  test('[H16] a retry that cannot be written settles as failed, and can be tried again', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id, expiresInMs: 5_000 })
    await laptop.handoffs.cancel(handoff.id)
    laptop.store.failWrites(new Error('disk full'))
    const failing = laptop.handoffs.retry(handoff.id)
    expect(failing.ok && (await failing.value.done)).toMatchObject({ kind: 'failed', code: 'STORE_FAILED' })
    laptop.store.failWrites(undefined)
    const again = laptop.handoffs.retry(handoff.id)
    await world.pass(7_000)
    expect(again.ok && (await again.value.done)).toMatchObject({ kind: 'done' })
    await world.close()
  })

  test('[H16] a target that goes away leaves the source whole, with the milestone it got to', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id, expiresInMs: 5_000 })
    await quiesce()
    while (world.frames.length > 0) await world.deliver()
    world.disconnect(laptop, desk)
    await world.pass(7_000)
    expect(await handoff.done).toMatchObject({ kind: 'failed', milestone: 'transfer', retry: 'now' })
    expect(desk.restored).toEqual([])
    expect(desk.arriving).toBeUndefined()
    expect(await laptop.handoffs.lease(session)).toMatchObject({ holder: laptop.id, confirmed: true })
    await world.close()
  })

  test('[H17] waits longer each time, within bounds', () => {
    const random = createSeededRandom(3)
    for (let tries = 0; tries < 100; tries++) {
      const delay = retryDelayMs(tries, random)
      expect(delay).toBeGreaterThanOrEqual(250)
      expect(delay).toBeLessThanOrEqual(10_000)
    }
    expect(retryDelayMs(10, random)).toBeGreaterThan(retryDelayMs(0, random))
  })

  test('[H17] a lost offer is said again', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    world.frames.splice(0)
    await world.pass(2_000)
    expect(await handoff.done).toMatchObject({ kind: 'done' })
    await world.close()
  })

  test('[H18] cancel from either side ends both', async () => {
    for (const [mine, theirs] of [
      ['laptop', 'desk'],
      ['desk', 'laptop'],
    ] as const) {
      const world = await together()
      const handoff = world.laptop.handoffs.send(world.session, { to: world.desk.id })
      await quiesce()
      while (world.frames.length > 0) await world.deliver()
      expect(await world[mine].handoffs.cancel(handoff.id)).toEqual({ ok: true, value: { kind: 'cancelled', by: 'this-device' } })
      await world.settle()
      expect(world[theirs].handoffs.list.peek()[0]?.outcome).toEqual({ kind: 'cancelled', by: 'other-device' })
      await world.close()
    }
  })

  test('[H19] a target that cancels after verifying learns that the source had let go', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const { id } = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    while (!typesOf(world).includes('verified')) {
      if (world.frames.length > 0) await world.deliver()
      else await world.replicate(laptop, desk)
    }
    const cancelled = desk.handoffs.cancel(id)
    await world.settle()
    expect(await cancelled).toMatchObject({ ok: true, value: { kind: 'done', holder: desk.id } })
    await world.close()
  })

  test('[H21] ended handoffs are forgotten after a week, and the oldest of too many', () => {
    const ended = (expiresAt: number): HandoffRecord => ({ state: 'ended', expiresAt }) as HandoffRecord
    expect(forgettable([ended(0), ended(1)], REMEMBER_MS + 1)).toEqual([ended(0)])
    expect(
      forgettable(
        Array.from({ length: MAX_REMEMBERED + 1 }, (_, i) => ended(i)),
        0,
      ),
    ).toEqual([ended(0)])
    expect(forgettable([{ state: 'offered', expiresAt: 0 } as HandoffRecord], 2 * REMEMBER_MS)).toEqual([])
  })
})

test('[H32] what is recorded of a handoff holds no content', async () => {
  const world = await together()
  const { laptop, desk, session } = world
  laptop.handoffs.send(session, { to: desk.id })
  await world.settle()
  const values = [...laptop.events, ...desk.events].flatMap(event => Object.values(event))
  for (const value of values) expect(typeof value === 'number' || /^[0-9a-f]{32}$|^[a-z-]{1,20}$/.test(String(value))).toBe(true)
  await world.close()
})

test('[H27] 2,000 frames of garbage to a coordinator reject and change nothing', async () => {
  const world = await together()
  const { laptop, desk } = world
  const random = createSeededRandom(9)
  const link = { peer: laptop.id } as Parameters<typeof desk.handoffs.onFrame>[0]
  for (let i = 0; i < 2_000; i++) await expect(desk.handoffs.onFrame(link, random.bytes(i % 200))).rejects.toThrow()
  expect(desk.handoffs.list.peek()).toEqual([])
  await world.close()
})

test('[H15] nothing is done while the first record cannot be written', async () => {
  const world = await together()
  const { laptop, desk, session } = world
  laptop.store.failWrites(new Error('disk full'))
  const handoff = laptop.handoffs.send(session, { to: desk.id })
  await world.pass(1_000)
  expect(world.frames).toEqual([])
  expect(desk.handoffs.list.peek()).toEqual([])
  laptop.store.failWrites(undefined)
  await world.pass(5_000)
  expect(await handoff.done).toMatchObject({ kind: 'done' })
  await world.close()
})
