/** Backups, damage, clocks, a full disk. */
import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DAY_MS, isSegueError } from '@segue/core'
import { systemClock } from '@segue/net'
import { createMemoryVolume, openVolume } from '@segue/storage/volume'
import { describe, expect, onTestFinished, test } from 'vitest'
import { chunks, mailboxId, metric, scratch, shareMailbox, startDevice, startRelay, until } from './testing/cast.ts'
import { readKey, writeKey } from './identity-file.ts'
import { restoreBackup, verifyBackup, writeBackup } from './ops/backup.ts'
import { openStopped } from './relay.ts'

const MAILBOX = mailboxId(1)

test('[B13] a relay restored from yesterday is who it was, and its devices bring what it lacks', async () => {
  const [folder, file] = [await scratch(), path.join(await scratch(), 'backup')]
  const relay = await startRelay({ directory: path.join(folder, 'data') })
  const [laptop, phone] = [await startDevice('laptop'), await startDevice('phone')]
  await shareMailbox(relay, MAILBOX, [laptop, phone])
  laptop.connect(relay)
  await laptop.replica.add([chunks.commit('note', 'yesterday')])
  await laptop.onRelay(relay, 'note')
  expect(await relay.operations.backup({ path: file })).toMatchObject({ bytes: expect.any(Number) })
  const today = [chunks.commit('note', 'today'), chunks.commit('another', 'today', { bytes: 100_000 })]
  await laptop.replica.add(today)
  await laptop.onRelay(relay, 'note', 'another')
  await relay.close()

  const directory = path.join(folder, 'restored')
  const volume = await openVolume(directory)
  const { seed } = await restoreBackup(file, volume)
  await volume.close()
  await writeKey(path.join(directory, 'relay.key'), seed)
  const listen = relay.addresses.map(address => address.replace(/\/p2p\/.*/, ''))
  const restored = await startRelay({ directory, listen })
  expect(restored.id).toBe(relay.id)
  laptop.node.resume()
  // What the relay said before counts no more; then it is told again.
  await laptop.replica.confirmations.when(
    () => laptop.replica.confirmedAt(relay.id, chunks.docTag('another')) && laptop.node.links.peek().size === 1,
  )
  await laptop.onRelay(restored, 'note', 'another')
  await laptop.close()
  phone.connect(restored)
  await phone.has(chunks.commit('note', 'yesterday'), ...today)
})

test('[B14] a backup with a byte changed or missing is refused, and nothing of it is restored', async () => {
  const file = path.join(await scratch(), 'backup')
  const volume = createMemoryVolume()
  await volume.commit(transaction => {
    for (let i = 0; i < 300; i++) transaction.put(Buffer.from(`k${i}`), Buffer.alloc(i, i))
  })
  const seed = 'ab'.repeat(32)
  const { entries } = await writeBackup(volume, seed, file)
  expect(await verifyBackup(file)).toMatchObject({ entries: 300 })
  const into = createMemoryVolume()
  expect(await restoreBackup(file, into)).toMatchObject({ entries, seed })
  const all = { gte: new Uint8Array([0]), lt: new Uint8Array([255]) }
  expect(await into.read(view => view.entries(all))).toEqual(await volume.read(view => view.entries(all)))

  const whole = await readFile(file)
  const isDamaged = (error: unknown): boolean => isSegueError(error, 'STORE_DAMAGED')
  for (const at of [0, 25, 60, 1_000, whole.length - 40, whole.length - 1]) {
    await writeFile(
      file,
      whole.map((byte, i) => (i === at ? byte ^ 1 : byte)),
    )
    const empty = createMemoryVolume()
    await expect(restoreBackup(file, empty)).rejects.toSatisfy(isDamaged)
    expect(await empty.read(view => view.entries(all))).toEqual([])
  }
  for (const length of [0, 10, 500, whole.length - 1]) {
    await writeFile(file, whole.subarray(0, length))
    await expect(verifyBackup(file)).rejects.toSatisfy(isDamaged)
  }
  await writeFile(file, Buffer.concat([whole, Buffer.from('x')]))
  await expect(verifyBackup(file)).rejects.toSatisfy(isDamaged)
})

test('[B15] check finds nothing where all is well, and rot where it is', async () => {
  const directory = path.join(await scratch(), 'data')
  const relay = await startRelay({ directory })
  const laptop = await startDevice('laptop')
  await shareMailbox(relay, MAILBOX, [laptop])
  laptop.connect(relay)
  await laptop.replica.add([chunks.commit('note', 'small'), chunks.commit('note', 'large', { bytes: 9_000 })])
  await laptop.onRelay(relay, 'note')
  expect(await relay.operations.check({})).toMatchObject({ mailboxes: 1, chunks: 2, findings: [] })
  await relay.close()

  const volume = await openVolume(directory)
  const large = Buffer.concat([Buffer.from('c'), Buffer.from(MAILBOX, 'hex'), Buffer.from('b')])
  const [[key, value] = []] = await volume.read(view => view.entries({ gte: large, lt: Buffer.concat([large, Buffer.from([255])]) }, 1))
  if (key === undefined || value === undefined) throw new Error('the large one has a key of its own')
  await volume.commit(transaction => {
    transaction.put(
      key,
      value.map((byte, i) => (i === 100 ? byte ^ 1 : byte)),
    )
    transaction.put(Buffer.concat([Buffer.from('c'), Buffer.alloc(16, 9), Buffer.from('m')]), Buffer.from('of nobody'))
  })
  await volume.close()
  const stopped = await openStopped({ directory, announce: [], key: undefined, quotas: relayQuotas })
  onTestFinished(() => stopped.close())
  const { findings } = await stopped.operations.check({})
  expect(findings.map(({ what }) => what).sort()).toEqual(['damaged', 'orphan', 'wrong-count', 'wrong-usage'])
})

