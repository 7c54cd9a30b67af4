import { createIdentity, foundGroup, openGroup, readErasure, type DeviceIdentity, type Group } from '@segue/core'
import { createMemoryRecordStore, createSeededRandom, createSimulatedClock } from '@segue/core/testing'
import type { RecordStore } from '@segue/core/ports'
import { expect, test } from 'vitest'
import { silentLogger } from '../platform/loggers.ts'
import type { Runtime } from '../runtime.ts'
import { createOwnRemoval, type OnRemoved, type OwnRemovalWatch } from './own-removal.ts'

const random = createSeededRandom(9)
const device = (name: string): DeviceIdentity => createIdentity({ name, random })
const [laptop, desk, phone] = [device('laptop'), device('desk'), device('phone')]
const settle = (): Promise<void> => new Promise(done => setImmediate(done))

test('[V9] it is cut off as soon as it hears, says so with its signature, and knows it after a restart', async () => {
  const { onLaptop, onPhone } = story()
  const records = createMemoryRecordStore()
  const own = await start(onPhone, { records })
  expect([own.state.peek(), own.isCutOff()]).toEqual([undefined, false])
  const answer = await own.onRemoved(onLaptop.remove(phone.id, { time: 5 }))
  expect(readErasure(answer ?? new Uint8Array())).toMatchObject({ device: phone.id, erased: false })
  expect([own.state.peek()?.by, own.isCutOff()]).toEqual([laptop.id, true])
  await own.acknowledged(laptop.id)
  await own.close()
  const again = await start(onPhone, { records })
  expect(again.state.peek()).toMatchObject({ by: laptop.id, byName: 'laptop', isAcknowledged: true, content: 'keep' })
  await again.close()
})

test('[V9] it goes on to say so until one has heard who stays, as far as it knows', async () => {
  const { onLaptop, onDesk, onPhone } = story()
  const own = await start(onPhone, {})
  onPhone.receive([onDesk.remove(phone.id, { time: 5 }).bytes])
  onLaptop.receive(onDesk.entries().map(({ bytes }) => bytes))
  await own.acknowledged(desk.id)
  expect(own.state.peek()).toMatchObject({ by: desk.id, isAcknowledged: true })
  onPhone.receive([onLaptop.remove(desk.id, { time: 6 }).bytes])
  await own.state.when(now => now?.isAcknowledged === false)
  await own.acknowledged(desk.id)
  expect([own.isCutOff(), own.state.peek()?.isAcknowledged]).toEqual([true, false])
  await own.acknowledged(laptop.id)
  expect(own.state.peek()).toMatchObject({ isAcknowledged: true })
  await own.close()
})

test('[V10] the keys are gone before it signs that it erased, and the files go once it was heard', async () => {
  const { onLaptop, onPhone } = story()
  const done: string[] = []
  const own = await start(onPhone, { policy: 'erase', done })
  const answer = await own.onRemoved(onLaptop.remove(phone.id, { time: 5 }))
  expect(done).toEqual(['keys'])
  expect(readErasure(answer ?? new Uint8Array())).toMatchObject({ erased: true })
  await own.acknowledged(laptop.id)
  await own.state.when(now => now?.content === 'erased')
  expect(done).toEqual(['keys', 'rest'])
})

test('[V10] if the disk does not let it, it says that it did not', async () => {
  const { onLaptop, onPhone } = story()
  const own = await start(onPhone, { policy: 'erase', isFull: true })
  const answer = await own.onRemoved(onLaptop.remove(phone.id, { time: 5 }))
  expect(readErasure(answer ?? new Uint8Array())).toMatchObject({ erased: false })
  expect(own.state.peek()).toMatchObject({ content: 'keep' })
  await own.close()
})

test('[V13] a device that leaves by itself keeps what it has, and a removal from another group is nothing to it', async () => {
  const { onLaptop } = story()
  onLaptop.setRole(desk.id, 'admin', 4)
  const done: string[] = []
  const own = await start(onLaptop, { policy: 'erase', done, self: laptop })
  const left = onLaptop.remove(laptop.id, { time: 5 })
  const answer = await own.onRemoved(left)
  expect(readErasure(answer ?? new Uint8Array())).toMatchObject({ erased: false })
  await own.acknowledged(desk.id)
  expect([own.isCutOff(), done]).toEqual([true, []])

  const another = foundGroup({ identity: laptop, random, time: 0 })
  own.follow({ group: another } as Runtime)
  expect([own.state.peek(), own.isCutOff()]).toEqual([undefined, false])
  expect(await own.onRemoved(left)).toBeUndefined()
  expect([own.isCutOff(), done]).toEqual([false, []])
  await own.close()
})

test('[V11] a removal that a senior admin voids by removing the remover is taken back', async () => {
  const { onLaptop, onDesk, onPhone } = story()
  const own = await start(onPhone, {})
  const removal = onDesk.remove(phone.id, { time: 5 })
  onPhone.receive([removal.bytes])
  await own.state.when(now => now?.by === desk.id)
  expect(own.isCutOff()).toBe(true)
  onPhone.receive([onLaptop.remove(desk.id, { time: 5 }).bytes])
  await own.state.when(now => now === undefined)
  expect(own.isCutOff()).toBe(false)
  await own.close()
})

function story(): { readonly onLaptop: Group; readonly onDesk: Group; readonly onPhone: Group } {
  const onLaptop = foundGroup({ identity: laptop, random, time: 0 })
  for (const { signing, sealing, name } of [desk, phone]) {
    const role = name === 'desk' ? 'admin' : 'member'
    onLaptop.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role, name, time: 1 })
  }
  const copy = (identity: DeviceIdentity): Group =>
    openGroup({ identity, random, secret: onLaptop.secret, entries: onLaptop.entries().map(({ bytes }) => bytes) })
  return { onLaptop, onDesk: copy(desk), onPhone: copy(phone) }
}

interface Options {
  readonly records?: RecordStore
  readonly policy?: OnRemoved
  readonly done?: string[]
  readonly isFull?: boolean
  readonly self?: DeviceIdentity
}

async function start(
  group: Group,
  { records = createMemoryRecordStore(), policy = 'keep', done = [], isFull = false, self = phone }: Options,
): Promise<OwnRemovalWatch> {
  const own = await createOwnRemoval({
    identity: self,
    records,
    clock: createSimulatedClock({ settle }),
    logger: silentLogger,
    policy,
    node: () => undefined,
    onChanged: () => undefined,
    eraseKeys: async () => {
      if (isFull) throw new Error('no space')
      done.push('keys')
    },
    eraseRest: async () => void done.push('rest'),
  })
  own.follow({ group } as Runtime)
  return own
}
