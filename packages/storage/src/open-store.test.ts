/** Where a store may lie, which formats it opens, and what it leaves untouched when it does not. */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSegueError, type ErrorCode } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { chunkOf } from '../fixtures/batches.ts'
import { FORMAT, migrate, readFormat, type Migration } from './format.ts'
import { custom, openStore, type Store } from './index.ts'
import { openLevel } from './level/level-store.ts'

test('[L4] a store of a newer format is refused and nothing in it changes', async () => {
  const directory = await scratch()
  await (await open(directory)).close()
  await writeFile(join(directory, 'format'), `segue-store ${FORMAT + 1}\n`)
  const before = await contentsOf(directory)
  await expect(open(directory)).rejects.toSatisfy(is('STORE_NEWER'))
  expect(await contentsOf(directory)).toEqual(before)
})

test('[L4] a format file that is none of ours is named as damage', async () => {
  const directory = await scratch()
  await (await open(directory)).close()
  await writeFile(join(directory, 'format'), 'something else')
  await expect(open(directory)).rejects.toSatisfy(is('STORE_DAMAGED'))
})

test('[L5] migrations run in order from the format found, each noted when it is through', async () => {
  const directory = await scratch()
  await (await open(directory)).close()
  const level = await openLevel(join(directory, 'level'))
  onTestFinished(() => level.close())
  const ran: number[] = []
  let isBroken = true
  const migrations = new Map<number, Migration>([
    [2, async () => void ran.push(2)],
    [
      3,
      async () => {
        ran.push(3)
        if (isBroken) throw new Error('interrupted')
      },
    ],
    [4, async () => void ran.push(4)],
  ])
  await expect(migrate(directory, level, 1, migrations, 4)).rejects.toThrow('interrupted')
  expect(await readFormat(directory, 4)).toBe(2)
  isBroken = false
  await migrate(directory, level, await readFormat(directory, 4), migrations, 4)
  expect(ran).toEqual([2, 3, 3, 4])
  expect(await readFormat(directory, 4)).toBe(4)
})

test('[L6] directories are 0700 and files 0600, those made later too (skipped on Windows)', async context => {
  if (process.platform === 'win32') return context.skip('no such rights')
  const directory = join(await scratch(), 'new', 'store')
  const store = await open(directory)
  for (let i = 0; i < 20; i++) {
    await store.chunks.apply({ put: [{ ...chunkOf(i, 0), bytes: new Uint8Array(600_000).map((_, j) => (j * j * 31 + i) >> 3) }] })
  }
  await store.close()
  await expectPrivate(directory)
})

for (const folder of [
  'Dropbox',
  'OneDrive - Firm',
  'Google Drive',
  'Library/Mobile Documents',
  'Library/CloudStorage/Box-Box',
  'Nextcloud',
]) {
  test(`[L7] ${folder} is refused, and nothing is made in it`, async () => {
    const directory = await scratch()
    await expect(open(join(directory, folder, 'segue'))).rejects.toSatisfy(is('STORE_UNSAFE_PLACE'))
    expect(await readdir(directory)).toEqual([])
  })
}

test('[L7] a folder that a synchroniser has marked is refused, whatever its name', async () => {
  const directory = await scratch()
  await mkdir(join(directory, '.stfolder'))
  await expect(open(join(directory, 'deep', 'store'))).rejects.toSatisfy(is('STORE_UNSAFE_PLACE'))
})

test('[L3] the same process cannot open it twice either', async () => {
  const directory = await scratch()
  const store = await open(directory)
  await expect(open(directory)).rejects.toSatisfy(is('STORE_LOCKED'))
  await store.chunks.apply({ put: [chunkOf(1, 0)] })
  await store.close()
})

test('[L16] a store whose vault is gone is not given a new key', async () => {
  const directory = await scratch()
  await (await open(directory)).close()
  await rm(join(directory, 'vault'))
  await expect(open(directory)).rejects.toSatisfy(is('STORE_DAMAGED'))
  expect(await readdir(directory)).not.toContain('vault')
})

test('closing twice is closing once, and closes chunks and records', async () => {
  const store = await open(await scratch())
  await store.close()
  await store.close()
  await expect(store.chunks.get(chunkOf(1, 0).id)).rejects.toSatisfy(is('CLOSED'))
  await expect(store.records.get('a')).rejects.toSatisfy(is('CLOSED'))
})

function is(code: ErrorCode): (error: unknown) => boolean {
  return error => isSegueError(error, code)
}

function open(directory: string): Promise<Store> {
  return openStore({ directory, unlock: custom({ wrap: key => key, unwrap: wrapped => wrapped }) })
}

async function contentsOf(directory: string): Promise<readonly string[]> {
  const lines = await Promise.all(
    (await readdir(directory, { recursive: true, withFileTypes: true })).map(async entry => {
      const path = join(entry.parentPath, entry.name)
      const { mtimeMs, mode } = await stat(path)
      const hash = entry.isFile()
        ? createHash('sha256')
            .update(await readFile(path))
            .digest('hex')
        : ''
      return `${path} ${mode} ${mtimeMs} ${hash}`
    }),
  )
  return lines.sort()
}

async function expectPrivate(directory: string): Promise<void> {
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  expect(entries.length).toBeGreaterThan(5)
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    expect([path, (await stat(path)).mode & 0o777]).toEqual([path, entry.isDirectory() ? 0o700 : 0o600])
  }
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'segue-store-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
