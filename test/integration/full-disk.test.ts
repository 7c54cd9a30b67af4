/** Disks that take nothing, on small file systems in memory: what was typed stays, status says so, and saving goes on by itself. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openSegue } from '@segue/engine'
import { describe, expect, onTestFinished, test } from 'vitest'
import { inSync, optionsOf, pair, startDevice } from './cast.ts'

describe.skipIf(!mayMount())('on a file system of 8 MB (not run where mounting is not allowed)', () => {
  test('[I2] on a full disk edits stay in memory, status says so, and freed space saves them by itself', async () => {
    const disk = await smallDisk()
    const directory = path.join(disk, 'store')
    const laptop = await startDevice('Laptop', { directory })
    const desk = await startDevice('Desk')
    await pair(laptop, desk)
    const session = await laptop.sessions.create({ title: 'Notes' })
    const { documentId, handle } = await session.documents.create({ title: 'Text', initial: { text: 'before;' } })
    await session.flush()
    await inSync(laptop, desk)

    const filler = path.join(disk, 'filler')
    fillUp(filler)
    for (let i = 0; i < 40; i++) {
      handle.change(doc => void (doc.text += `${i}: ${'what was typed while the disk was full '.repeat(20)};`))
    }
    const flushed = session.flush().then(() => 'saved')
    flushed.catch(() => undefined) // when the test fails earlier
    const failing = await laptop.status.when(({ storage }) => storage.state === 'failing')
    expect(failing.storage.pending).toBeGreaterThan(0)
    expect(session.durability.peek().saved).toBe('failing')
    const typed = handle.doc().text
    rmSync(filler)
    await laptop.status.when(({ storage }) => storage.state === 'good' && storage.pending === 0)
    expect(await flushed).toBe('saved')
    expect(session.durability.peek().saved).toBe('saved')
    const onDesk = await desk.repo.find<{ text: string }>(handle.url)
    await expect.poll(() => onDesk.doc().text === typed, { timeout: 20_000 }).toBe(true)
    await laptop.close()
    await desk.close()
    const again = await startDevice('Laptop', { directory })
    const reopened = await (await again.sessions.open(session.id)).documents.open<{ text: string }>(documentId)
    expect(reopened.doc().text === typed).toBe(true)
  })

  test('a device on a full disk can be closed, and what was saved before is there', async () => {
    const disk = await smallDisk()
    const directory = path.join(disk, 'store')
    const laptop = await openSegue(optionsOf('Laptop', directory))
    const session = await laptop.sessions.create({ title: 'Saved before' })
    await session.flush()
    fillUp(path.join(disk, 'filler'))
    for (let i = 0; i < 40; i++) session.preferences.set(`key ${i}`, 'lost with the process '.repeat(40))
    const flushed = session.flush().then(
      () => 'saved',
      () => 'not saved',
    )
    await laptop.status.when(({ storage }) => storage.state === 'failing')
    await laptop.close().catch(() => undefined) // it may say what it could not do; what counts is that it ends
    expect(await flushed).toBe('not saved')
    rmSync(path.join(disk, 'filler'))
    const again = await startDevice('Laptop', { directory })
    expect(again.sessions.list.peek().map(({ title }) => title)).toEqual(['Saved before'])
  })

  test('a read-only disk is named when the device is opened, and nothing on it is harmed', async () => {
    const disk = await smallDisk()
    const directory = path.join(disk, 'store')
    const first = await startDevice('Laptop', { directory })
    const session = await first.sessions.create({ title: 'Written before' })
    await session.flush()
    await first.close()
    execFileSync('mount', ['-o', 'remount,ro', disk])
    await expect(openSegue(optionsOf('Laptop', directory))).rejects.toMatchObject({ code: 'STORE_FAILED' })
    execFileSync('mount', ['-o', 'remount,rw', disk])
    const again = await startDevice('Laptop', { directory })
    expect(again.sessions.list.peek().map(({ title }) => title)).toEqual(['Written before'])
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
  const disk = await mkdtemp(path.join(tmpdir(), 'segue-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk])
  onTestFinished(async () => {
    execFileSync('umount', ['-l', disk])
    await rm(disk, { recursive: true })
  })
  return disk
}

/** To the last byte. */
function fillUp(file: string): void {
  const descriptor = openSync(file, 'w')
  try {
    for (;;) writeSync(descriptor, new Uint8Array(4_096))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  } finally {
    closeSync(descriptor)
  }
}
