/** What a relay keeps for an account that keeps only until every device has it. */
import { DAY_MS } from '@segue/core'
import type { SealedChunk } from '@segue/core/ports'
import { createMemoryChunkStore } from '@segue/core/testing'
import { systemClock } from '@segue/net'
import { expect, test } from 'vitest'
import type { Relay } from './index.ts'
import { chunks, listOf, mailboxId, scratch, shareMailboxAt, startDevice, startRelay, until, type TestDevice } from './testing/cast.ts'

const MAILBOX = mailboxId(1)
let aheadMs = 0
const clock = { ...systemClock, now: () => Date.now() + aheadMs }

async function relayThatLetsGo(options: Parameters<typeof startRelay>[0] = {}): Promise<Relay> {
  return startRelay({ clock, retention: 'until-acknowledged', acknowledgedDays: 7, ...options })
}
async function share(relay: Relay, ...devices: readonly TestDevice[]): Promise<void> {
  await shareMailboxAt(relay, (await relay.operations.invite({})).invite, MAILBOX, devices)
}
/** What goes now, and what goes when everybody had it for a week. */
async function housekeeping(relay: Relay): Promise<readonly number[]> {
  const now = (await relay.housekeeping.run()).emptiedChunks
  aheadMs += 8 * DAY_MS
  return [now, (await relay.housekeeping.run()).emptiedChunks]
}
/** The last confirmation may still be on its way to the relay. */
async function untilEmptied(relay: Relay, count: number): Promise<void> {
  let emptied = 0
  await until(async () => {
    for (const each of await housekeeping(relay)) emptied += each
    return emptied >= count
  })
  expect(emptied).toBe(count)
}
const inSync = (device: TestDevice, relay: Relay): Promise<unknown> =>
  device.replica.peers.when(peers => peers.get(relay.id)?.state === 'in-sync' && device.replica.holdsAll(relay.id))
const made = (...names: readonly string[]): SealedChunk[] => names.map(name => chunks.commit('note', name, { bytes: 3_000 }))

test('[B27] nothing goes before every member has it and had it for a week; then its bytes go, and log and registers stay', async () => {
  const relay = await relayThatLetsGo()
  const [laptop, desk, phone] = [await startDevice('laptop'), await startDevice('desk'), await startDevice('phone')]
  await share(relay, laptop, desk, phone)
  const work = made('1', '2', '3')
  for (const device of [laptop, desk]) device.connect(relay)
  await laptop.replica.add([...work, chunks.log('the group'), chunks.register('note', 'claim', 1, 'mine')])
  await desk.has(...work)
  for (const device of [laptop, desk]) await inSync(device, relay)
  expect(await housekeeping(relay)).toEqual([0, 0]) // the phone sleeps
  const before = (await relay.operations.status({})).storedBytes

  phone.connect(relay)
  await phone.has(...work)
  await inSync(phone, relay)
  await untilEmptied(relay, 3)
  const { storedBytes, storedChunks } = await relay.operations.status({})
  expect([before - storedBytes, storedChunks]).toEqual([work.reduce((sum, { bytes }) => sum + bytes.length, 0), 5])
  expect((await relay.operations.check({})).findings).toEqual([])
})

test('[B28] what was let go is neither offered nor brought again, across restarts of both; a device that lacks it waits for another', async () => {
  const directory = await scratch()
  const relay = await relayThatLetsGo({ directory })
  const store = createMemoryChunkStore()
  const laptop = await startDevice('laptop', { store })
  await share(relay, laptop)
  const work = made('1', '2')
  laptop.connect(relay)
  await laptop.replica.add(work)
  await inSync(laptop, relay)
  await untilEmptied(relay, 2)
  const emptied = (await relay.operations.status({})).storedBytes
  await laptop.close()
  const listen = relay.addresses.map(address => address.replace(/\/p2p\/.*/, ''))
  await relay.close()

  const again = await relayThatLetsGo({ directory, listen })
  const back = await startDevice('laptop', { identity: laptop.identity, store: store.crash() })
  const shown: string[] = []
  back.replica.subscribe({ onArrived: () => undefined, onShown: (_, offered) => void shown.push(...offered.map(({ id }) => id)) })
  back.connect(again)
  await inSync(back, again)
  const later = made('3')
  await back.replica.add(later)
  await inSync(back, again)
  expect(shown.filter(id => work.some(chunk => chunk.id === id))).toEqual([])
  expect((await again.operations.status({})).storedBytes).toBe(emptied + (later[0]?.bytes.length ?? 0))

  const desk = await startDevice('desk')
  await back.ask(again, listOf(MAILBOX, 2, [back, desk], back))
  desk.connect(again)
  await desk.has(...later)
  expect(await desk.store.getMany(work.map(({ id }) => id))).toEqual([])
  expect((await housekeeping(again))[1]).toBe(0) // the desk has not got everything
})

test('[B27] [B29] a member that came back with another store has confirmed nothing until it has everything again', async () => {
  const relay = await relayThatLetsGo()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await share(relay, laptop, desk)
  const work = made('1')
  for (const device of [laptop, desk]) device.connect(relay)
  await laptop.replica.add(work)
  await desk.has(...work)
  for (const device of [laptop, desk]) await inSync(device, relay)
  await relay.housekeeping.run() // everybody has it now
  await desk.close()

  const store = createMemoryChunkStore()
  const release = store.holdWrites() // its disk takes nothing
  const emptyHanded = await startDevice('desk', { identity: desk.identity, store })
  emptyHanded.connect(relay)
  await emptyHanded.replica.peers.when(peers => peers.get(relay.id)?.state === 'catching-up')
  await until(async () => (await relay.operations.status({})).linkedDevices === 2)
  expect((await housekeeping(relay))[1]).toBe(0)
  release()
  await emptyHanded.has(...work)
  await inSync(emptyHanded, relay)
  await untilEmptied(relay, 1)
})

test('[B27] the default is to keep everything, and what somebody on the list who never comes might need stays', async () => {
  const relay = await startRelay({ clock })
  const laptop = await startDevice('laptop')
  await share(relay, laptop)
  laptop.connect(relay)
  await laptop.replica.add(made('1'))
  await inSync(laptop, relay)
  expect(await housekeeping(relay)).toEqual([0, 0])

  const other = await relayThatLetsGo()
  const [phone, paper] = [await startDevice('phone'), await startDevice('paper')]
  await share(other, phone, paper)
  phone.connect(other)
  await phone.replica.add(made('1'))
  await inSync(phone, other)
  expect(await housekeeping(other)).toEqual([0, 0])
})

test('[B37] the retention of an account may be changed, and counts at once; its devices come again by themselves', async () => {
  const relay = await startRelay({ clock, acknowledgedDays: 7 })
  const laptop = await startDevice('laptop')
  await share(relay, laptop)
  laptop.connect(relay)
  await laptop.replica.add(made('1'))
  await inSync(laptop, relay)
  expect(await housekeeping(relay)).toEqual([0, 0])
  expect(await relay.operations.terms({ account: laptop.id, quotas: {}, retention: 'until-acknowledged' })).toEqual({ changed: true })
  expect((await relay.operations.accounts({})).accounts).toMatchObject([{ retention: 'until-acknowledged', quotas: { mailboxes: 4 } }])
  await inSync(laptop, relay)
  await untilEmptied(relay, 1)
  await relay.operations.terms({ account: laptop.id, quotas: {}, retention: 'keep' })
  await laptop.replica.add(made('2'))
  await inSync(laptop, relay)
  expect(await housekeeping(relay)).toEqual([0, 0])
})
