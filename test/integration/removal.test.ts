/** Removing a device, with a finish line: on whole devices, links and relays. */
import { randomBytes } from 'node:crypto'
import { cp, readdir } from 'node:fs/promises'
import path from 'node:path'
import { readErasure } from '@segue/core'
import { createSeededRandom } from '@segue/core/testing'
import { isSegueError, type DeviceId, type DocHandle, type RemovalChecklist, type Segue, type SessionId } from '@segue/engine'
import { expect, test } from 'vitest'
import { freePort, inSync, pair, scratch, startDevice, type DeviceOptions } from './cast.ts'
import { startChild } from './device-child.ts'
import { addRelay, onRelay, relayHome } from './relay-cast.ts'
import { startTap } from './tap.ts'

const confirmed = (name: string): { readonly typed: string } => ({ typed: name })
const isDone = (checklist: RemovalChecklist | undefined): boolean => checklist?.finishedAt !== undefined
const whoKnows = (device: Segue, removed: DeviceId): readonly string[] =>
  device.devices
    .removal(removed)
    .peek()
    ?.devices.flatMap(({ name, knowsAt }) => (knowsAt === undefined ? [] : [name])) ?? []

test('[V1] [V3] [V7] a removed device is cut off everywhere, is told why, and everybody can see who knows', async () => {
  const [laptop, desk, phone] = [await startDevice('Laptop'), await startDevice('Desk'), await startDevice('Phone')]
  await pair(laptop, desk)
  await pair(laptop, phone)
  for (const address of phone.status.peek().addresses) await desk.addAddress(phone.device.id, address)
  await inSync(desk, phone)
  const session = await laptop.sessions.create({ title: 'Ours' })
  await session.flush()
  await inSync(laptop, phone)

  await expect(laptop.devices.remove(phone.device.id)).rejects.toSatisfy(error => isSegueError(error, 'CONFIRMATION_NEEDED'))
  await expect(desk.devices.remove(phone.device.id, confirmed('Phone'))).rejects.toSatisfy(error => isSegueError(error, 'NEEDS_ADMIN'))
  await expect(laptop.devices.remove(laptop.device.id, confirmed('Laptop'))).rejects.toSatisfy(error => isSegueError(error, 'LAST_ADMIN'))
  await laptop.devices.remove(phone.device.id, confirmed('Phone'))
  await expect(laptop.devices.remove(phone.device.id, confirmed('Phone'))).rejects.toSatisfy(error => isSegueError(error, 'NOT_A_MEMBER'))

  for (const device of [laptop, desk]) {
    await device.devices.removal(phone.device.id).when(isDone)
    expect(whoKnows(device, phone.device.id)).toEqual(['Laptop', 'Desk'])
    await device.devices.when(devices => devices.length === 2)
  }
  await phone.status.when(({ removed }) => removed?.isAcknowledged === true)
  expect(phone.status.peek().removed).toMatchObject({ by: laptop.device.id, byName: 'Laptop', content: 'keep' })
  // It signed that it heard, to one of them; the other has it from there.
  for (const device of [laptop, desk]) {
    const found = await device.devices.removal(phone.device.id).when(checklist => checklist?.erasure !== undefined)
    expect(found?.erasure?.erased).toBe(false)
    expect(readErasure(found?.erasure?.receipt ?? new Uint8Array())).toMatchObject({ device: phone.device.id, erased: false })
  }

  const later = await desk.sessions.create({ title: 'Without it' })
  await later.flush()
  await laptop.sessions.list.when(sessions => sessions.some(({ title }) => title === 'Without it'))
  expect(phone.sessions.list.peek().map(({ title }) => title)).toEqual(['Ours'])
  await expect(phone.pairing.join('anything')).rejects.toMatchObject({ code: 'DEVICE_REMOVED' })
}, 60_000)

test('[V8] [I12] a removed device that keeps dialling gets its removal entry and nothing else: captured at a proxy', async () => {
  const port = await freePort()
  const tap = await startTap(port)
  const laptop = await startDevice('Laptop', { network: { listen: [`/ip4/127.0.0.1/tcp/${port}`], announce: [tap.address] } })
  const folder = await scratch()
  const phone = await startDevice('Phone', { directory: path.join(folder, 'phone') })
  await pair(laptop, phone)
  const { id } = phone.device
  await phone.close()
  // Copies of its disk, none of which knows that it was removed: one after the other they dial as if nothing had been.
  const copies = ['once', 'twice', 'thrice']
  for (const copy of copies) await cp(path.join(folder, 'phone'), path.join(folder, copy), { recursive: true })
  for (const copy of copies) await cp(path.join(folder, 'phone.key'), path.join(folder, `${copy}.key`))
  await laptop.devices.remove(id, confirmed('Phone'))
  const letter = await laptop.sessions.create({ title: 'Not for the phone' })
  await letter.documents.create({ title: 'Letter', initial: { text: randomBytes(200_000).toString('base64') } })
  await letter.flush()

  const before = tap.carried().length
  for (const copy of copies) {
    const dialling = await startDevice('Phone', { directory: path.join(folder, copy) })
    expect(dialling.device.id).toBe(id)
    await dialling.removal.when(own => own?.isAcknowledged === true)
    expect(dialling.sessions.list.peek()).toEqual([])
    await dialling.close()
  }
  const [since, all] = [tap.carried().slice(before), tap.carried()]
  expect(since.length).toBeGreaterThanOrEqual(2 * copies.length)
  // A handshake, the refusal of its streams, the entry with its wraps, and its answer; the letter alone is larger by far.
  for (const carried of since) expect(carried.length).toBeLessThan(16_384)
  expect(all.reduce((sum, carried) => sum + carried.length, 0)).toBeLessThan(200_000)
  expect(laptop.events.peek().filter(({ type }) => type === 'device-linked')).toHaveLength(1)
}, 60_000)

