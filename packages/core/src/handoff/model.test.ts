import { describe, expect, test } from 'vitest'
import type { HandoffDevice, HandoffWorld } from '../testing/handoff-world.ts'
import { createHandoffWorld, quiesce } from '../testing/handoff-world.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import type { HandoffOutcome } from './outcome.ts'

const SEEDS = Number(process.env['SEGUE_SEEDS'] ?? 300)
const FIRST_SEED = Number(process.env['SEGUE_FIRST_SEED'] ?? 1)
const ACTIONS = 60
const BATCH = 50
const LIFETIME_MS = 60_000

/** One bad day: two devices, a session, links and processes that fail at any moment. Throws with the seed on any broken promise. */
async function live(seed: number): Promise<string> {
  const world = await createHandoffWorld({ seed })
  const { laptop, desk, phone, session } = world
  const cast = [laptop, desk, phone]
  const dice = createSeededRandom(seed + 1_000_000)
  const roll = (sides: number): number => ((dice.bytes(2)[0] as number) * 256 + (dice.bytes(2)[1] as number)) % sides
  const promised: Promise<HandoffOutcome>[] = []
  const log: string[] = []
  const snapshots = new Map<string, readonly string[]>()
  world.onClaim = (writer, claim) => {
    if (writer === laptop && claim.kind === 'granted' && claim.grant?.expiresAt === 0) snapshots.set(claim.device, laptop.changes())
  }
  const check = async (): Promise<void> => {
    const sure: string[] = []
    for (const device of cast) {
      const lease = await device.handoffs.lease(session)
      if (lease.holder === device.id && lease.confirmed) sure.push(device.name)
    }
    expect(sure.length, `seed ${seed}: confirmed holders ${sure.join()} after ${log.join(' ')}`).toBeLessThanOrEqual(1)
    for (const device of cast) {
      for (const { id, side, outcome } of device.handoffs.list.peek()) {
        if (side !== 'target' || (outcome?.kind !== 'done' && outcome?.kind !== 'needs-review')) continue
        const source = cast.find(
          other => other !== device && other.handoffs.list.peek().some(mine => mine.id === id && mine.side === 'source'),
        )
        const passed = source === laptop ? snapshots.get(device.id) : undefined
        const lacks = outcome.late > 0 ? [] : (passed ?? []).filter(change => !device.changes().includes(change))
        expect(lacks, `seed ${seed}: ${device.name} is done and lacks what was acknowledged after ${log.join(' ')}`).toEqual([])
      }
    }
  }

  if (roll(3) > 0) await world.replicate(laptop, desk)
  if (roll(4) > 0) await world.connect(laptop, desk)
  promised.push(begin(world, roll(3)))
  for (let i = 0; i < ACTIONS; i++) {
    const action = roll(26)
    const victim = cast[roll(2)] as HandoffDevice
    log.push(String(action))
    if (action < 10) await world.deliver(roll(Math.max(1, Math.min(3, world.frames.length))), { twice: roll(4) === 0 })
    else if (action < 12) world.frames.splice(roll(Math.max(1, world.frames.length)), 1)
    else if (action < 15 && world.isLinked(laptop, desk))
      await world.replicate(...(roll(3) > 0 ? ([laptop, desk] as const) : ([desk, laptop] as const)))
    else if (action < 17) world.disconnect(laptop, desk)
    else if (action < 19) await world.connect(laptop, desk)
    else if (action < 20) {
      await quiesce(roll(30))
      await victim.restart()
    } else if (action < 22) world.clock.advance(roll(5_000))
    else if (action < 23) victim.edit(roll(5))
    else if (action === 23 && roll(4) === 0) {
      const [first] = victim.handoffs.list.peek()
      if (first !== undefined)
        promised.push(victim.handoffs.cancel(first.id).then(result => (result.ok ? result.value : { kind: 'expired' })))
    } else if (action === 24 && roll(3) === 0) {
      const [first] = victim.handoffs.list.peek()
      const again = first === undefined ? undefined : victim.handoffs.retry(first.id)
      if (again?.ok) promised.push(again.value.done)
    } else if (action === 25) {
      const [letter] = world.carried
      if (letter !== undefined) await desk.handoffs.onCarriedOffer(letter.from.id, letter.offer)
      if (roll(6) === 0) promised.push(laptop.handoffs.send(session, { to: phone.id, expiresInMs: LIFETIME_MS }).done)
    }
    if (roll(3) === 0) await quiesce(roll(20))
    else await quiesce()
    await check()
  }

  for (const [a, b] of [
    [laptop, desk],
    [laptop, phone],
    [desk, phone],
  ] as const)
    await world.connect(a, b)
  await world.pass(2_000)
  await check()
  await world.pass(2 * LIFETIME_MS)
  const pending = Symbol('pending')
  for (const promise of promised) {
    const outcome = await Promise.race([promise, quiesce().then(() => pending)])
    expect(outcome, `seed ${seed}: a promise outlived its deadline after ${log.join(' ')}`).not.toBe(pending)
  }
  await world.settle()
  await check()
  const holders = await Promise.all(cast.map(async device => (await device.handoffs.lease(session)).holder))
  expect(new Set(holders).size, `seed ${seed}: after healing devices disagree on the holder`).toBe(1)
  for (const device of cast) {
    for (const handoff of device.handoffs.list.peek()) expect(handoff.state, `seed ${seed}: ${device.name} never ends`).toBe('ended')
  }
  const [last] = await Promise.all(promised)
  await world.close()
  return last?.kind ?? 'none'
}

function begin({ laptop, desk, session }: HandoffWorld, how: number): Promise<HandoffOutcome> {
  if (how === 0) return desk.handoffs.take(session, { from: laptop.id, expiresInMs: LIFETIME_MS }).done
  return laptop.handoffs.send(session, { to: desk.id, expiresInMs: LIFETIME_MS }).done
}

describe('two devices through bad days', () => {
  const outcomes = new Map<string, number>()
  for (let first = FIRST_SEED; first < FIRST_SEED + SEEDS; first += BATCH) {
    const last = Math.min(first + BATCH, FIRST_SEED + SEEDS) - 1
    test(`[H30] never two confirmed holders, never done without everything, every promise settles: seeds ${first} to ${last}`, async () => {
      for (let seed = first; seed <= last; seed++) {
        const outcome = await live(seed)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      }
      expect(outcomes.get('done') ?? outcomes.get('queued') ?? 0).toBeGreaterThan(0)
    })
  }
})
