/** Slots that change while things go wrong. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isSegueError, type ErrorCode } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { masked } from '../../fixtures/masked.ts'
import { keyFile, openStore, passphrase, readSlots, type Store, type Unlock } from '../index.ts'

test('[L12] a new passphrase opens what was written under the old one, and no stored value is written again', async () => {
  const directory = await scratch()
  const store = await open(directory, passphrase('correct horse'))
  await store.records.write(new Map([['settings', new Uint8Array([1, 2])]]))
  const before = await readFile(join(directory, 'level', '000003.log')).catch(() => undefined)
  await store.vault.setSlot(passphrase('battery staple'))
  expect(await readFile(join(directory, 'level', '000003.log')).catch(() => undefined)).toEqual(before)
  await store.close()
  await expect(open(directory, passphrase('correct horse'))).rejects.toSatisfy(is('UNLOCK_WRONG'))
  const again = await open(directory, passphrase('battery staple'))
  expect(await again.records.get('settings')).toEqual(new Uint8Array([1, 2]))
})

test('[L12] how the keys are kept is read without opening anything', async () => {
  const directory = await scratch()
  expect(await readSlots(directory)).toBeUndefined()
  const store = await open(directory, masked(1))
  await store.vault.setSlot(keyFile(join(directory, '..', `${Math.random()}.key`)))
  expect(await readSlots(directory)).toEqual(['custom', 'key-file'])
})

test('[L23] a vault that cannot be written is left as it is, and the way that was not added opens nothing', async () => {
  const directory = await scratch()
  const store = await open(directory, masked(1))
  await mkdir(join(directory, 'vault.new'))
  await expect(store.vault.setSlot(masked(2))).rejects.toSatisfy(is('STORE_FAILED'))
  await rmdir(join(directory, 'vault.new'))
  expect(store.vault.slots).toEqual(['custom'])
  await store.close()
  await expect(open(directory, masked(2))).rejects.toSatisfy(is('UNLOCK_WRONG'))
  await (await open(directory, masked(1))).close()
})

test('[L23] what a crash left half written beside the vault is passed over', async () => {
  const directory = await scratch()
  const store = await open(directory, masked(1))
  await writeFile(join(directory, 'vault.new'), 'half of')
  await store.vault.setSlot(masked(2))
  await writeFile(join(directory, 'vault.new'), 'half of')
  await store.close()
  await (await open(directory, masked(2))).close()
})

test('[L23] a process killed while it changes slots leaves a vault that opens as before the change or as after it', async () => {
  const directory = await scratch()
  await (await open(directory, masked(0))).close()
  let [mask, changes] = [0, 0]
  for (let round = 0; round < 8; round++) {
    const killed = await changeAndKill(directory, mask, 3 + 5 * round)
    changes += killed.changes
    const opened = await Promise.all([killed.done, killed.begun].map(each => tryOpen(directory, each)))
    expect(opened.filter(Boolean)).toHaveLength(killed.done === killed.begun ? 2 : 1)
    mask = opened[0] === true ? killed.done : killed.begun
  }
  expect(changes).toBeGreaterThan(50)
}, 120_000)

test('[L23] changes asked for at the same time all count', async () => {
  const directory = await scratch()
  const store = await open(directory, masked(1))
  const path = join(directory, '..', `${Math.random()}.key`)
  await Promise.all([store.vault.setSlot(keyFile(path)), store.vault.setSlot(masked(2)), store.vault.setSlot(passphrase('correct horse'))])
  expect(await readSlots(directory)).toEqual(['key-file', 'custom', 'passphrase'])
  const removals = await Promise.allSettled((['key-file', 'custom', 'passphrase'] as const).map(kind => store.vault.removeSlot(kind)))
  expect(removals.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  await rm(path, { force: true })
})

test('[L26] an open vault knows its passphrase from others', async () => {
  const directory = await scratch()
  const store = await open(directory, passphrase('correct horse'))
  expect(await store.vault.isPassphrase('correct horse')).toBe(true)
  expect(await store.vault.isPassphrase('battery staple')).toBe(false)
  const other = await open(await scratch(), masked(1))
  expect(await other.vault.isPassphrase('')).toBe(false)
})

test('[L27] a closed store has overwritten its device key', async () => {
  const { vault, close } = await open(await scratch(), masked(1))
  const sealed = vault.seal('identity', new Uint8Array([1]))
  await close()
  expect(vault.deviceKey).toEqual(new Uint8Array(32))
  expect(() => vault.open('identity', sealed)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
})

async function tryOpen(directory: string, mask: number): Promise<boolean> {
  const vault = await mkdtemp(join(tmpdir(), 'segue-copy-'))
  onTestFinished(() => rm(vault, { recursive: true, force: true }))
  await writeFile(join(vault, 'vault'), await readFile(join(directory, 'vault')), { mode: 0o600 })
  return openStore({ directory: vault, unlock: masked(mask) }).then(
    store => store.close().then(() => true),
    () => false,
  )
}

async function changeAndKill(
  directory: string,
  mask: number,
  afterLines: number,
): Promise<{ readonly begun: number; readonly done: number; readonly changes: number }> {
  const path = fileURLToPath(new URL('../../fixtures/bundle/slot-changer.js', import.meta.url))
  const changer = spawn(process.execPath, [path, directory, String(mask), String((mask + 1) % 256)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => kill(changer))
  let [begun, done, changes, lines] = [mask, mask, 0, 0]
  for await (const line of createInterface({ input: changer.stdout as NodeJS.ReadableStream })) {
    const [what, value] = line.split(' ')
    if (what === 'begin') begun = Number(value)
    else [done, changes] = [Number(value), changes + 1]
    if (++lines === afterLines) changer.kill('SIGKILL')
  }
  await kill(changer)
  return { begun, done, changes }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}

function is(code: ErrorCode): (error: unknown) => boolean {
  return error => isSegueError(error, code)
}

async function open(directory: string, unlock: Unlock): Promise<Store> {
  const store = await openStore({ directory, unlock })
  onTestFinished(() => store.close())
  return store
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-slots-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
