/** `segue backup`, `segue recovery create`, `segue restore`: as a person at a shell, and as a script. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { runSegue, segueJson, startSegue, type Running, type Shell } from './segue-process.ts'
import { createTemporaryHomes, ON_LOOPBACK } from './temporary-homes.ts'

const homes = createTemporaryHomes()
const backup = path.join(homes.root, 'everything.backup')
const texts = { 'plan.txt': 'First the sea, then the hills.\n'.repeat(2_000), 'list.txt': 'bread, salt, 🫒\n' }
let laptop: Shell
let words: readonly string[] = []
beforeAll(async () => {
  laptop = await homes.start('laptop')
}, 120_000)
afterAll(() => homes.remove())

/** What was shown, and three of it given back. */
async function giveBack(running: Running): Promise<readonly string[]> {
  const [line] = await running.says(/\{"words":.*\}/)
  const { words: shown } = JSON.parse(line) as { readonly words: readonly string[] }
  for (let asked = 1; asked <= 3; asked++) {
    const [, place] = await running.says(new RegExp(`(?:Word (\\d+):[^]*?){${asked}}`))
    running.type(shown[Number(place) - 1] ?? '')
  }
  return shown
}

test(
  '[W4] [W6] a phrase is shown once, three of its words are asked back, and a backup is sealed to it',
  { timeout: 120_000 },
  async () => {
    for (const [name, text] of Object.entries(texts)) await segueJson(laptop, 'session', 'import', homes.file(name, text))
    const early = await runSegue(laptop, '--json', 'backup', backup)
    expect([early.code, JSON.parse(early.stdout)]).toMatchObject([1, { error: { code: 'RECOVERY_NO_PHRASE' } }])
    expect((await runSegue(laptop, 'status')).stdout).toContain('not backed up')
    expect(await segueJson(laptop, 'status')).toMatchObject({ status: { backup: { isOnlyHere: true } } })

    const sloppy = startSegue(laptop, '--json', 'recovery', 'create')
    await sloppy.says(/Word \d+:/)
    for (let i = 0; i < 3; i++) sloppy.type('something')
    expect((await sloppy.finished).code).toBe(1)
    expect(await segueJson(laptop, 'recovery', 'show')).not.toHaveProperty('phrase')

    const creating = startSegue(laptop, '--json', 'recovery', 'create')
    words = await giveBack(creating)
    const created = await creating.finished
    expect([created.code, words.length], created.stderr).toEqual([0, 24])
    expect((await runSegue(laptop, 'recovery', 'show')).stdout).toMatch(/There is a recovery phrase, made .* ago on “laptop”/)

    expect(await segueJson(laptop, 'backup', backup)).toMatchObject({ file: backup, leftOut: 0, bytes: statSync(backup).size })
    expect(statSync(backup).mode & 0o777).toBe(0o600)
    expect((await runSegue(laptop, 'status')).stdout).not.toContain('not backed up')
    // Nothing of the words is stored: neither in the backup, nor in anything of this device.
    const [first, second] = words as [string, string]
    for (const file of filesUnder(laptop.home)) expect(readFileSync(file).includes(`${first} ${second}`)).toBe(false)
  },
)

test('[W9] on an empty machine wrong words and wrong files are told apart, and leave nothing', { timeout: 120_000 }, async () => {
  const empty = homes.shell('empty')
  mkdirSync(empty.home, { recursive: true })
  const cut = path.join(homes.root, 'cut.backup')
  copyFileSync(backup, cut)
  truncateSync(cut, statSync(cut).size - 10)
  const photo = homes.file('photo.jpg', 'a photo of a cat')
  const unasked = await Promise.all([
    runSegue(empty, '--json', 'restore', path.join(homes.root, 'nowhere'), '--keys', 'key-file'),
    runSegue(empty, '--json', 'recovery', 'restore', '--relay', 'bogus', '--keys', 'key-file'),
  ])
  expect(unasked.map(({ stdout }) => (JSON.parse(stdout) as { readonly error: { readonly code: string } }).error.code)).toEqual([
    'BACKUP_UNREADABLE',
    'RELAY_INVITE_INVALID',
  ])
  expect(unasked.map(({ stderr }) => stderr)).toEqual(['', ''])
  const tries: readonly (readonly [file: string, typed: string, says: RegExp])[] = [
    [backup, words.with(4, 'sague').join(' '), /word 5 is not in the list/],
    [backup, words.slice(0, 20).join(' '), /there are 20, and 24 are needed/],
    [
      backup,
      words
        .with(0, words[1] ?? '')
        .with(1, words[0] ?? '')
        .join(' '),
      /do not belong together|do not open that backup/,
    ],
    [photo, words.join(' '), /not a backup made by Segue/],
    [cut, words.join(' '), /damaged, cut short/],
  ]
  for (const [file, typed, says] of tries) {
    const restoring = startSegue(empty, 'restore', file, '--keys', 'key-file', '--name', 'attic')
    await restoring.says(/The 24 words/)
    restoring.type(typed)
    const { code, stderr, stdout } = await restoring.finished
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(says)
    expect(readdirSync(empty.home)).toEqual([])
  }
})

