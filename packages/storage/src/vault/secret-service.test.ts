/**
 * The Secret Service for real: gnome-keyring in a D-Bus session of its own, with a home of its own. One process does what the test says
 * there (fixtures/keychain-user.ts) and answers; nothing of the person's own keyring is touched.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { mkdir, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const missing = ['dbus-run-session', 'gnome-keyring-daemon'].filter(program => spawnSync(program, ['--version']).error !== undefined)

describe.skipIf(missing.length > 0)(`the Secret Service (not run where there is none: ${missing.join(', ') || 'it is there'})`, () => {
  const root = mkdtempSync(join(tmpdir(), 'segue-keyring-'))
  let session: ChildProcess
  let answers: AsyncIterator<string>

  beforeAll(async () => {
    for (const name of ['data', 'run', 'store']) mkdirSync(join(root, name), { mode: 0o700 })
    const user = fileURLToPath(new URL('../../fixtures/bundle/keychain-user.js', import.meta.url))
    const script = 'printf "test\\n" | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec "$@"'
    session = spawn('dbus-run-session', ['--', 'sh', '-c', script, 'sh', process.execPath, user, join(root, 'store')], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, HOME: root, XDG_DATA_HOME: join(root, 'data'), XDG_RUNTIME_DIR: join(root, 'run') },
    })
    answers = createInterface({ input: session.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
    expect(await answer()).toBe('ready')
  })
  afterAll(async () => {
    session.stdin?.end() // then it ends, and with it the session
    if (session.exitCode === null) await once(session, 'exit')
    rmSync(root, { recursive: true, force: true })
  })

  async function answer(): Promise<unknown> {
    const { value } = await answers.next()
    return JSON.parse(String(value)) as unknown
  }
  async function tell(...words: readonly string[]): Promise<unknown> {
    session.stdin?.write(`${JSON.stringify(words)}\n`)
    return answer()
  }

  test('[L25] a store is made with a key in the keychain, and the keychain alone opens it', async () => {
    expect(await tell('open', 'keychain')).toEqual({ slots: ['keychain'], entries: 1 })
    expect(await tell('write', 'kept')).toBe('written')
    expect(await tell('close')).toBe('closed')
    expect(await tell('open', 'passphrase', 'correct horse')).toEqual({ code: 'UNLOCK_WRONG' })
    expect(await tell('open', 'keychain')).toMatchObject({ slots: ['keychain'] })
    expect(await tell('read')).toBe('kept')
  })

  test('[L25] a change that cannot be written leaves the entry that the vault names, and no other', async () => {
    await mkdir(join(root, 'store', 'vault.new'))
    expect(await tell('set', 'keychain')).toEqual({ code: 'STORE_FAILED' })
    await rmdir(join(root, 'store', 'vault.new'))
    expect(await tell('close')).toBe('closed')
    expect(await tell('open', 'keychain')).toEqual({ slots: ['keychain'], entries: 1 })
  })

  test('[L25] a changed slot has a new entry, and the old one goes', async () => {
    const before = await tell('names')
    expect(await tell('set', 'keychain')).toEqual({ slots: ['keychain'], entries: 1 })
    expect(await tell('names')).not.toEqual(before)
    await tell('close')
    expect(await tell('open', 'keychain')).toMatchObject({ slots: ['keychain'] })
  })

  test('[L24] keychain and passphrase: neither opens it without the other', async () => {
    expect(await tell('set', 'keychain+passphrase', 'correct horse')).toEqual({ slots: ['keychain', 'keychain+passphrase'], entries: 2 })
    expect(await tell('remove', 'keychain')).toEqual({ slots: ['keychain+passphrase'], entries: 1 })
    expect([await tell('knows', 'correct horse'), await tell('knows', 'battery staple')]).toEqual([true, false])
    await tell('close')
    expect(await tell('open', 'keychain')).toEqual({ code: 'UNLOCK_WRONG' })
    expect(await tell('open', 'passphrase', 'correct horse')).toEqual({ code: 'UNLOCK_WRONG' })
    expect(await tell('open', 'keychain+passphrase', 'battery staple')).toEqual({ code: 'UNLOCK_WRONG' })
    expect(await tell('open', 'keychain+passphrase', 'correct horse')).toMatchObject({ slots: ['keychain+passphrase'] })
    expect(await tell('read')).toBe('kept')
  })

  test('[L24] the passphrase opens nothing once the entry in the keychain is gone', async () => {
    await tell('close')
    expect(await tell('empty')).toBe('emptied')
    expect(await tell('open', 'keychain+passphrase', 'correct horse')).toEqual({ code: 'UNLOCK_WRONG' })
  })
})
