import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { UsageError } from '../client/daemon-client.ts'
import { checkListenAddress, checkName, checkWritable, notTakenOver } from './start-checks.ts'

const root = mkdtempSync(path.join(tmpdir(), 'segue-start-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test.each(['/ip4/127.0.0.1/tcp/0', '/ip4/0.0.0.0/tcp/4001/ws', '/ip6/::1/tcp/65535'])('%s can be listened on', address => {
  expect(() => checkListenAddress(address)).not.toThrow()
})

test.each(['bogus', '', '127.0.0.1:4001', '/ip4/::1/tcp/1', '/ip6/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/65536', '/ip4/127.0.0.1/udp/1'])(
  '“%s” is refused by the name of the option',
  address => {
    expect(() => checkListenAddress(address)).toThrow(UsageError)
    expect(() => checkListenAddress(address)).toThrow(/^--listen takes addresses such as \/ip4\//)
  },
)

test('a name is refused before anything is asked', () => {
  expect(() => checkName('Desk')).not.toThrow()
  for (const name of ['', '  ', 'x'.repeat(65)]) expect(() => checkName(name)).toThrow('A device’s name has 1 to 64 characters.')
})

test('a folder that is not there yet is fine where it can be made, and nothing is made to find out', async () => {
  await expect(checkWritable(path.join(root, 'a', 'b'))).resolves.toBeUndefined()
  await expect(checkWritable(root)).resolves.toBeUndefined()
})

test('what cannot be written is named, with why', async () => {
  const file = path.join(root, 'file')
  writeFileSync(file, '')
  await expect(checkWritable(path.join(file, 'data'))).rejects.toThrow(`${file}/data cannot be made: ${file} is a file, not a folder.`)
  await expect(checkWritable(file)).rejects.toThrow(`${file} is a file, not a folder.`)
})

test('of what is asked of a daemon that runs, what it is already is not said to be left out', () => {
  const now = { deviceName: 'Laptop', mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'], ways: ['key-file', 'passphrase'] }
  expect(
    notTakenOver({ name: 'Laptop', mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'], keys: 'passphrase', onRemoved: 'keep' }, now),
  ).toEqual([])
  expect(notTakenOver({}, now)).toEqual([])
  expect(notTakenOver({ name: 'Desk', mdns: true, listen: ['/ip4/127.0.0.1/tcp/1'], keys: 'keychain', onRemoved: 'erase' }, now)).toEqual([
    '--name',
    '--keys',
    '--listen',
    '--mdns',
    '--on-removed',
  ])
})
