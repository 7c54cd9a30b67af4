import { createIdentity, foundGroup, openGroup, type DeviceIdentity, type Group, type SignedEntry } from '@segue/core'
import { createSeededRandom, createSimulatedClock } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { createDuties, type Duties } from './duties.ts'
import { silentLogger } from './platform/loggers.ts'

const random = createSeededRandom(8)
const device = (name: string): DeviceIdentity => createIdentity({ name, random })
const [laptop, desk, phone, watch] = [device('laptop'), device('desk'), device('phone'), device('watch')]
const settle = (): Promise<void> => new Promise(done => setImmediate(done))

/** The desk, an admin too, lets the watch in while the laptop removes the phone: the new key is not wrapped for the watch. */
function story(): { readonly onLaptop: Group; readonly onDesk: Group } {
  const onLaptop = foundGroup({ identity: laptop, random, time: 0 })
  add(onLaptop, desk, 'admin')
  add(onLaptop, phone)
  const onDesk = copy(desk, onLaptop)
  onLaptop.remove(phone.id, { time: 2 })
  add(onDesk, watch)
  exchange(onLaptop, onDesk)
  return { onLaptop, onDesk }
}

test('[V4] who is first gives the key to a device that was let in meanwhile, at once', async () => {
  const { onLaptop } = story()
  expect(onLaptop.duties()).toMatchObject([{ kind: 'wrap', device: watch.id, isFirst: true }])
  const duties = start(laptop, onLaptop)
  await settle()
  expect(onLaptop.duties()).toEqual([])
  duties.close()
})

test('[V4] another does it after a grace, and not when it was done by then', async () => {
  const clock = createSimulatedClock({ settle })
  const { onLaptop, onDesk } = story()
  const waiting = start(desk, onDesk, clock)
  await clock.advance(9_000)
  expect(onDesk.duties()).toHaveLength(1)
  await clock.advance(2_000)
  expect(onDesk.duties()).toEqual([])
  waiting.close()

  const second = story()
  const late = start(desk, second.onDesk, clock)
  second.onLaptop.fulfil({ time: 3 })
  exchange(second.onLaptop, second.onDesk)
  const before = second.onDesk.entries().length
  await clock.advance(60_000)
  expect(second.onDesk.entries()).toHaveLength(before)
  late.close()
  expect(onLaptop.duties()).toHaveLength(1) // nobody was there to do it
})

function start(identity: DeviceIdentity, group: Group, clock = createSimulatedClock({ settle })): Duties {
  return createDuties({ self: identity.id, group, clock, logger: silentLogger })
}

function add(group: Group, { signing, sealing, name }: DeviceIdentity, role: 'admin' | 'member' = 'member'): SignedEntry {
  return group.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role, name, time: 1 })
}

function copy(identity: DeviceIdentity, group: Group): Group {
  return openGroup({ identity, random, secret: group.secret, entries: group.entries().map(({ bytes }) => bytes) })
}

function exchange(one: Group, other: Group): void {
  other.receive(one.entries().map(({ bytes }) => bytes))
  one.receive(other.entries().map(({ bytes }) => bytes))
}
