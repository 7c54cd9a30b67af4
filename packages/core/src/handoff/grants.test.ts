import { describe, expect, test } from 'vitest'
import { createSigningKeys } from '../crypto/sign.ts'
import { deviceIdOf, hexId } from '../lib/ids.ts'
import { messageIn, quiesce, together, typesOf, type Frame, type HandoffWorld } from '../testing/handoff-world.ts'
import { createManualClock } from '../testing/manual-clock.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { encodeControlMessage } from '../wire/control-messages.ts'
import { createGrantDesk, GRANT_LIFETIME_MS } from './grant-desk.ts'
import { signLiveGrant, type GrantScope } from './grants.ts'

describe('the desk of a target', () => {
  const random = createSeededRandom(46)
  const laptop = createSigningKeys(random)
  const phone = createSigningKeys(random)
  const scope: GrantScope = {
    handoff: hexId(random.bytes(16)),
    session: hexId(random.bytes(16)),
    source: deviceIdOf(laptop.publicKey),
    target: deviceIdOf(createSigningKeys(random).publicKey),
  }

  test('[H36] a nonce is answered once', () => {
    const desk = createGrantDesk({ clock: createManualClock(), random })
    const nonce = desk.ask(1)
    expect(desk.ask(1)).toEqual(nonce)
    const grant = signLiveGrant(scope, 1, nonce, laptop)
    expect(desk.redeem(scope, 1, nonce, grant)).toBe(true)
    expect(desk.redeem(scope, 1, nonce, grant)).toBe(false)
    expect(desk.ask(1)).not.toEqual(nonce)
  })

  test('[H36] a grant counts for half a minute by the monotonic clock, whatever the time of day does', () => {
    const clock = createManualClock()
    let dayMs = 0
    const desk = createGrantDesk({ clock: { ...clock, now: () => (dayMs += 86_400_000) }, random })
    const early = desk.ask(1)
    clock.advance(GRANT_LIFETIME_MS - 1)
    expect(desk.redeem(scope, 1, early, signLiveGrant(scope, 1, early, laptop))).toBe(true)
    const late = desk.ask(1)
    clock.advance(GRANT_LIFETIME_MS)
    expect(desk.redeem(scope, 1, late, signLiveGrant(scope, 1, late, laptop))).toBe(false)
    expect(desk.ask(1)).not.toEqual(late)
  })

  test('[H36] what was asked on one link or in one attempt is not answered on another', () => {
    const desk = createGrantDesk({ clock: createManualClock(), random })
    const first = desk.ask(1)
    desk.renew()
    expect(desk.redeem(scope, 1, first, signLiveGrant(scope, 1, first, laptop))).toBe(false)
    const second = desk.ask(1)
    expect(desk.redeem(scope, 2, second, signLiveGrant(scope, 2, second, laptop))).toBe(false)
    desk.ask(2)
    expect(desk.redeem(scope, 1, second, signLiveGrant(scope, 1, second, laptop))).toBe(false)
  })

  test('[H36] a grant of another device, session, handoff or target answers nothing', () => {
    const desk = createGrantDesk({ clock: createManualClock(), random })
    const nonce = desk.ask(1)
    const other = hexId<never>(random.bytes(16))
    for (const wrong of [
      signLiveGrant(scope, 1, nonce, phone),
      signLiveGrant({ ...scope, session: other }, 1, nonce, laptop),
      signLiveGrant({ ...scope, handoff: other }, 1, nonce, laptop),
      signLiveGrant({ ...scope, target: deviceIdOf(phone.publicKey) }, 1, nonce, laptop),
    ]) {
      expect(desk.redeem(scope, 1, nonce, wrong)).toBe(false)
    }
    expect(desk.redeem(scope, 1, nonce, signLiveGrant(scope, 1, nonce, laptop))).toBe(true)
  })
})

