import { describe, expect, test } from 'vitest'
import { encodeControlMessage } from '../wire/control-messages.ts'
import { createHandoffWorld, messageIn, quiesce, together, typesOf } from '../testing/handoff-world.ts'
import { MAX_INCOMING_PER_DEVICE } from './coordinator.ts'
import { MILESTONES } from './outcome.ts'

describe('a push', () => {
  test('[H1] passes the lease to the target once it has everything', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await world.settle()
    expect(await handoff.done).toMatchObject({ kind: 'done', holder: desk.id, confirmed: true, late: 0, bytes: 500 })
    expect(desk.containsAll(laptop.manifest())).toBe(true)
    expect(await laptop.handoffs.lease(session)).toMatchObject({ holder: desk.id })
    expect(await desk.handoffs.lease(session)).toMatchObject({ holder: desk.id, confirmed: true })
    await world.close()
  })

  test('[H3] reports the four milestones in order on both sides, under one trace', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    const reached: string[] = []
    const reading = (async () => {
      for await (const step of handoff.progress) if (step.state === 'reached') reached.push(step.milestone)
    })()
    await world.settle()
    await reading
    expect(reached).toEqual([...MILESTONES])
    for (const device of [laptop, desk]) {
      const milestones = device.events.filter(event => event.type === 'handoff-milestone')
      expect(milestones.map(event => event.milestone)).toEqual([...MILESTONES])
      expect(device.events.at(-1)).toMatchObject({ type: 'handoff-ended', outcome: 'done' })
    }
    expect(new Set([...laptop.events, ...desk.events].map(event => event.trace)).size).toBe(1)
    await world.close()
  })

  test('[H4] shows the hot set until the session is whole, and restores only then', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    while (world.frames.length > 0) await world.deliver()
    expect(desk.arriving).toEqual(new Uint8Array([1, 2, 3]))
    expect(desk.restored).toEqual([])
    await world.settle()
    expect(desk.arriving).toBeUndefined()
    expect(desk.restored).toHaveLength(1)
    await world.close()
  })

  test('[H5] carries and restores only the chosen kinds', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    laptop.handoffs.send(session, { to: desk.id, include: ['documents', 'views'] })
    await quiesce()
    const offer = world.frames.map(({ bytes }) => messageIn(bytes)).find(message => message.type === 'offer')
    expect(offer?.manifest.documents.map(({ kind }) => kind)).toEqual(['documents', 'views', 'session'])
    await world.settle()
    expect(desk.restored).toEqual([['documents', 'views']])
    await world.close()
  })

  test('[H6] verifies what was typed on the source meanwhile, too', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    while (!typesOf(world).includes('verified')) {
      if (world.frames.length > 0) await world.deliver()
      else await world.replicate(laptop, desk)
    }
    laptop.edit()
    await world.settle()
    expect(await handoff.done).toMatchObject({ kind: 'done', late: 0 })
    expect(desk.changes()).toEqual(laptop.changes())
    await world.close()
  })

  test('[H7] needs review when both sides changed the same', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    await world.replicate(laptop, desk)
    desk.conflicts = 2
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await world.settle()
    expect(await handoff.done).toMatchObject({ kind: 'needs-review', conflicts: 2, holder: desk.id })
    expect(await desk.handoffs.follow(handoff.id)?.done).toMatchObject({ kind: 'needs-review', conflicts: 2 })
    await world.close()
  })

  test('[H8] can be rolled back from either side', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    await world.replicate(laptop, desk)
    const { id } = laptop.handoffs.send(session, { to: desk.id })
    await world.settle()
    for (const device of [laptop, desk]) {
      expect(await device.handoffs.rollback(id)).toEqual({ ok: true, value: undefined })
      expect(device.rolledBack).toEqual([`checkpoint of ${device.name}`])
    }
    await world.close()
  })
})