test('[B18] a relay ten years behind and a device ten years ahead sync as ever', async () => {
  const relay = await startRelay({ clock: { ...systemClock, now: () => Date.now() - 3_650 * DAY_MS } })
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, MAILBOX, [laptop, desk])
  for (const device of [laptop, desk]) device.connect(relay)
  await laptop.replica.add([chunks.commit('note', 'when?')])
  await desk.has(chunks.commit('note', 'when?'))
  await laptop.onRelay(relay, 'note')
  await relay.housekeeping.run()
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 1, storedChunks: 1 })
})

test('[B24] what was retired goes after its time, mailboxes nobody comes to and old invites after theirs, and nothing else', async () => {
  let ahead = 0
  const clock = { ...systemClock, now: () => Date.now() + ahead }
  const relay = await startRelay({ clock, idleMailboxDays: 100 })
  const [laptop, gone] = [await startDevice('laptop'), await startDevice('gone')]
  await shareMailbox(relay, MAILBOX, [laptop])
  await shareMailbox(relay, mailboxId(2), [gone])
  const { id } = await relay.operations.invite({ days: 1 })
  laptop.connect(relay)
  const commits = [1, 2, 3].map(n => chunks.commit('note', `line ${n}`))
  await laptop.replica.add([...commits, chunks.commit('other', 'stays')])
  await laptop.onRelay(relay, 'note', 'other')
  await laptop.replica.add([chunks.fragment('note', { level: 1, covers: commits.map(commit => commit.id) })])
  // Of a fragment of what the relay has nothing is owed: nobody waits for it.
  await until(async () => (await relay.operations.status({})).storedChunks === 5)
  await relay.housekeeping.run()
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 2, storedChunks: 5 })
  expect((await relay.operations.accounts({})).invites).toMatchObject([{ id }])

  // The device says within seconds what need not be kept; each look is a month later. Being linked is being used.
  await until(async () => {
    ahead += 31 * DAY_MS
    await relay.housekeeping.run()
    return (await relay.operations.status({})).storedChunks === 2
  })
  ahead += 101 * DAY_MS
  await relay.operations.invite({ days: 1 })
  await relay.housekeeping.run()
  expect(await relay.operations.status({})).toMatchObject({ mailboxes: 1, storedChunks: 2 })
  expect((await relay.operations.accounts({})).invites).toHaveLength(1)
})

test('[B10] the key is made once, for this user alone', async () => {
  const file = path.join(await scratch(), 'key')
  expect(await readKey(file)).toBeUndefined()
  await writeKey(file, 'cd'.repeat(32))
  expect(await readKey(file)).toBe('cd'.repeat(32))
  await expect(writeKey(file, 'ef'.repeat(32))).rejects.toThrow('EEXIST')
  execFileSync('chmod', ['644', file])
  await expect(readKey(file)).rejects.toSatisfy(error => isSegueError(error, 'STORE_NOT_PRIVATE'))
})

describe.skipIf(!mayMount())('on a small file system (not run: mounting is not allowed here)', () => {
  test('[B16] on a full disk the relay stays up, confirms nothing it has not stored, and goes on when there is room', async () => {
    const mount = await smallDisk(6)
    const relay = await startRelay({ directory: mount, ops: { host: '127.0.0.1', port: 0 } })
    const laptop = await startDevice('laptop')
    await shareMailbox(relay, MAILBOX, [laptop])
    laptop.connect(relay)
    await laptop.replica.add([chunks.commit('before', '')])
    await laptop.onRelay(relay, 'before')
    const filler = fill(path.join(mount, 'filler'))
    const written = Array.from({ length: 60 }, (_, i) => chunks.commit(`document ${i}`, `${i}`, { bytes: 20_000 }))
    await laptop.replica.add(written)
    while (!((await metric(relay, 'write_failures_total')) > 0)) await laptop.node.links.when(links => links.size === 1)
    const ready = await fetch(`http://${relay.opsAddress}/readyz`)
    expect([ready.status, await ready.text()]).toEqual([503, 'the store does not take writes\n'])
    expect((await fetch(`http://${relay.opsAddress}/healthz`)).status).toBe(200)
    const confirmed = written.filter((_, i) => laptop.replica.confirmedAt(relay.id, chunks.docTag(`document ${i}`)))
    expect(confirmed.length).toBeLessThan(written.length)
    rmSync(filler)
    await laptop.onRelay(relay, ...written.map((_, i) => `document ${i}`))
    expect((await fetch(`http://${relay.opsAddress}/readyz`)).status).toBe(200)
    expect((await relay.operations.check({})).findings).toEqual([])
  })
})

const relayQuotas = { mailboxes: 1, bytes: 1e9, chunks: 1e6, bytesPerMinute: 1e9 }

async function smallDisk(megabytes: number): Promise<string> {
  const mount = await scratch()
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tmpfs', mount])
  onTestFinished(async () => {
    execFileSync('umount', ['-l', mount])
    await rm(mount, { recursive: true, force: true })
  })
  return mount
}

/** Until nothing more fits. */
function fill(file: string): string {
  const descriptor = openSync(file, 'w', 0o600)
  try {
    for (const size of [65_536, 4_096]) {
      try {
        for (;;) writeSync(descriptor, Buffer.alloc(size))
      } catch {
        // full: the next smaller piece
      }
    }
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  return file
}

function mayMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