test('[W7] [W10] the words and the file bring everything back, and give new words', { timeout: 120_000 }, async () => {
  const exported = await exportAll(laptop)
  await runSegue(laptop, 'down')
  const attic = homes.shell('attic')
  const restoring = startSegue(attic, '--json', 'restore', backup, '--keys', 'key-file', '--name', 'attic')
  await restoring.says(/The 24 words/)
  restoring.type(`  ${words.join('   ').toUpperCase()} `)
  await restoring.says(/Which do you still have/)
  restoring.type('')
  const fresh = await giveBack(restoring)
  const restored = await restoring.finished
  expect(restored.code, restored.stderr).toBe(0)
  expect(JSON.parse(restored.stdout)).toMatchObject({ kept: [], removed: [expect.any(String)], leftOut: 0, untold: [] })
  expect(fresh).not.toEqual(words)

  await segueJson(attic, 'up', ...ON_LOOPBACK)
  expect(await exportAll(attic)).toEqual(exported)
  const { devices } = await segueJson<{ readonly devices: readonly unknown[] }>(attic, 'devices')
  expect(devices).toMatchObject([{ name: 'attic', role: 'admin' }])
  const again = await runSegue(attic, '--json', 'restore', backup)
  expect([again.code, JSON.parse(again.stdout)]).toMatchObject([1, { error: { code: 'RESTORE_NOT_EMPTY' } }])
})

test(
  '[W7] [W11] the new words and a relay bring everything back as well, into a home with a passphrase',
  { timeout: 180_000 },
  async () => {
    const { invite, stop } = await startRelay()
    const attic = homes.shell('attic')
    await segueJson(attic, 'relay', 'add', invite)
    await expect
      .poll(() => segueJson(attic, 'relay', 'list'), { timeout: 30_000, interval: 200 })
      .toMatchObject({ relays: [{ members: 'current', sync: 'in-sync', unconfirmed: 0 }] })
    expect((await runSegue(attic, 'status')).stdout).not.toContain('not backed up')
    const creating = startSegue(attic, '--json', 'recovery', 'create')
    const newest = await giveBack(creating)
    expect((await creating.finished).code).toBe(0)
    await expect
      .poll(() => segueJson(attic, 'relay', 'list'), { timeout: 30_000, interval: 200 })
      .toMatchObject({ relays: [{ members: 'current', sync: 'in-sync', unconfirmed: 0 }] })
    const exported = await exportAll(attic)
    const { relays } = await segueJson<{ readonly relays: readonly string[] }>(attic, 'recovery', 'show')
    await runSegue(attic, 'down')

    const cellar = homes.shell('cellar')
    const where = ['recovery', 'restore', '--relay', relays[0] ?? '', '--keys', 'passphrase', '--name', 'cellar']
    const stale = startSegue(cellar, '--json', ...where)
    await stale.says(/Choose a passphrase/)
    stale.type('correct horse')
    await stale.says(/The 24 words/)
    stale.type(words.join(' '))
    const refused = await stale.finished
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([1, { error: { code: 'RECOVERY_NOT_THERE' } }])
    expect(existsSync(cellar.home) ? readdirSync(cellar.home) : []).toEqual([])

    const restoring = startSegue(cellar, '--json', ...where, '--keep', 'attic')
    await restoring.says(/Choose a passphrase/)
    restoring.type('correct horse')
    await restoring.says(/The 24 words/)
    restoring.type(newest.join(' '))
    await giveBack(restoring)
    const restored = await restoring.finished
    expect(restored.code, restored.stderr).toBe(0)
    expect(JSON.parse(restored.stdout)).toMatchObject({ kept: [expect.any(String)], removed: [], leftOut: 0, untold: [], mayLack: false })
    const up = startSegue(cellar, '--json', 'up', ...ON_LOOPBACK)
    await up.says(/Passphrase of this device/)
    up.type('correct horse')
    expect((await up.finished).code).toBe(0)
    expect(await exportAll(cellar)).toEqual(exported)
    await expect
      .poll(() => segueJson(cellar, 'relay', 'list'), { timeout: 60_000, interval: 200 })
      .toMatchObject({ relays: [{ members: 'current', state: 'linked' }] })
    await runSegue(cellar, 'down')
    await stop()
  },
)

async function startRelay(): Promise<{ readonly invite: string; readonly stop: () => Promise<void> }> {
  const entry = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../packages/relay/bin/segue-relay.js')
  const listen = ['--listen', '/ip4/127.0.0.1/tcp/0', '--ops', 'off', '--log-level', 'error']
  const relay = spawn(process.execPath, [entry, '--data', path.join(homes.root, 'relay'), ...listen, 'serve'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const stop = async (): Promise<void> => {
    const ended = once(relay, 'exit')
    if (relay.exitCode === null && relay.kill('SIGTERM')) await ended
  }
  onTestFinished(stop)
  let invite = ''
  for await (const line of createInterface({ input: relay.stderr })) {
    invite = /segue-relay1:[\w-]+/.exec(line)?.[0] ?? ''
    if (invite !== '') break
  }
  relay.stderr.resume()
  return { invite, stop }
}

async function exportAll(shell: Shell): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {}
  for (const name of Object.keys(texts)) {
    const { code, stdout, stderr } = await runSegue(shell, 'session', 'export', name)
    expect(code, stderr).toBe(0)
    found[name] = stdout
  }
  return found
}

function filesUnder(folder: string): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => path.join(entry.parentPath, entry.name))
}