describe('a pull', () => {
  test('[H2] asks the holder and continues here', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    await world.replicate(laptop, desk)
    const handoff = desk.handoffs.take(session)
    await world.settle()
    expect(await handoff.done).toMatchObject({ kind: 'done', holder: desk.id, confirmed: true })
    await world.close()
  })

  test('[H2] is refused when the person at the holder says no', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    laptop.consents = false
    const handoff = desk.handoffs.take(session, { from: laptop.id })
    await world.settle()
    expect(await handoff.done).toEqual({ kind: 'refused', reason: 'declined' })
    expect(await laptop.handoffs.lease(session)).toMatchObject({ holder: laptop.id, confirmed: true })
    await world.close()
  })

  test('[H25] from a holder out of reach goes on from what is here, unconfirmed', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    await world.replicate(laptop, desk)
    const handoff = desk.handoffs.take(session)
    await world.pass(10_000)
    expect(await handoff.done).toMatchObject({ kind: 'done', holder: desk.id, confirmed: false })
    await world.connect(laptop, desk)
    await world.settle()
    expect(await laptop.handoffs.lease(session)).toMatchObject({ holder: desk.id })
    expect(await desk.handoffs.lease(session)).toMatchObject({ holder: desk.id, confirmed: true })
    await world.close()
  })

  test('[H35] says how old the state is that it was taken from', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    await world.replicate(laptop, desk)
    desk.changedAt = world.clock.now() - 60_000
    const handoff = desk.handoffs.take(session)
    await world.pass(10_000)
    const outcome = await handoff.done
    expect(outcome).toMatchObject({ kind: 'done', confirmed: false })
    const ageMs = outcome.kind === 'done' ? (outcome.ageMs ?? 0) : 0
    expect(ageMs).toBeGreaterThanOrEqual(60_000)
    expect(ageMs).toBeLessThanOrEqual(70_000)
    await world.close()
  })

  test('[H35] a clock that ran ahead makes no state younger than nothing, and one that was given has no age', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    await world.replicate(laptop, desk)
    desk.changedAt = world.clock.now() + 3_600_000
    const alone = desk.handoffs.take(session)
    await world.pass(10_000)
    expect(await alone.done).toMatchObject({ kind: 'done', ageMs: 0 })
    await world.connect(laptop, desk)
    const back = laptop.handoffs.take(session)
    await world.settle()
    const outcome = await back.done
    expect(outcome).toMatchObject({ kind: 'done' })
    expect(outcome).not.toHaveProperty('ageMs')
    await world.close()
  })

  test('[H25] of a session that is not here from a device out of reach is unreachable', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    const handoff = desk.handoffs.take(session, { from: laptop.id })
    await world.pass(10_000)
    expect(await handoff.done).toMatchObject({ kind: 'failed', code: 'UNREACHABLE' })
    await world.close()
  })
})

describe('permission', () => {
  test('[H9] a grant for another nonce or with another signature changes nothing', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    while (!typesOf(world).includes('grant')) await world.deliver()
    const index = typesOf(world).indexOf('grant')
    const [frame] = world.frames.splice(index, 1)
    const grant = messageIn(frame?.bytes as Uint8Array)
    if (frame === undefined || grant.type !== 'grant') throw new Error('no grant')
    for (const forged of [
      { ...grant, nonce: new Uint8Array(32) },
      { ...grant, signature: new Uint8Array(64) },
    ]) {
      world.frames.unshift({ ...frame, bytes: encodeControlMessage(forged) })
      await world.deliver(0)
      expect(desk.handoffs.list.peek()[0]).toMatchObject({ milestone: 'authentication' })
    }
    world.frames.unshift(frame)
    await world.deliver(0)
    expect(desk.handoffs.list.peek()[0]).toMatchObject({ milestone: 'transfer' })
    await world.close()
  })

  test('[H10] a third device cannot speak in a handoff of two others', async () => {
    const world = await together()
    const { laptop, desk, phone, session } = world
    laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    const [offer] = world.frames.splice(0, 1)
    await world.connect(phone, laptop)
    const { handoff, trace, attempt, session: sessionBytes } = messageIn(offer?.bytes as Uint8Array)
    const abort = encodeControlMessage({ type: 'abort', handoff, trace, attempt, session: sessionBytes, reason: 'cancelled' })
    world.frames.push({ from: phone, to: laptop, bytes: abort })
    await world.deliver()
    expect(laptop.handoffs.list.peek()[0]).toMatchObject({ state: 'underway' })
    world.frames.push({ from: laptop, to: phone, bytes: offer?.bytes as Uint8Array })
    await world.deliver()
    expect(phone.handoffs.list.peek()).toEqual([])
    await world.close()
  })

  test('[H11] a newer schema is refused with that reason', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    desk.schemaVersion = 0
    await desk.restart()
    await world.connect(laptop, desk)
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await world.settle()
    expect(await handoff.done).toEqual({ kind: 'refused', reason: 'schema-newer' })
    expect(desk.restored).toEqual([])
    await world.close()
  })

  test('[H12] the seventeenth handoff at a time from one device is refused', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const handoffs = Array.from({ length: MAX_INCOMING_PER_DEVICE + 1 }, () => laptop.handoffs.send(session, { to: desk.id }))
    await quiesce(400)
    while (world.frames.length > 0) await world.deliver()
    expect(await handoffs.at(-1)?.done).toEqual({ kind: 'refused', reason: 'busy' })
    await world.close()
  })
})