describe('a grant that somebody recorded', () => {
  /** Runs until the source has granted, and takes the grant off the wire. */
  async function recordGrant(world: HandoffWorld): Promise<Frame> {
    const { laptop, desk, session } = world
    laptop.handoffs.send(session, { to: desk.id })
    await quiesce()
    while (!typesOf(world).includes('grant')) await world.deliver()
    const [frame] = world.frames.splice(typesOf(world).indexOf('grant'), 1)
    if (frame === undefined) throw new Error('no grant')
    return frame
  }

  async function hears(world: HandoffWorld, frame: Frame): Promise<string | undefined> {
    world.frames.length = 0
    world.frames.push(frame)
    await world.deliver()
    return world.desk.handoffs.list.peek()[0]?.milestone
  }

  test('[H36] is refused on a new link, where the target asks anew and is granted', async () => {
    const world = await together()
    const { laptop, desk, session } = world
    const recorded = await recordGrant(world)
    world.disconnect(laptop, desk)
    await world.connect(laptop, desk)
    const [accept] = world.frames.filter(({ bytes }) => messageIn(bytes).type === 'accept')
    expect(await hears(world, recorded)).toBe('authentication')
    world.frames.push(accept as Frame)
    await world.settle()
    expect(await desk.handoffs.lease(session)).toMatchObject({ holder: desk.id, confirmed: true })
    await world.close()
  })

  test('[H36] is refused after a restart of the target, which kept no nonce', async () => {
    const world = await together()
    const recorded = await recordGrant(world)
    await world.desk.restart()
    expect(await hears(world, recorded)).toBe('authentication')
    await world.pass(10_000)
    expect(await world.desk.handoffs.lease(world.session)).toMatchObject({ holder: world.desk.id, confirmed: true })
    await world.close()
  })

  test('[H36] is refused once its time is over', async () => {
    const world = await together()
    const { laptop, desk, clock } = world
    const recorded = await recordGrant(world)
    for (let waited = 0; waited <= GRANT_LIFETIME_MS; waited += 500) {
      clock.advance(500)
      await quiesce()
      world.frames.length = 0 // nothing gets through
    }
    expect(await hears(world, recorded)).toBe('authentication')
    expect(laptop.handoffs.list.peek()[0]).toMatchObject({ state: 'underway' })
    await world.pass(20_000)
    expect(await desk.handoffs.lease(world.session)).toMatchObject({ holder: desk.id })
    await world.close()
  })

  test('[H36] is refused in another handoff, in another session and from another device', async () => {
    const world = await together()
    const { desk, phone } = world
    const recorded = await recordGrant(world)
    const grant = messageIn(recorded.bytes)
    const elsewhere = [
      { ...recorded, bytes: encodeControlMessage({ ...grant, session: new Uint8Array(16).fill(7) }) },
      { ...recorded, bytes: encodeControlMessage({ ...grant, handoff: new Uint8Array(16).fill(7) }) },
      { ...recorded, from: phone },
    ]
    await world.connect(phone, desk)
    for (const frame of elsewhere) expect(await hears(world, frame)).toBe('authentication')
    await world.close()
  })

  test('[H37] a device that is no party to a handoff moves nothing by what it heard of one', async () => {
    const world = await together()
    const { laptop, desk, phone, session } = world
    await world.connect(phone, desk)
    await world.connect(phone, laptop)
    laptop.handoffs.send(session, { to: desk.id })
    const heard: Frame[] = []
    await quiesce()
    while (desk.restored.length === 0) {
      const [frame] = world.frames
      if (frame === undefined) await world.replicate(laptop, desk)
      else {
        heard.push(frame)
        await world.deliver()
        world.frames.unshift({ ...frame, from: phone })
        await world.deliver()
      }
    }
    expect(new Set(heard.map(({ bytes }) => messageIn(bytes).type))).toEqual(
      new Set(['offer', 'accept', 'grant', 'progress', 'verified', 'commit']),
    )
    expect(await desk.handoffs.lease(session)).toMatchObject({ holder: desk.id, confirmed: true })
    expect([phone.handoffs.list.peek(), phone.restored]).toEqual([[], []])
    await world.close()
  })
})
