import { createServer } from 'node:http'
import { once } from 'node:events'
import { open, readdir } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { SegueError } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { scratch } from '../testing/cast.ts'
import { createMemoryVolume } from '@segue/storage/volume'
import { restoreInto, writeBackup } from './backup.ts'
import { explain } from './explain.ts'
import { startOpsServer } from './ops-server.ts'

const errorOf = async (task: Promise<unknown>): Promise<unknown> =>
  task.then(
    () => expect.fail('it did not fail'),
    (error: unknown) => error,
  )

test('what devices say of a store is said of the relay and its folder', () => {
  expect(explain(new SegueError('STORE_LOCKED'), '/srv/relay')).toMatch(/^\/srv\/relay is in use by another process.*systemctl stop/)
  for (const code of ['STORE_LOCKED', 'STORE_DAMAGED', 'STORE_FAILED', 'STORE_NEWER'] as const) {
    expect(explain(new SegueError(code), '/srv/relay')).not.toMatch(/segue down|another device|on this device/)
  }
  expect(explain(new SegueError('RELAY_UNKNOWN'), '/srv/relay')).toBe(new SegueError('RELAY_UNKNOWN').message)
})

test('a port that is taken is named with the setting, in one line', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const answers = { notReady: async () => undefined, metrics: async () => ({ text: '', contentType: '' }) }
  const error = await errorOf(startOpsServer({ host: '127.0.0.1', port }, answers))
  expect(explain(error, '/srv/relay')).toMatch(new RegExp(`^127\\.0\\.0\\.1:${port} is taken by another program.*--ops\\.$`))
})

test('files are named without the words of the system; what is not known is its message, and never its stack', async () => {
  const folder = await scratch()
  expect(explain(await errorOf(open(path.join(folder, 'no', 'file'))), '/')).toBe(`There is no ${path.join(folder, 'no', 'file')}.`)
  expect(explain(await errorOf(open(folder, 'w')), '/')).toBe(`${folder} is a folder: name a file.`)
  expect(explain(new Error('the moon'), '/')).toBe('the moon')
  expect(explain('text', '/')).toBe('text')
})

test('[B14] a backup that is none is refused with words for people, and nothing is left where it was to go', async () => {
  const folder = await scratch()
  const [file, directory] = [path.join(folder, 'backup'), path.join(folder, 'data')]
  const restore = (from: string): Promise<unknown> => restoreInto(directory, from, { hasKey: false })
  const volume = createMemoryVolume()
  await volume.commit(transaction => transaction.put(Buffer.from('k'), Buffer.alloc(2_000)))
  await writeBackup(volume, 'ab'.repeat(32), file)
  const cut = path.join(folder, 'cut')
  const handle = await open(cut, 'w')
  await handle.write(new Uint8Array(1_000))
  await handle.close()
  for (const [from, why] of [
    [path.join(folder, 'nowhere'), /There is no backup/],
    [folder, /is a folder/],
    [cut, /is no whole backup of a relay.*Nothing was restored/],
  ] as const) {
    await expect(restore(from)).rejects.toThrow(why)
    expect((await readdir(folder)).sort()).toEqual(['backup', 'cut'])
  }
  // Also when it fails later: the key in it is none.
  await writeBackup(volume, 'no key', path.join(folder, 'keyless'))
  await expect(restore(path.join(folder, 'keyless'))).rejects.toThrow(/is no whole backup/)
  expect(await readdir(folder)).not.toContain('data')
  await restore(file)
  await expect(restore(file)).rejects.toThrow(/is not empty/)
})

test('a backup goes only into a folder that is there, and does not take the place of one', async () => {
  const folder = await scratch()
  const write = (to: string): Promise<unknown> => writeBackup(createMemoryVolume(), 'ab'.repeat(32), to)
  await expect(write(path.join(folder, 'no', 'backup'))).rejects.toThrow(`There is no folder ${path.join(folder, 'no')}`)
  await expect(write(folder)).rejects.toThrow('is a folder: name a file in it')
})
