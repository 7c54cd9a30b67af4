import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { keyFile, passphrase, type Unlock } from '@segue/storage'
import { openSegue } from './open-segue.ts'
import type { Segue } from './segue.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-keys-'))
const keyed = keyFile(path.join(root, 'key'))
const open = (unlock: Unlock): Promise<Segue> =>
  openSegue({
    directory: path.join(root, 'store'),
    device: { name: 'Laptop' },
    unlock,
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  })
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('[K1] [K2] from a key file to a passphrase, to another passphrase, with everything where it was', async () => {
  const laptop = await open(keyed)
  const { id } = laptop.device
  await laptop.sessions.create({ title: 'Notes' })
  await expect(laptop.keys.add(keyed)).rejects.toMatchObject({ code: 'KEYS_SLOT_TAKEN' })
  await expect(laptop.keys.change(passphrase('x'))).rejects.toMatchObject({ code: 'KEYS_NO_SUCH_SLOT' })
  await expect(laptop.keys.remove('key-file')).rejects.toMatchObject({ code: 'KEYS_LAST_SLOT' })
  await laptop.keys.add(passphrase('correct horse'))
  expect([laptop.keys.slots.peek(), laptop.status.peek().keys, laptop.person.asks]).toEqual([
    ['key-file', 'passphrase'],
    ['key-file', 'passphrase'],
    'passphrase',
  ])

  await expect(laptop.keys.remove('key-file')).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  await expect(laptop.keys.remove('key-file', { typed: 'Laptop' })).rejects.toMatchObject({ code: 'CONFIRMATION_NEEDED' })
  await expect(laptop.keys.remove('key-file', { passphrase: 'battery staple' })).rejects.toMatchObject({ code: 'CONFIRMATION_WRONG' })
  expect(laptop.keys.slots.peek()).toEqual(['key-file', 'passphrase'])
  await laptop.keys.remove('key-file', { passphrase: 'correct horse' })
  await laptop.keys.change(passphrase('battery staple'), { passphrase: 'correct horse' })
  await laptop.close()

  for (const wrong of [keyed, passphrase('correct horse')]) await expect(open(wrong)).rejects.toMatchObject({ code: 'UNLOCK_WRONG' })
  const again = await open(passphrase('battery staple'))
  await again.sessions.whenListed()
  expect([again.device.id, again.sessions.list.peek().map(({ title }) => title)]).toEqual([id, ['Notes']])
  await again.close()
})
