/** When somebody who is no admin any more knows a mailbox's key, the group moves to a new one. */
import path from 'node:path'
import type { DeviceId, Segue } from '@segue/engine'
import { expect, test } from 'vitest'
import { inSync, pair, scratch, startDevice } from './cast.ts'
import { addRelay, onRelay, relayHome } from './relay-cast.ts'

test('[M9] [X20] a demotion makes a new mailbox, filled by an admin, to which all devices go; a device that slept finds everything there', async () => {
  const relay = await (await relayHome()).start()
  const folder = await scratch()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  let phone = await startDevice('phone', { directory: path.join(folder, 'phone') })
  await pair(laptop, desk)
  await pair(laptop, phone)
  await laptop.devices.promote(desk.device.id, { typed: 'desk' })
  await addRelay(laptop, relay)
  for (const device of [desk, phone]) await onRelay(device)
  const before = laptop.relays.list.peek()[0]?.mailbox
  await phone.close()
  const session = await laptop.sessions.create({ title: 'Letter' })
  await session.durable({ devices: 1 })
  await laptop.deletions.deleteHere([{ session: session.id }])
  await expect(laptop.relays.remove(laptop.relays.list.peek()[0]?.id as DeviceId)).rejects.toMatchObject({ code: 'RELAY_MAY_HOLD_MORE' })

  await laptop.devices.demote(desk.device.id)
  for (const device of [laptop, desk]) {
    await device.relays.list.when(([one]) => one !== undefined && one.mailbox !== before && !one.isMoving)
    await onRelay(device)
    expect(device.relays.list.peek()).toHaveLength(1)
    expect(device.relays.list.peek()[0]).toMatchObject({ hasGoneBack: false })
  }
  expect(laptop.deletions.notHere.peek()).toEqual([])
  await inSync(laptop, desk)
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 2, accounts: 1 })
  await Promise.all([laptop.close(), desk.close()])

  phone = await startDevice('phone', { directory: path.join(folder, 'phone') })
  await phone.sessions.list.when(([one]) => one?.id === session.id)
  await phone.relays.list.when(([one]) => one !== undefined && one.mailbox !== before && one.sync === 'in-sync')
}, 120_000)

test('[M9] while the first admin sleeps another takes over after a grace, and the first finds it done', async () => {
  const relay = await (await relayHome()).start()
  const folder = await scratch()
  const open = (name: string): Promise<Segue> => startDevice(name, { directory: path.join(folder, name), moveGraceMs: 500 })
  let laptop = await open('laptop')
  const [desk, phone] = [await open('desk'), await open('phone')]
  for (const device of [desk, phone]) {
    await pair(laptop, device)
    await laptop.devices.promote(device.device.id, { typed: device.device.name })
  }
  await addRelay(laptop, relay)
  for (const device of [desk, phone]) await onRelay(device)
  const before = laptop.relays.list.peek()[0]?.mailbox
  await laptop.close()

  await phone.devices.demote(desk.device.id)
  await phone.relays.list.when(([one]) => one?.mailbox === before && one?.isMoving === true)
  const [moved] = await phone.relays.list.when(([one]) => one !== undefined && one.mailbox !== before && !one.isMoving)
  await onRelay(phone)
  laptop = await open('laptop')
  await laptop.relays.list.when(([one]) => one?.mailbox === moved?.mailbox)
  await onRelay(laptop)
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 2 })
}, 120_000)
