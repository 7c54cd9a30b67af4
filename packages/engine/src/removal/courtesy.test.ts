import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { keyFile } from '@segue/storage'
import { afterAll, expect, test } from 'vitest'
import { openSegue } from '../open-segue.ts'
import type { Segue } from '../segue.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-courtesy-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const listens = new Map<string, readonly string[]>()
async function open(name: string): Promise<Segue> {
  const segue = await openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock: keyFile(path.join(root, `${name}.key`)),
    network: { mdns: false, listen: listens.get(name) ?? ['/ip4/127.0.0.1/tcp/0'] },
  })
  listens.set(
    name,
    segue.status.peek().addresses.map(address => address.replace(/\/p2p\/.*/, '')),
  )
  return segue
}

test('[V14] [I6] two admins that removed each other while apart, and nobody else is there, agree when both are on again', async () => {
  const [laptop, desk] = await Promise.all([open('Laptop'), open('Desk')])
  const invitation = await laptop.pairing.invite()
  const joining = await desk.pairing.join(invitation.text)
  await invitation.confirm(joining.code)
  await joining.done
  await laptop.devices.promote(desk.device.id, { typed: 'Desk' })
  await desk.devices.when(all => all.some(({ isThisDevice, role }) => isThisDevice && role === 'admin'))
  await laptop.devices.when(all => all.every(({ state }) => state !== 'away'))
  await desk.close()
  await laptop.devices.remove(desk.device.id, { typed: 'Desk' })
  await laptop.close()

  const deskAgain = await open('Desk')
  await deskAgain.devices.remove(laptop.device.id, { typed: 'Laptop' })
  const laptopAgain = await open('Laptop')
  const removed = await deskAgain.removal.when(removal => removal !== undefined)
  expect(removed?.by).toBe(laptop.device.id)
  await laptopAgain.devices.removal(desk.device.id).when(checklist => checklist?.toldAt !== undefined)
  expect(laptopAgain.removal.peek()).toBeUndefined()
  await deskAgain.close()
  await laptopAgain.close()
})