describe('not connected', () => {
  test('[H22] an offer is queued, survives a restart, and is delivered when the target comes', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    expect(await handoff.done).toMatchObject({ kind: 'queued' })
    expect(laptop.handoffs.list.peek()[0]).toMatchObject({ state: 'queued' })
    await laptop.restart()
    await world.connect(laptop, desk)
    await world.settle()
    expect(await laptop.handoffs.follow(handoff.id)?.done).toMatchObject({ kind: 'done', holder: desk.id })
    expect(await desk.handoffs.lease(session)).toMatchObject({ holder: desk.id, confirmed: true })
    await world.close()
  })

  test('[H23] a third device carries the offer, and the source agrees when they meet', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, phone, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    await world.replicate(laptop, phone)
    await world.replicate(phone, desk)
    const [letter] = world.carried
    await desk.handoffs.onCarriedOffer(laptop.id, letter?.offer as Uint8Array)
    await world.settle()
    expect(await desk.handoffs.follow(handoff.id)?.done).toMatchObject({ kind: 'done', holder: desk.id, confirmed: true })
    expect(await laptop.handoffs.lease(session)).toMatchObject({ holder: laptop.id, confirmed: false })
    await world.connect(laptop, desk)
    await world.settle()
    expect(await laptop.handoffs.follow(handoff.id)?.done).toMatchObject({ kind: 'done', holder: desk.id })
    await world.close()
  })

  test('[H34] the source learns from the claim that its offer was taken, without meeting the target', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, phone, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    await world.replicate(laptop, phone)
    await world.replicate(phone, desk)
    const [letter] = world.carried
    await desk.handoffs.onCarriedOffer(laptop.id, letter?.offer as Uint8Array)
    await world.settle()
    expect(laptop.handoffs.list.peek()[0]).toMatchObject({ state: 'queued' })
    await world.replicate(desk, phone)
    await world.replicate(phone, laptop)
    laptop.handoffs.onSessionChanged(session)
    await quiesce()
    expect(await laptop.handoffs.follow(handoff.id)?.done).toMatchObject({ kind: 'done', holder: desk.id })
    expect(laptop.handoffs.list.peek()[0]).toMatchObject({ state: 'ended' })
    await world.close()
  })

  test('[H24] a cancelled queued offer is outranked, so that a late taker does not drive', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    await world.replicate(laptop, desk)
    const [letter] = world.carried
    await laptop.handoffs.cancel(handoff.id)
    await quiesce()
    await desk.handoffs.onCarriedOffer(laptop.id, letter?.offer as Uint8Array)
    await world.settle()
    expect(await laptop.handoffs.lease(session)).toMatchObject({ holder: laptop.id, confirmed: false })
    await world.connect(laptop, desk)
    await world.settle()
    for (const device of [laptop, desk]) expect(await device.handoffs.lease(session)).toMatchObject({ holder: laptop.id })
    expect(await laptop.handoffs.lease(session)).toMatchObject({ confirmed: true })
    await world.close()
  })
})

describe('with a device that is removed', () => {
  test('[H38] a queued offer ends, is withdrawn, and names the reason', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    const handoff = laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    expect(await handoff.done).toMatchObject({ kind: 'queued' })
    await world.remove(desk)
    expect(await laptop.handoffs.follow(handoff.id)?.done).toMatchObject({ kind: 'failed', code: 'PEER_REMOVED', retry: 'never' })
    expect(laptop.handoffs.list.peek()[0]).toMatchObject({ state: 'ended' })
    expect(laptop.claims().map(({ kind }) => kind)).toEqual(['opened', 'offered', 'kept'])
    expect(await laptop.handoffs.lease(session)).toMatchObject({ holder: laptop.id, confirmed: true })
    await world.close()
  })

  test('[H38] whatever state it is in, a handoff ends unless it moved the session', async () => {
    for (let frames = 0; frames < 12; frames++) {
      const world = await createHandoffWorld()
      const { laptop, desk, session } = world
      await world.connect(laptop, desk)
      const handoff = laptop.handoffs.send(session, { to: desk.id })
      await quiesce()
      for (let delivered = 0; delivered < frames && world.frames.length > 0; delivered++) await world.deliver()
      world.disconnect(laptop, desk)
      await world.remove(desk)
      await world.pass(1_000)
      expect(laptop.handoffs.list.peek()[0]?.state).toBe('ended')
      const outcome = await handoff.done
      expect(outcome.kind === 'failed' ? outcome.code : outcome.kind).toMatch(/^(PEER_REMOVED|done)$/)
      await world.close()
    }
  })

  test('[H38] a session that it held is taken at once, and confirmed', async () => {
    const world = await createHandoffWorld()
    const { laptop, desk, session } = world
    await world.replicate(laptop, desk)
    await world.remove(laptop)
    expect(await desk.handoffs.lease(session)).toMatchObject({ holder: laptop.id, isFree: true })
    const handoff = desk.handoffs.take(session)
    await quiesce()
    expect(await handoff.done).toMatchObject({ kind: 'done', holder: desk.id, confirmed: true })
    expect(await desk.handoffs.lease(session)).toMatchObject({ holder: desk.id, confirmed: true, isFree: false })
    await world.close()
  })
})
