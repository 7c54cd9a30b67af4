import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { readErasure } from '@segue/core'
import { keyFile } from '@segue/storage'
import { afterAll, expect, test } from 'vitest'
import { openSegue, type OpenSegueOptions } from '../open-segue.ts'
import type { Segue } from '../segue.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-leaving-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const ports = new Map<string, readonly string[]>()
async function open(name: string, options: Partial<OpenSegueOptions> = {}): Promise<Segue> {
  const segue = await openSegue({
    directory: path.join(root, name),
    device: { name },
    unlock: keyFile(path.join(root, `${name}.key`)),
    network: { mdns: false, listen: ports.get(name) ?? ['/ip4/127.0.0.1/tcp/0'] },
    ...options,
  })
  const listening = segue.status.peek().addresses.map(address => address.replace(/\/p2p\/.*/, ''))
  ports.set(name, listening)
  return segue
}
async function pair(inviting: Segue, joiner: Segue): Promise<void> {
  const invitation = await inviting.pairing.invite()
  const joining = await joiner.pairing.join(invitation.text)
  await invitation.confirm(joining.code)
  await joining.done
}

test('[V15] a member leaves by itself: an admin’s device takes it out when it hears, and what it has stays or is erased as it says', async () => {
  const [laptop, desk, phone] = [await open('Laptop'), await open('Desk', { onRemoved: 'erase' }), await open('Phone')]
  await pair(laptop, desk)
  await pair(laptop, phone)
  await laptop.devices.when(all => all.every(({ state }) => state !== 'away'))

  await expect(phone.devices.leave()).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  await expect(laptop.devices.leave({ typed: 'Laptop' })).rejects.toMatchObject({ code: 'LAST_ADMIN' })
  await phone.devices.leave({ typed: 'Phone' }, { erase: true })
  await phone.removal.when(removal => removal?.content === 'erased')
  expect(readdirSync(path.join(root, 'Phone')).filter(file => file !== 'erased')).toEqual([])
  const told = await laptop.devices.removal(phone.device.id).when(checklist => checklist?.erasure !== undefined)
  expect(readErasure(told?.erasure?.receipt ?? new Uint8Array())).toMatchObject({ device: phone.device.id, erased: true })

  await laptop.close() // it hears in a later run
  const impatient = new AbortController()
  const leaving = desk.devices.leave({ typed: 'Desk' }, { signal: impatient.signal })
  await desk.flush()
  impatient.abort(new Error('enough'))
  await expect(leaving).rejects.toThrow('enough')
  expect(desk.removal.peek()).toBeUndefined()
  const again = await open('Laptop')
  await desk.removal.when(removal => removal?.isAcknowledged === true)
  expect(desk.removal.peek()).toMatchObject({ by: laptop.device.id, content: 'keep' }) // by its own will, whatever it is to do when others remove it
  expect(again.devices.peek().map(({ name }) => name)).toEqual(['Laptop'])
  await desk.close()
  await again.close()
}, 30_000)
