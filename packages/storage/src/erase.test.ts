/** Taking a store away for good, whatever interrupts it. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSegueError } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { custom, openStore, type Store } from './index.ts'
import { eraseFiles, eraseKeys, finishErasing, forgetErased, markErased } from './erase.ts'

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-erase-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
/** The key is known to the test, as the person who unlocks knows the passphrase. */
const open = (directory: string): Promise<Store> =>
  openStore({ directory, unlock: custom({ wrap: async key => key, unwrap: async wrapped => wrapped }) })

async function filled(directory: string): Promise<Store> {
  const store = await open(directory)
  await store.records.write(new Map([['device/group', new Uint8Array(200).fill(7)]]))
  return store
}

test('[L29] nothing of an erased store is left but the mark, and a new one begins with other keys', async () => {
  const directory = await scratch()
  const store = await filled(directory)
  const before = store.vault.deviceKey.slice()
  await markErased(directory, 5)
  await eraseKeys(directory)
  await store.close()
  await eraseFiles(directory)
  expect(await readdir(directory)).toEqual(['erased'])
  expect(await finishErasing(directory)).toBe(5)
  const fresh = await open(directory)
  onTestFinished(() => fresh.close())
  expect(fresh.vault.deviceKey).not.toEqual(before)
  expect(await fresh.records.get('device/group')).toBeUndefined()
  await forgetErased(directory)
  expect(await finishErasing(directory)).toBeUndefined()
})

test('[L30] interrupted after the mark, after the keys, or among the files, the next opening ends it', async () => {
  for (const steps of [0, 1, 2]) {
    const directory = await scratch()
    const store = await filled(directory)
    await markErased(directory, 5)
    if (steps > 0) await eraseKeys(directory)
    await store.close()
    if (steps > 1) await rm(join(directory, 'level', 'CURRENT'))
    expect(await finishErasing(directory)).toBe(5)
    expect(await readdir(directory)).toEqual(['erased'])
  }
})

test('[L30] nothing is taken from under a process that still has the store open', async () => {
  const directory = await scratch()
  const store = await filled(directory)
  onTestFinished(() => store.close())
  await markErased(directory, 5)
  await expect(finishErasing(directory)).rejects.toSatisfy((error: unknown) => isSegueError(error, 'STORE_LOCKED'))
  expect(await readFile(join(directory, 'vault'))).not.toHaveLength(0)
})

test('[L30] a store without a mark is left alone', async () => {
  const directory = await scratch()
  await (await filled(directory)).close()
  const before = await readdir(directory)
  expect(await finishErasing(directory)).toBeUndefined()
  expect(await readdir(directory)).toEqual(before)
})
