import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createManualClock, type ManualClock } from '@segue/core/testing'
import { keyFile, passphrase, type Unlock } from '@segue/storage'
import { expect, onTestFinished, test } from 'vitest'
import { openLockable, openLockableOn, type LockableOptions, type LockableSegue, type LockState } from './lockable.ts'
import { openSegue } from './open-segue.ts'
import type { Segue } from './segue.ts'

const MINUTE_MS = 60_000

function optionsIn(root: string, unlock: Unlock = keyFile(path.join(root, 'key'))): LockableOptions {
  return {
    directory: path.join(root, 'store'),
    device: { name: 'Laptop' },
    unlock,
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  }
}

function scratch(): string {
  const root = mkdtempSync(path.join(tmpdir(), 'segue-lock-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  return root
}

const segueOf = (device: LockableSegue): Segue => {
  const state = device.state.peek()
  if (state.kind !== 'open') throw new Error(`it is ${state.kind}`)
  return state.segue
}

test('[K3] [K4] locked, nothing of it answers; the right passphrase brings everything back, a wrong one nothing', async () => {
  const root = scratch()
  const device = await openLockable(optionsIn(root, passphrase('correct horse')))
  onTestFinished(() => device.close())
  const before = segueOf(device)
  const session = await before.sessions.create({ title: 'Notes' })
  const document = await session.documents.create({ title: 'List', initial: { text: 'bread' } })
  await device.lock()
  expect(device.state.peek()).toMatchObject({ kind: 'locked', by: 'person' })
  expect(await device.slots()).toEqual(['passphrase'])
  await expect(before.sessions.create({ title: 'More' })).rejects.toMatchObject({ code: 'CLOSED' })
  expect(before.status.peek().keys).toEqual(['passphrase'])

  await expect(device.unlock(passphrase('battery staple'))).rejects.toMatchObject({ code: 'UNLOCK_WRONG' })
  expect(device.state.peek()).toMatchObject({ kind: 'locked', by: 'person' })

  const after = await device.unlock(passphrase('correct horse'))
  expect(segueOf(device)).toBe(after)
  await after.sessions.whenListed()
  expect(after.sessions.list.peek().map(({ title }) => title)).toEqual(['Notes'])
  const handle = await after.repo.find<{ text: string }>(document.handle.url)
  expect(handle.doc().text).toBe('bread')
})

test('[K3] a locked device has let go of its store', async () => {
  const root = scratch()
  const device = await openLockable(optionsIn(root))
  onTestFinished(() => device.close())
  await expect(openSegue(optionsIn(root))).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  await device.lock()
  await (await openSegue(optionsIn(root))).close()
})

test('[K4] one that starts locked has opened nothing', async () => {
  const root = scratch()
  await (await openSegue(optionsIn(root))).close()
  const device = await openLockable({ ...optionsIn(root), startLocked: true })
  onTestFinished(() => device.close())
  expect(device.state.peek()).toMatchObject({ kind: 'locked', by: 'start' })
  await (await openSegue(optionsIn(root))).close()
  await device.unlock(keyFile(path.join(root, 'key')))
  expect(device.state.peek().kind).toBe('open')
})

test('[K7] of many at once each finds what the one before left', async () => {
  const root = scratch()
  const device = await openLockable(optionsIn(root))
  onTestFinished(() => device.close())
  const unlock = keyFile(path.join(root, 'key'))
  const [, first, second] = await Promise.all([device.lock(), device.unlock(unlock), device.unlock(unlock), device.lock(), device.lock()])
  expect(first).toBe(second)
  expect(device.state.peek().kind).toBe('locked')
  await device.close()
  await expect(device.unlock(unlock)).rejects.toMatchObject({ code: 'CLOSED' })
})

interface Idle {
  readonly clock: ManualClock
  readonly day: { ms: number }
  readonly device: LockableSegue
  readonly segue: Segue
  /** Whether it locks once this much time has passed. */
  locks(): Promise<boolean>
}

/** Time is moved by hand; Segue itself runs by the machine's. */
async function idleDevice(): Promise<Idle> {
  const clock = createManualClock()
  const day = { ms: 0 }
  const device = await openLockableOn(
    { ...clock, now: () => clock.now() + day.ms },
    { ...optionsIn(scratch()), autoLockAfterMs: 10 * MINUTE_MS },
    openSegue,
  )
  onTestFinished(() => device.close())
  return {
    clock,
    day,
    device,
    segue: segueOf(device),
    async locks() {
      await device.slots() // whatever began with the last timer has begun
      const isOver = ({ kind }: LockState): boolean => kind === 'locked' || kind === 'open'
      return (await device.state.when(isOver)).kind === 'locked'
    },
  }
}

test('[K5] nobody held it for the set time: it locks', async () => {
  const { clock, device, locks } = await idleDevice()
  clock.advance(10 * MINUTE_MS - 1)
  expect(await locks()).toBe(false)
  clock.advance(1)
  expect(await locks()).toBe(true)
  expect(device.state.peek()).toMatchObject({ by: 'idle' })
})

test('[K5] while somebody is at work it does not, and the time starts anew when they are done', async () => {
  const { clock, device, locks } = await idleDevice()
  const release = device.hold()
  clock.advance(60 * MINUTE_MS)
  expect(await locks()).toBe(false)
  release()
  release()
  clock.advance(10 * MINUTE_MS - 1)
  expect(await locks()).toBe(false)
  device.hold()()
  clock.advance(10 * MINUTE_MS - 1)
  expect(await locks()).toBe(false)
  clock.advance(MINUTE_MS)
  expect(await locks()).toBe(true)
})

test('[K5] a machine that slept was idle, though its monotonic clock stood still', async () => {
  const { clock, day, locks } = await idleDevice()
  day.ms = 60 * MINUTE_MS
  clock.advance(20_000)
  expect(await locks()).toBe(true)
})

test('[K5] the time can be changed while it runs, to never as well', async () => {
  const { clock, device, locks } = await idleDevice()
  device.autoLockAfter(undefined)
  clock.advance(600 * MINUTE_MS)
  expect(await locks()).toBe(false)
  device.autoLockAfter(MINUTE_MS)
  clock.advance(MINUTE_MS)
  expect(await locks()).toBe(true)
})

test('[K6] while the disk takes nothing it stays open, and locks when it does', async () => {
  const clock = createManualClock()
  const disk = { isFull: false }
  const device = await openLockableOn(clock, { ...optionsIn(scratch()), autoLockAfterMs: 10 * MINUTE_MS }, async options => {
    const segue = await openSegue(options)
    const { status } = segue
    const peek: typeof status.peek = () => {
      const now = status.peek()
      return disk.isFull ? { ...now, storage: { ...now.storage, state: 'failing' } } : now
    }
    return { ...segue, status: { ...status, peek } }
  })
  onTestFinished(() => device.close())
  disk.isFull = true
  await expect(device.lock()).rejects.toMatchObject({ code: 'STORE_FAILED' })
  clock.advance(11 * MINUTE_MS)
  await expect(device.lock()).rejects.toMatchObject({ code: 'STORE_FAILED' })
  expect(device.state.peek().kind).toBe('open')
  disk.isFull = false
  clock.advance(MINUTE_MS)
  await device.state.when(({ kind }) => kind === 'locked')
})