test('[V5] [I3] a device that slept through a removal wakes, follows, and nothing is lost', async () => {
  const folder = await scratch()
  const at = (name: string): DeviceOptions => ({ directory: path.join(folder, name) })
  const laptop = await startDevice('Laptop', at('laptop'))
  let desk = await startDevice('Desk', at('desk'))
  const phone = await startDevice('Phone', at('phone'))
  await pair(laptop, desk)
  await pair(laptop, phone)
  const session = await laptop.sessions.create({ title: 'Diary' })
  const diary = await session.documents.create<Lines>({ title: 'Diary', initial: { lines: ['together'] } })
  await session.flush()
  for (const device of [desk, phone]) await inSync(laptop, device)
  expect((await diaryOn(desk, session.id)).doc().lines).toEqual(['together'])
  await desk.close()

  await laptop.devices.remove(phone.device.id, confirmed('Phone'))
  diary.handle.change(doc => void doc.lines.push('without the phone'))
  await session.flush()
  await phone.removal.when(own => own?.isAcknowledged === true)
  const told = await laptop.devices.removal(phone.device.id).when(now => now?.toldAt !== undefined)
  const { devices, toldAt, cutOffAt } = told as RemovalChecklist
  expect(devices.map(({ name, knowsAt }) => [name, knowsAt === undefined])).toEqual([
    ['Laptop', false],
    ['Desk', true],
  ])
  const late = await diaryOn(phone, session.id)
  late.change(doc => void doc.lines.push('written by the phone, too late'))
  await phone.flush()
  // What the sleeper writes before it meets anybody is sealed as before; it belongs, so it is taken.
  const port = await freePort()
  await laptop.close()
  desk = await startDevice('Desk', at('desk'))
  ;(await diaryOn(desk, session.id)).change(doc => void doc.lines.push('half asleep'))
  await desk.flush()
  const again = await startDevice('Laptop', { ...at('laptop'), network: { listen: [`/ip4/127.0.0.1/tcp/${port}`] } })
  for (const address of again.status.peek().addresses) await desk.addAddress(again.device.id, address)
  await inSync(again, desk)

  expect(again.devices.removal(phone.device.id).peek()).toMatchObject({ toldAt, cutOffAt }) // over a restart
  expect(desk.devices.peek().map(({ name }) => name)).toEqual(['Desk', 'Laptop'])
  for (const device of [again, desk]) {
    await device.devices.removal(phone.device.id).when(isDone)
    const lines = await diaryOn(device, session.id)
    await expect.poll(() => lines.doc().lines.toSorted()).toEqual(['half asleep', 'together', 'without the phone'])
  }
}, 90_000)

test('[V6] a removal is learned through a relay alone, which lets the removed device in no more', async () => {
  const relay = await (await relayHome()).start()
  const folder = await scratch()
  const at = (name: string): DeviceOptions => ({ directory: path.join(folder, name) })
  let laptop = await startDevice('Laptop', at('laptop'))
  let desk = await startDevice('Desk', at('desk'))
  let phone = await startDevice('Phone', at('phone'))
  await pair(laptop, desk)
  await pair(laptop, phone)
  await addRelay(laptop, relay)
  const { id } = phone.device
  for (const device of [desk, phone]) await onRelay(device)
  await Promise.all([desk.close(), phone.close()])

  await laptop.devices.remove(id, confirmed('Phone'))
  const session = await laptop.sessions.create({ title: 'Among the two of us' })
  await session.flush()
  const { relays } = (await laptop.devices.removal(id).when(now => now?.relays[0]?.knowsAt !== undefined)) as RemovalChecklist
  expect(relays.map(each => each.id)).toEqual([relay.id])
  await onRelay(laptop)
  await laptop.close()

  desk = await startDevice('Desk', at('desk'))
  await desk.devices.removal(id).when(now => now?.relays[0]?.knowsAt !== undefined)
  await desk.sessions.list.when(list => list.some(({ title }) => title === 'Among the two of us'))
  await onRelay(desk)
  laptop = await startDevice('Laptop', at('laptop'))
  await laptop.devices.removal(id).when(isDone)
  expect(whoKnows(laptop, id)).toEqual(['Laptop', 'Desk'])
  await Promise.all([laptop.close(), desk.close()])

  phone = await startDevice('Phone', at('phone'))
  await phone.relays.list.when(([one]) => one?.members === 'behind')
  expect(phone.sessions.list.peek()).toEqual([])
  expect(phone.relays.list.peek()[0]).toMatchObject({ state: 'away' })
}, 90_000)

