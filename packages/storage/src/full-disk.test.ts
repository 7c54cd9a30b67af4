/** A disk that is full, and one that cannot be written: small file systems in memory, where mounting is allowed. */
import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isSegueError } from '@segue/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { chunkOf } from '../fixtures/batches.ts'
import { custom, openStore, type Store } from './index.ts'

const isStoreFailed = (error: unknown): boolean => isSegueError(error, 'STORE_FAILED')

describe.skipIf(!mayMount())('on a 2 MB file system (skipped where mounting is not allowed)', () => {
  test('[L9] a full disk refuses writes, reading goes on, and after space is freed writing goes on and stays', async () => {
    const mount = await smallDisk()
    const store = await open(mount)
    const filler = fill(join(mount, 'filler'), 1_400_000)

    const acknowledged = await writeUntilFull(store)
    expect(acknowledged).toBeGreaterThan(10)
    await expect(store.chunks.apply({ put: [chunkOf(9_000, 2)] })).rejects.toSatisfy(isStoreFailed)
    await expectAll(store, acknowledged)
    expect(store.chunks.size().chunks).toBe(acknowledged)

    rmSync(filler)
    await store.chunks.apply({ put: [chunkOf(9_001, 2)] })
    await expectAll(store, acknowledged)
    await store.close()

    const again = await open(mount)
    await expectAll(again, acknowledged)
    expect((await again.chunks.get(chunkOf(9_001, 2).id))?.bytes).toEqual(chunkOf(9_001, 2).bytes)
    expect(await again.chunks.get(chunkOf(9_000, 2).id)).toBeUndefined()
    expect(await again.chunks.get(chunkOf(acknowledged, 2).id)).toBeUndefined()
    expect(again.chunks.lastArrival()).toBe(acknowledged + 1)
    await again.close()
  })

  test('[L9] calls under way when the disk fills all settle, each acknowledged or refused', async () => {
    const mount = await smallDisk()
    const store = await open(mount)
    const filler = fill(join(mount, 'filler'), 1_400_000)
    const outcomes = await Promise.allSettled(Array.from({ length: 600 }, (_, i) => store.chunks.apply({ put: [chunkOf(i, 2)] })))
    const kept = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toSatisfy(isStoreFailed)
    expect(kept.length).toBeLessThan(600)
    rmSync(filler)
    await store.chunks.apply({ put: [chunkOf(9_001, 2)] })
    await store.close()
    const again = await open(mount)
    expect((await again.chunks.getMany(kept.map(i => chunkOf(i, 2).id))).length).toBe(kept.length)
    expect(again.chunks.size().chunks).toBe(kept.length + 1)
    await again.close()
  })

  test('[L9] a store cannot be made on a full disk, and can once there is room', async () => {
    const mount = await smallDisk()
    const filler = fill(join(mount, 'filler'), 4_000_000)
    await expect(open(mount)).rejects.toSatisfy(isStoreFailed)
    rmSync(filler)
    await (await open(mount)).close()
  })

  test('[L10] a read-only disk is named when the store is opened, and nothing is lost', async () => {
    const mount = await smallDisk()
    const store = await open(mount)
    await store.chunks.apply({ put: [chunkOf(1, 2)] })
    await store.close()
    execFileSync('mount', ['-o', 'remount,ro', mount])
    await expect(open(mount)).rejects.toSatisfy(isStoreFailed)
    execFileSync('mount', ['-o', 'remount,rw', mount])
    const again = await open(mount)
    await expectAll(again, 1, 1)
    await again.close()
  })
})

function mayMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

async function smallDisk(): Promise<string> {
  const mount = await mkdtemp(join(tmpdir(), 'segue-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount])
  onTestFinished(async () => {
    execFileSync('umount', ['-l', mount])
    await rm(mount, { recursive: true })
  })
  return mount
}

function open(mount: string): Promise<Store> {
  return openStore({ directory: join(mount, 'store'), unlock: custom({ wrap: key => key, unwrap: wrapped => wrapped }) })
}

/** As much of `bytes` as there is room for. */
function fill(path: string, bytes: number): string {
  const file = openSync(path, 'w')
  try {
    for (let written = 0; written < bytes;) written += writeSync(file, new Uint8Array(Math.min(100_000, bytes - written)))
    fsyncSync(file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  } finally {
    closeSync(file)
  }
  return path
}

async function writeUntilFull(store: Store): Promise<number> {
  for (let number = 0; ; number++) {
    try {
      await store.chunks.apply({ put: [chunkOf(number, 2)] })
    } catch (error) {
      expect(error).toSatisfy(isStoreFailed)
      return number
    }
  }
}

async function expectAll(store: Store, count: number, from = 0): Promise<void> {
  for (let number = from; number < from + count; number++) {
    const expected = chunkOf(number, 2)
    expect(Buffer.compare((await store.chunks.get(expected.id))?.bytes ?? new Uint8Array(), expected.bytes)).toBe(0)
  }
}
