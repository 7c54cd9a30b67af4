/** What the published suite does not ask of the adapter for automerge-repo, and a real Repo on it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Repo } from '@automerge/automerge-repo'
import { isSegueError } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { createLevelStorage, type LevelStorage } from './automerge-repo.ts'

test('[L19] a range comes back in the order first saved, after opening again too', async () => {
  const directory = await scratch()
  const storage = open(directory)
  for (const name of ['z', 'a', 'm']) await storage.save(['doc', name], new Uint8Array([1]))
  await storage.save(['doc', 'z'], new Uint8Array([2]))
  await storage.close()
  const again = open(directory)
  await again.save(['doc', 'b'], new Uint8Array([1]))
  expect((await again.loadRange(['doc'])).map(({ key, data }) => [key[1], data?.[0]])).toEqual([
    ['z', 2],
    ['a', 1],
    ['m', 1],
    ['b', 1],
  ])
})

test('[L19] parts of keys are kept apart, whatever characters they hold', async () => {
  const storage = open(await scratch())
  const keys = [['a', 'b'], ['a\u0000', 'b'], ['a\u0001', 'b'], ['a', '\u0000b'], ['ab'], ['a'], ['\u{1f600}', ''], ['', 'x']]
  for (const [i, key] of keys.entries()) await storage.save(key, new Uint8Array([i]))
  for (const [i, key] of keys.entries()) expect(await storage.load(key)).toEqual(new Uint8Array([i]))
  expect((await storage.loadRange(['a'])).map(({ key }) => key)).toEqual([['a', 'b'], ['a', '\u0000b'], ['a']])
  expect((await storage.loadRange([])).map(({ key }) => key)).toEqual(keys)
})

test('[L19] a Repo finds its document again after it was closed', async () => {
  const directory = await scratch()
  const storage = open(directory)
  const repo = new Repo({ storage })
  const handle = repo.create<{ text: string }>({ text: '' })
  handle.change(doc => {
    doc.text = 'kept'
  })
  await repo.flush()
  await repo.shutdown()
  await storage.close()

  const again = new Repo({ storage: open(directory) })
  const found = await again.find<{ text: string }>(handle.url)
  expect(found.doc().text).toBe('kept')
  await again.shutdown()
})

test('[L19] a directory in use elsewhere is named on the first call', async () => {
  const directory = await scratch()
  await open(directory).save(['a'], new Uint8Array([1]))
  await expect(open(directory).load(['a'])).rejects.toSatisfy(error => isSegueError(error, 'STORE_LOCKED'))
})

function open(directory: string): LevelStorage {
  const storage = createLevelStorage({ directory })
  onTestFinished(() => storage.close())
  return storage
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-storage-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
