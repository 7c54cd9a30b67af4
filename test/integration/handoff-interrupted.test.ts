/** A device that is killed in each milestone of a handoff: the session is whole at one of the two, and neither says otherwise. */
import path from 'node:path'
import { MILESTONES } from '@segue/core'
import type { SessionId } from '@segue/engine'
import { expect, test } from 'vitest'
import { freePort, pair, scratch, startDevice } from './cast.ts'
import { startChild, type DeviceChild, type DevicePlace } from './device-child.ts'
import type { HandoffShown, SessionShown } from './device-protocol.ts'

const TEXT = 'All of it, or it is not whole. '.repeat(2_000)

test.each(['source', 'target'] as const)(
  'a %s killed in a milestone, in each of the four, leaves the session whole at one device and half at none',
  { timeout: 300_000 },
  async victimSide => {
    const places = await placesOfPair()
    const [source, target] = await Promise.all([startChild(places.source), startChild(places.target)])
    const devices = { source, target }
    for (const milestone of MILESTONES) {
      const session = await devices.source.ask({ type: 'create-session', title: milestone, text: TEXT })
      await devices[victimSide].ask({ type: 'die-in', session, milestone })
      const sending = devices.source.ask({ type: 'send', session, to: target.id }).catch(() => undefined) // it may die of it
      await devices[victimSide].gone
      await sending
      if (victimSide === 'target') expect(await glance(devices.source, session)).toMatchObject(wholeOf(milestone))
      else await expectNoHalf(devices.target, session, milestone)

      devices[victimSide] = await startChild(places[victimSide])
      await expect
        .poll(() => whatCameOfIt(devices, session), { timeout: 60_000, interval: 200 })
        .toMatchObject({ isOver: true, areAgreed: true })
      const { here, there, outcomes } = await whatCameOfIt(devices, session)
      const hasMoved = outcomes.includes('done')
      expect(here).toMatchObject({ ...wholeOf(milestone), holder: hasMoved ? target.id : source.id })
      expect(there).toMatchObject({ text: TEXT, holder: here?.holder, views: hasMoved ? 1 : 0, isArriving: false })
    }
  },
)

interface Pair {
  readonly source: DeviceChild
  readonly target: DeviceChild
}

function wholeOf(title: string): Partial<SessionShown> {
  return { text: TEXT, drafts: [`draft of ${title}`], views: 1 }
}

/** While the source is dead: what the target has is not passed off as the session, unless all of it is there and its own. */
async function expectNoHalf(target: DeviceChild, session: SessionId, title: string): Promise<void> {
  const [handoff] = await handoffsOf(target, session)
  const shown = await glance(target, session)
  if (shown?.holder === target.id || handoff?.outcome === 'done') expect(shown).toMatchObject({ ...wholeOf(title), holder: target.id })
  else expect(shown?.views ?? 0).toBe(0)
}

async function whatCameOfIt(
  { source, target }: Pair,
  session: SessionId,
): Promise<{
  readonly here: SessionShown | undefined
  readonly there: SessionShown | undefined
  readonly outcomes: readonly HandoffShown['outcome'][]
  readonly isOver: boolean
  readonly areAgreed: boolean
}> {
  const handoffs = [...(await handoffsOf(source, session)), ...(await handoffsOf(target, session))]
  const [here, there] = await Promise.all([glance(source, session), glance(target, session)])
  const outcomes = handoffs.map(({ outcome }) => outcome)
  const isOver = handoffs.every(({ state }) => state === 'ended') && new Set(outcomes.map(outcome => outcome === 'done')).size < 2
  return {
    here,
    there,
    outcomes,
    isOver,
    areAgreed: here?.holder !== undefined && here.holder === there?.holder && there.text === here.text,
  }
}

async function handoffsOf(device: DeviceChild, session: SessionId): Promise<readonly HandoffShown[]> {
  return (await device.ask({ type: 'handoffs' })).filter(entry => entry.session === session)
}

/** Undefined while the session is not there, or not all of it. */
function glance(device: DeviceChild, session: SessionId): Promise<SessionShown | undefined> {
  return device.ask({ type: 'show', session })
}

/** Paired in this process, then left to the children. */
async function placesOfPair(): Promise<{ readonly source: DevicePlace; readonly target: DevicePlace }> {
  const folder = await scratch()
  const source = { name: 'Laptop', directory: path.join(folder, 'laptop'), port: await freePort() }
  const target = { name: 'Desk', directory: path.join(folder, 'desk'), port: await freePort() }
  const [laptop, desk] = await Promise.all(
    [source, target].map(({ name, directory, port }) =>
      startDevice(name, { directory, network: { listen: [`/ip4/127.0.0.1/tcp/${port}`] } }),
    ),
  )
  if (laptop === undefined || desk === undefined) throw new Error('two places')
  await pair(laptop, desk)
  await desk.close()
  await laptop.close()
  return { source, target }
}
