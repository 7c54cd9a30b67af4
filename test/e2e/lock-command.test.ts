/** Locking, changing how the keys are kept, and being asked again, as a person's shell does it. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'
import { createTemporaryHomes, ON_LOOPBACK } from './temporary-homes.ts'

const homes = createTemporaryHomes()
afterAll(() => homes.remove())

const MAY_LOOK = existsSync('/proc/self/mem')
const OLD = 'correct horse battery'
const NEW = 'staple of a new colour'

interface Outcome {
  readonly code: number
  readonly json: { readonly error?: { readonly code: string; readonly message: string } } & Readonly<Record<string, unknown>>
}

/** Types the lines as they are asked for, on a pipe. */
async function typed(shell: Shell, lines: readonly string[], ...args: readonly string[]): Promise<Outcome> {
  const running = startSegue(shell, '--json', ...args)
  for (const line of lines) running.type(line)
  const { code, stdout } = await running.finished
  return { code, json: JSON.parse(stdout) as Outcome['json'] }
}

interface Processes {
  readonly pid: number
  readonly supervisor: number
}
const processesOf = ({ home }: Shell): Processes => JSON.parse(readFileSync(path.join(home, 'daemon.json'), 'utf8')) as Processes

const laptop = homes.shell('Laptop')

test('locked it says so and does nothing else; its passphrase opens it, and no other', async () => {
  expect(await typed(laptop, [OLD], 'up', '--name', 'Laptop', '--keys', 'passphrase', ...ON_LOOPBACK)).toMatchObject({
    code: 0,
    json: { state: 'running', keys: 'passphrase' },
  })
  const { id } = await segueJson<{ id: string }>(laptop, 'session', 'create', 'Notes')
  const before = processesOf(laptop)
  if (MAY_LOOK) expect((await copiesOf(OLD)).every(copies => copies > 0)).toBe(true) // so it is looked for in the right place
  expect(await segueJson(laptop, 'lock')).toMatchObject({ state: 'locked', wasOpen: true, keys: ['passphrase'] })
  const after = processesOf(laptop)
  expect([after.pid === before.pid, after.supervisor === before.supervisor]).toEqual([false, false])

  const [status, sessions, up, wrong] = await Promise.all([
    runSegue(laptop, 'status'),
    typed(laptop, [], 'session', 'list'),
    typed(laptop, [], 'up'),
    typed(laptop, [NEW], 'unlock'),
  ])
  expect(status.stdout).toMatch(/^locked[\s\S]*under a passphrase/)
  expect(sessions).toMatchObject({ code: 1, json: { error: { code: 'LOCKED' } } })
  expect(up).toMatchObject({ code: 0, json: { state: 'already-running', isLocked: true } })
  expect(wrong).toMatchObject({ code: 1, json: { error: { code: 'UNLOCK_WRONG' } } })
  if (MAY_LOOK) expect(await copiesOf(OLD)).toEqual([0, 0])

  expect(await typed(laptop, [OLD], 'unlock')).toMatchObject({ code: 0, json: { state: 'open', wasLocked: true } })
  process.kill(processesOf(laptop).pid, 'SIGKILL') // the next one asks nobody
  expect(await segueJson(laptop, 'session', 'list')).toMatchObject({ sessions: [{ id }] })
})

test.skipIf(MAY_LOOK)('no process of a locked device has the passphrase in its memory (not run: no /proc to look into)', () => {
  expect(MAY_LOOK).toBe(true)
})

test('another passphrase takes the place of the first, which is asked for before; a key file goes with its way', async () => {
  expect(await typed(laptop, [NEW, NEW], 'keys', 'change', 'passphrase')).toMatchObject({ json: { error: { code: 'CONFIRMATION_WRONG' } } })
  expect(await typed(laptop, [OLD, NEW], 'keys', 'change', 'passphrase')).toMatchObject({ code: 0, json: { keys: ['passphrase'] } })
  expect(await typed(laptop, [], 'keys', 'remove', 'passphrase')).toMatchObject({ code: 1, json: { error: { code: 'KEYS_LAST_SLOT' } } })
  expect(await typed(laptop, [NEW], 'keys', 'add', 'key-file')).toMatchObject({ json: { keys: ['passphrase', 'key-file'] } })
  const file = path.join(laptop.home, 'device.key')
  expect(existsSync(file)).toBe(true)
  await segueJson(laptop, 'lock')
  expect(await segueJson(laptop, 'unlock')).toMatchObject({ state: 'open' })
  expect(await typed(laptop, [NEW], 'keys', 'remove', 'key-file')).toMatchObject({ json: { keys: ['passphrase'] } })
  expect(existsSync(file)).toBe(false)
})

