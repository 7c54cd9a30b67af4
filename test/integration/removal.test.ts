/** Removing a device, with a finish line: on whole devices, links and relays. */
import { readErasure } from '@segue/core'
import { isSegueError, type DeviceId, type RemovalChecklist, type Segue } from '@segue/engine'
import { expect, test } from 'vitest'
import { inSync, pair, startDevice } from './cast.ts'

const confirmed = (name: string): { readonly typed: string } => ({ typed: name })
const isDone = (checklist: RemovalChecklist | undefined): boolean => checklist?.finishedAt !== undefined
const whoKnows = (device: Segue, removed: DeviceId): readonly string[] =>
  device.devices
    .removal(removed)
    .peek()
    ?.devices.flatMap(({ name, knowsAt }) => (knowsAt === undefined ? [] : [name])) ?? []

test('a removed device is cut off everywhere, is told why, and everybody can see who knows', async () => {
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
