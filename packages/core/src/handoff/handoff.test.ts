import { describe, expect, test } from 'vitest'
import { createHandoffWorld } from '../testing/handoff-world.ts'

describe('handing a session over', () => {
  test('[H1] a push passes the lease to the target once it has everything', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    await world.connect(laptop, desk)
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await world.settle()
    expect(await handoff.done).toMatchObject({ kind: 'done', holder: desk.id, confirmed: true, late: 0, bytes: 500 })
    expect(desk.containsAll(laptop.manifest())).toBe(true)
    expect(desk.restored).toHaveLength(1)
    expect(await laptop.handoffs.lease(session)).toMatchObject({ holder: desk.id })
    expect(await desk.handoffs.lease(session)).toMatchObject({ holder: desk.id, confirmed: true })
    await world.close()
  })
})
