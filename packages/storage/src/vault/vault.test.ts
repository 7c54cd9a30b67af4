/** The ways to keep the device key, each on a real store. */
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSegueError, type ErrorCode } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { custom, keychain, keyFile, openStore, passphrase, type Store, type Unlock } from '../index.ts'

test('[L11] the right passphrase opens it, with the same device key and records', async () => {
  const directory = await scratch()
  const store = await open(directory, passphrase('correct horse'))
  await store.records.write(new Map([['settings', new Uint8Array([1, 2])]]))
  const deviceKey = Uint8Array.from(store.vault.deviceKey)
  await store.close()
  const again = await open(
    directory,
    passphrase(async () => 'correct horse'),
  )
  expect(again.vault.deviceKey).toEqual(deviceKey)
  expect(deviceKey.length).toBe(32)
  expect(again.vault.slots).toEqual(['passphrase'])
  expect(await again.records.get('settings')).toEqual(new Uint8Array([1, 2]))
})

test('[L11] a wrong passphrase is told, and nothing changes', async () => {
  const directory = await scratch()
  await (await open(directory, passphrase('correct horse'))).close()
  const before = await filesOf(directory)
  await expect(open(directory, passphrase('wrong horse'))).rejects.toSatisfy(is('UNLOCK_WRONG'))
  expect(await filesOf(directory)).toEqual(before)
  await (await open(directory, passphrase('correct horse'))).close()
})

test('[L11] two ways of writing one passphrase are one passphrase', async () => {
  const directory = await scratch()
  await (await open(directory, passphrase('caf\u00e9'))).close()
  await (await open(directory, passphrase('cafe\u0301'))).close()
})

test('[L12] a new store gets a slot for each way given, and any one opens it', async () => {
  const directory = await scratch()
  const [one, two] = [xor(1), keyFile(join(directory, 'key'))]
  const store = await openStore({ directory: join(directory, 'store'), unlock: [one, two] })
  expect(store.vault.slots).toEqual(['custom', 'key-file'])
  await store.close()
  for (const unlock of [one, two]) await (await open(join(directory, 'store'), unlock)).close()
  await (await openStore({ directory: join(directory, 'store'), unlock: [xor(9), two] })).close()
})

test('[L12] a way is added, replaced and removed; the last cannot be', async () => {
  const directory = await scratch()
  const store = await open(join(directory, 'store'), xor(1))
  await store.vault.setSlot(keyFile(join(directory, 'key')))
  await store.vault.setSlot(xor(2))
  await store.close()
  await expect(open(join(directory, 'store'), xor(1))).rejects.toSatisfy(is('UNLOCK_WRONG'))
  const again = await open(join(directory, 'store'), xor(2))
  await again.vault.removeSlot('custom')
  await expect(again.vault.removeSlot('custom')).rejects.toSatisfy(is('KEYS_NO_SUCH_SLOT'))
  await expect(again.vault.removeSlot('key-file')).rejects.toSatisfy(is('KEYS_LAST_SLOT'))
  await again.close()
  await expect(open(join(directory, 'store'), xor(2))).rejects.toSatisfy(is('UNLOCK_WRONG'))
  await (await open(join(directory, 'store'), keyFile(join(directory, 'key')))).close()
})

test('[L12] a custom way that throws does not open it', async () => {
  const directory = await scratch()
  await (await open(directory, xor(1))).close()
  const throwing = custom({
    wrap: key => key,
    unwrap() {
      throw new Error('token not present')
    },
  })
  await expect(open(directory, throwing)).rejects.toSatisfy(is('UNLOCK_WRONG'))
})

test('[L13] without a keychain the choices are named (skipped where there may be one)', async context => {
  if (process.platform !== 'linux' || process.env['DBUS_SESSION_BUS_ADDRESS'] !== undefined) return context.skip('there may be a keychain')
  const directory = await scratch()
  await expect(openStore({ directory })).rejects.toSatisfy(is('UNLOCK_NEEDED'))
  await expect(openStore({ directory })).rejects.toThrow('passphrase(...), keyFile(...) or custom(...)')
  await expect(open(directory, keychain())).rejects.toSatisfy(is('UNLOCK_NEEDED'))
  await (await open(directory, xor(1))).close()
})

test('[L14] the key file is 0600, and refused once others may read it (skipped on Windows)', async context => {
  if (process.platform === 'win32') return context.skip('no such rights')
  const directory = await scratch()
  const path = join(directory, 'key')
  await (await open(join(directory, 'store'), keyFile(path))).close()
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  await chmod(path, 0o640)
  await expect(open(join(directory, 'store'), keyFile(path))).rejects.toSatisfy(is('STORE_NOT_PRIVATE'))
})

test('[L14] a key file that is missing, another, or none at all does not open it and is not replaced', async () => {
  const directory = await scratch()
  const path = join(directory, 'key')
  await (await open(join(directory, 'store'), keyFile(path))).close()
  await (await open(join(directory, 'other'), keyFile(join(directory, 'other-key')))).close()
  for (const wrong of [join(directory, 'missing'), join(directory, 'other-key')]) {
    await expect(open(join(directory, 'store'), keyFile(wrong))).rejects.toSatisfy(is('UNLOCK_WRONG'))
  }
  await writeFile(path, 'not a key')
  await expect(open(join(directory, 'store'), keyFile(path))).rejects.toSatisfy(is('UNLOCK_WRONG'))
  expect(await readFile(path, 'utf8')).toBe('not a key')
})

test('[L16] a secret sealed for one purpose opens for no other', async () => {
  const { vault } = await open(await scratch(), xor(1))
  const sealed = vault.seal('identity', new Uint8Array([1, 2, 3]))
  expect(vault.open('identity', sealed)).toEqual(new Uint8Array([1, 2, 3]))
  expect(vault.open('group', sealed)).toBeUndefined()
  sealed[30] = (sealed[30] as number) ^ 1
  expect(vault.open('identity', sealed)).toBeUndefined()
})

test('[L16] the device key is not in the files in the clear', async () => {
  const directory = await scratch()
  const store = await open(directory, passphrase('correct horse'))
  const key = Buffer.from(store.vault.deviceKey)
  await store.close()
  const vault = await readFile(join(directory, 'vault'))
  expect(vault.includes(key)).toBe(false)
})

function xor(mask: number): Unlock {
  return custom({
    wrap: key => Uint8Array.from([mask, ...key.map(byte => byte ^ mask)]),
    unwrap: wrapped => (wrapped[0] === mask ? wrapped.slice(1).map(byte => byte ^ mask) : undefined),
  })
}

function is(code: ErrorCode): (error: unknown) => boolean {
  return error => isSegueError(error, code)
}

/** Closed at the end of the test; closing twice is closing once. */
async function open(directory: string, unlock: Unlock): Promise<Store> {
  const store = await openStore({ directory, unlock })
  onTestFinished(() => store.close())
  return store
}

async function filesOf(directory: string): Promise<readonly (string | number)[]> {
  const vault = await stat(join(directory, 'vault'))
  const level = await stat(join(directory, 'level', 'CURRENT'))
  return [await readFile(join(directory, 'vault'), 'hex'), vault.mtimeMs, level.mtimeMs, (await stat(join(directory, 'level'))).mtimeMs]
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-vault-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
