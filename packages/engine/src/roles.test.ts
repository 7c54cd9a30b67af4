import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keyFile, passphrase, type Unlock } from '@segue/storage'
import { openSegue } from './open-segue.ts'
import { adviceOn } from './roles.ts'
import type { Segue } from './segue.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-roles-'))
const open = (name: string, unlock: Unlock = keyFile(path.join(root, `${name}.key`))): Promise<Segue> =>
  openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock,
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  })

let laptop: Segue
let desk: Segue
beforeAll(async () => {
  ;[laptop, desk] = await Promise.all([open('Laptop', passphrase('correct horse')), open('Desk')])
})
afterAll(async () => {
  await Promise.all([laptop, desk].map(device => device.close()))
  rmSync(root, { recursive: true, force: true })
})

const roleOn = (device: Segue, of: Segue): string | undefined => device.devices.peek().find(({ id }) => id === of.device.id)?.role

test('[K9] with a passphrase, letting a device in takes it, and a wrong one costs no try of the digits', async () => {
  const invitation = await laptop.pairing.invite()
  const joining = await desk.pairing.join(invitation.text)
  expect(laptop.person.asks).toBe('passphrase')
  await expect(invitation.confirm(joining.code)).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  for (let tries = 0; tries < 4; tries++) {
    await expect(invitation.confirm(joining.code, { passphrase: 'battery staple' })).rejects.toMatchObject({ code: 'CONFIRMATION_WRONG' })
  }
  expect(await invitation.confirm(joining.code, { passphrase: 'correct horse' })).toMatchObject({ ok: true })
  expect(await joining.done).toMatchObject({ ok: true })
  await laptop.devices.when(devices => devices.some(({ id, sync }) => id === desk.device.id && sync === 'in-sync'))
})

test('[K11] a group of two with one admin is advised to have a second', () => {
  for (const device of [laptop, desk]) expect(device.status.peek().advice).toEqual(['single-admin'])
})

test('[K11] alone, with two admins or with a recovery phrase nothing is advised', () => {
  const { devices } = { devices: laptop.devices.peek().map(device => ({ ...device, active: true })) as never[] }
  const admins = devices.map(device => ({ ...(device as object), role: 'admin' })) as never[]
  expect(adviceOn({ devices, recovery: undefined })).toEqual(['single-admin'])
  expect(adviceOn({ devices, recovery: {} as never })).toEqual([])
  expect(adviceOn({ devices: devices.slice(0, 1), recovery: undefined })).toEqual([])
  expect(adviceOn({ devices: admins, recovery: undefined })).toEqual([])
})

test('[K10] a member promotes nobody, whatever it confirms', async () => {
  await expect(desk.devices.promote(desk.device.id, { typed: 'Desk' })).rejects.toMatchObject({ code: 'NEEDS_ADMIN' })
  await expect(desk.devices.demote(laptop.device.id)).rejects.toMatchObject({ code: 'NEEDS_ADMIN' })
})

test('[K10] the last admin stays one', async () => {
  await expect(laptop.devices.demote(laptop.device.id)).rejects.toMatchObject({ code: 'LAST_ADMIN' })
  await expect(laptop.devices.promote('12D3KooWStranger' as never)).rejects.toMatchObject({ code: 'NOT_A_MEMBER' })
})

test('[K8] promoting takes the passphrase where there is one, and a name typed out is no substitute', async () => {
  const { id } = desk.device
  for (const confirmation of [undefined, { typed: 'Desk' }]) {
    await expect(laptop.devices.promote(id, confirmation)).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  }
  await expect(laptop.devices.promote(id, { passphrase: 'Desk' })).rejects.toMatchObject({ code: 'CONFIRMATION_WRONG' })
  expect(roleOn(laptop, desk)).toBe('member')
  await laptop.devices.promote(id, { passphrase: 'correct horse' })
  await desk.devices.when(() => roleOn(desk, desk) === 'admin')
  expect([laptop, desk].map(device => device.status.peek().advice)).toEqual([[], []])
})

test('[K8] without a passphrase a typed confirmation is asked for, and it is the name', async () => {
  expect(desk.person.asks).toBe('typed')
  await desk.devices.demote(laptop.device.id)
  expect(roleOn(desk, laptop)).toBe('member')
  const { id } = laptop.device
  await expect(desk.devices.promote(id)).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  await expect(desk.devices.promote(id, { passphrase: 'correct horse' })).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  await expect(desk.devices.promote(id, { typed: 'Desk' })).rejects.toMatchObject({ code: 'CONFIRMATION_WRONG' })
  await desk.devices.promote(id, { typed: ' Laptop ' })
  await laptop.devices.when(() => roleOn(laptop, laptop) === 'admin')
})

test('[K10] what is so already is not said again', async () => {
  const entries = laptop.events.peek().length
  await laptop.devices.promote(desk.device.id)
  expect([roleOn(laptop, desk), laptop.events.peek().length]).toEqual(['admin', entries])
})

test('[K9] without a passphrase the digits are enough', async () => {
  const phone = await open('Phone')
  try {
    const invitation = await desk.pairing.invite()
    const joining = await phone.pairing.join(invitation.text)
    expect(await invitation.confirm(joining.code)).toMatchObject({ ok: true })
    expect(await joining.done).toMatchObject({ ok: true })
  } finally {
    await phone.close()
  }
})