test('[V2] a remover that is killed at any moment leaves no half removal', async () => {
  const folder = await scratch()
  const original = path.join(folder, 'laptop')
  const laptop = await startDevice('Laptop', { directory: original })
  const desk = await startDevice('Desk')
  const phone = await startDevice('Phone')
  await pair(laptop, desk)
  await pair(laptop, phone)
  const { id } = phone.device
  await Promise.all([laptop, desk, phone].map(device => device.close()))
  const random = createSeededRandom(4)
  for (let round = 0; round < ROUNDS; round++) {
    const directory = path.join(folder, `round-${round}`)
    await cp(original, directory, { recursive: true })
    await cp(`${original}.key`, `${directory}.key`)
    const child = await startChild({ name: 'Laptop', directory, port: await freePort() })
    // At first when it is in memory and nowhere else, then before, while and after it comes to be on the disk.
    const diesAfterMs = round === 0 ? 0 : Math.round(2 ** (round + 1 + (random.bytes(1)[0] ?? 0) / 256))
    const asked = child.ask({ type: 'remove', device: id, name: 'Phone', diesAfterMs }).then(
      () => true,
      () => false, // killed before it could answer
    )
    await child.gone
    const wasAnswered = await asked

    const again = await startDevice('Laptop', { directory })
    const isRemoved = again.devices.removal(id).peek() !== undefined
    expect(again.devices.peek().some(device => device.id === id)).toBe(!isRemoved)
    if (wasAnswered) expect(isRemoved).toBe(true)
    // Either way it can go on: what it writes has a key, and the other one follows.
    const session = await again.sessions.create({ title: `Round ${round}` })
    await session.flush()
    if (!isRemoved) await again.devices.remove(id, confirmed('Phone'))
    expect(again.devices.peek().map(({ name }) => name)).toEqual(['Laptop', 'Desk'])
    await again.close()
  }
}, 120_000)

test('[V10] a device that is to erase leaves no file of it, and the members have its word', async () => {
  const folder = await scratch()
  const laptop = await startDevice('Laptop')
  const phone = await startDevice('Phone', { directory: path.join(folder, 'phone'), onRemoved: 'erase' })
  await pair(laptop, phone)
  const { id } = phone.device
  const session = await laptop.sessions.create({ title: 'Ours' })
  await session.flush()
  await inSync(laptop, phone)
  await laptop.devices.remove(id, confirmed('Phone'))
  await phone.removal.when(own => own?.content === 'erased')
  expect(await readdir(path.join(folder, 'phone'))).toEqual(['erased']) // a mark with a time in it
  const found = await laptop.devices.removal(id).when(now => now?.erasure?.erased === true)
  expect(readErasure(found?.erasure?.receipt ?? new Uint8Array())).toMatchObject({ device: id, erased: true })

  const fresh = await startDevice('Phone', { directory: path.join(folder, 'phone') })
  expect(fresh.device.id).not.toBe(id)
  expect(fresh.sessions.list.peek()).toEqual([])
  expect(fresh.status.peek().erasedAt).toBeTypeOf('number')
  await pair(laptop, fresh)
  expect(fresh.status.peek().erasedAt).toBeUndefined()
  await fresh.sessions.list.when(list => list.length === 1)
}, 60_000)

test('[V9] an admin that leaves tells the others first, and they stay a group', async () => {
  const [laptop, desk] = [await startDevice('Laptop'), await startDevice('Desk')]
  await pair(laptop, desk)
  await laptop.devices.promote(desk.device.id, confirmed('Desk'))
  await inSync(laptop, desk)
  await laptop.devices.remove(laptop.device.id, confirmed('Laptop'))
  await laptop.removal.when(own => own?.isAcknowledged === true)
  expect(laptop.status.peek().removed).toMatchObject({ by: laptop.device.id })
  await desk.devices.removal(laptop.device.id).when(isDone)
  expect(desk.devices.peek().map(({ name }) => name)).toEqual(['Desk'])
  const session = await desk.sessions.create({ title: 'Alone' })
  await session.flush()
}, 60_000)

const ROUNDS = 8

type Lines = {
  readonly lines: string[]
}

async function diaryOn(device: Segue, id: SessionId): Promise<DocHandle<Lines>> {
  const session = await device.sessions.open(id)
  const [diary] = await session.documents.list.when(documents => documents.length === 1)
  if (diary === undefined) throw new Error('there is one diary')
  return session.documents.open<Lines>(diary.documentId)
}
