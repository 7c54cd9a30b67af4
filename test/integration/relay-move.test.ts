/** When somebody who is no admin any more knows a mailbox's key, the group moves to a new one. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { inSync, pair, scratch, startDevice } from './cast.ts'
import { addRelay, onRelay, relayHome } from './relay-cast.ts'

test('[M9] a demotion makes a new mailbox, filled by an admin, to which all devices go; a device that slept finds everything there', async () => {
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
  await session.flush()

  await laptop.devices.demote(desk.device.id)
  for (const device of [laptop, desk]) {
    await device.relays.list.when(([one]) => one !== undefined && one.mailbox !== before && !one.isMoving)
    await onRelay(device)
    expect(device.relays.list.peek()).toHaveLength(1)
    expect(device.relays.list.peek()[0]).toMatchObject({ hasGoneBack: false })
  }
  await inSync(laptop, desk)
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 2, accounts: 1 })
  await Promise.all([laptop.close(), desk.close()])

  phone = await startDevice('phone', { directory: path.join(folder, 'phone') })
  await phone.sessions.list.when(([one]) => one?.id === session.id)
  await phone.relays.list.when(([one]) => one !== undefined && one.mailbox !== before && one.sync === 'in-sync')
}, 120_000)