test('letting a device in takes the passphrase after the digits; promoting takes it, or the name typed out', async () => {
  const desk = await homes.start('Desk')
  const inviting = startSegue(laptop, '--json', 'pair', 'new')
  const [, text] = await inviting.says(/"text":"([^"]+)"/)
  const joining = startSegue(desk, '--json', 'pair', 'join')
  joining.type(String(text))
  const [, code] = await joining.says(/"code":"(\d{6})"/)
  await inviting.says(/Digits/)
  inviting.type(String(code))
  await inviting.says(/Passphrase of this device/)
  inviting.type(OLD)
  await inviting.says(/Passphrase[\s\S]*Passphrase/)
  inviting.type(NEW)
  expect((await Promise.all([inviting.finished, joining.finished])).map(done => done.code)).toEqual([0, 0])
  expect((await runSegue(laptop, 'status')).stdout).toContain('one admin alone')

  const [insufficient, right] = [
    await typed(laptop, [OLD], 'devices', 'promote', 'Desk', '--confirm', 'Desk'),
    await typed(laptop, [NEW], 'devices', 'promote', 'desk'),
  ]
  expect(insufficient).toMatchObject({ json: { error: { code: 'CONFIRMATION_WRONG' } } })
  expect(right).toMatchObject({ code: 0, json: { device: { name: 'Desk', role: 'admin' } } })
  await expect.poll(() => segueJson(desk, 'status'), { timeout: 20_000 }).toMatchObject({ status: { advice: [] } })

  expect(await typed(desk, [], 'devices', 'demote', 'Laptop')).toMatchObject({ code: 0, json: { device: { role: 'member' } } })
  expect(await typed(desk, [], 'devices', 'demote', 'Desk')).toMatchObject({ code: 1, json: { error: { code: 'LAST_ADMIN' } } })
  const asking = startSegue(desk, 'devices', 'promote', 'Laptop')
  await asking.says(/Typed confirmation: type the name of the device/)
  asking.type('Desk')
  expect(await asking.finished).toMatchObject({ code: 1, stderr: expect.stringContaining('CONFIRMATION_WRONG') })
  expect(await typed(desk, [], 'devices', 'promote', 'Laptop', '--confirm', 'Laptop')).toMatchObject({ code: 0 })
}, 120_000)

describe('a device with a key file', () => {
  const phone = homes.shell('Phone')

  test('that nobody uses locks itself, and its key file opens it again', async () => {
    mkdirSync(phone.home, { mode: 0o700 })
    writeFileSync(path.join(phone.home, 'config.json'), JSON.stringify({ autoLockMinutes: 0.05 }))
    await segueJson(phone, 'up', '--keys', 'key-file', ...ON_LOOPBACK)
    await expect.poll(() => segueJson(phone, 'status'), { timeout: 20_000 }).toMatchObject({ state: 'locked', keys: ['key-file'] })
    expect((await runSegue(phone, 'lock', '--after', '10')).stdout).toContain('10 minutes')
    expect(await segueJson(phone, 'unlock')).toMatchObject({ state: 'open' })
    expect(await segueJson(phone, 'status')).toMatchObject({ state: 'open', autoLockMinutes: 10 })
    await segueJson(phone, 'down')
  })

  test.skipIf(process.platform === 'win32')(
    'that others may read is refused with the command that mends it (not run: Windows has no such rights)',
    async () => {
      const store = path.join(phone.home, 'data')
      chmodSync(store, 0o755)
      const { code, stderr } = await runSegue(phone, 'up')
      expect([code, stderr.includes(`chmod 700 ${store}`)]).toEqual([1, true])
    },
  )
})

/** In the daemon and its supervisor. */
async function copiesOf(text: string): Promise<readonly number[]> {
  const { pid, supervisor } = processesOf(laptop)
  return Promise.all([pid, supervisor].map(process => copiesIn(process, text)))
}

/** How often the text lies in a process's memory, in either width that JavaScript keeps text in. */
async function copiesIn(pid: number, text: string): Promise<number> {
  const needles = [Buffer.from(text, 'utf8'), Buffer.from(text, 'utf16le')]
  const memory = await open(`/proc/${pid}/mem`, 'r')
  try {
    let copies = 0
    for (const line of (await readFile(`/proc/${pid}/maps`, 'utf8')).split('\n')) {
      const [, from, to, rights] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? []
      if (from === undefined || to === undefined || rights?.startsWith('rw') !== true) continue
      const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)]
      const bytes = Buffer.alloc(Math.min(end - start, 1 << 30))
      const { bytesRead } = await memory.read(bytes, 0, bytes.length, start).catch(() => ({ bytesRead: 0 }))
      const region = bytes.subarray(0, bytesRead)
      for (const needle of needles) for (let at = region.indexOf(needle); at >= 0; at = region.indexOf(needle, at + 1)) copies++
    }
    return copies
  } finally {
    await memory.close()
  }
}
