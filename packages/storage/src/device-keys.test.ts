import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSegueError } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { openDeviceKeys } from './device-keys.ts'

test('[L20] a device is the same one in every run, another file another one', async () => {
  const directory = await scratch()
  const laptop = await openDeviceKeys(join(directory, 'laptop/keys'))
  const desk = await openDeviceKeys(join(directory, 'desk/keys'))
  expect((await openDeviceKeys(join(directory, 'laptop/keys'))).id).toBe(laptop.id)
  expect((await openDeviceKeys(join(directory, 'laptop/keys'))).signing).toEqual(laptop.signing)
  expect(desk.id).not.toBe(laptop.id)
})

test('[L20] its file is 0600, and one that others may read is refused', async () => {
  const file = join(await scratch(), 'own/keys')
  await openDeviceKeys(file)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  await chmod(file, 0o644)
  await expect(openDeviceKeys(file)).rejects.toSatisfy(error => isSegueError(error, 'STORE_NOT_PRIVATE'))
})

test('[L20] a file without keys in it is named and left as it is', async () => {
  const file = join(await scratch(), 'keys')
  await writeFile(file, 'not keys', { mode: 0o600 })
  await expect(openDeviceKeys(file)).rejects.toSatisfy(error => isSegueError(error, 'STORE_DAMAGED'))
  expect((await stat(file)).size).toBe(8)
})

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-keys-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
