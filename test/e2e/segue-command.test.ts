/** The `segue` command as a person's shell runs it: what it prints where, and how it exits. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'
import { createTemporaryHomes, ON_LOOPBACK } from './temporary-homes.ts'

const homes = createTemporaryHomes()
afterAll(() => homes.remove())

interface Failure {
  readonly schemaVersion: number
  readonly error: { readonly code: string; readonly message: string }
}

/** Exactly one JSON document on stdout, whatever happened. */
async function outcome(
  shell: Shell,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly json: Failure & Record<string, unknown> }> {
  const { code, stdout } = await runSegue(shell, '--json', ...args)
  expect(stdout.trim().split('\n')).toHaveLength(1)
  return { code, json: JSON.parse(stdout) as Failure & Record<string, unknown> }
}

describe('without a daemon', () => {
  const nobody = homes.shell('nobody')

  test.each([[['status']], [['down']], [['session', 'list']], [['pair', 'new']], [['handoff', 'to', 'Desk']]])(
    '%s ends with 3 and says how to start it',
    async args => {
      const { code, json } = await outcome(nobody, ...args)
      expect([code, json.schemaVersion, json.error.code]).toEqual([3, 1, 'DAEMON_DOWN'])
      expect(json.error.message).toContain('segue up')
    },
  )

  test.each([[['bogus']], [[]], [['pair']], [['session', 'show']], [['up', '--bogus']], [['up', '--keys', 'none']], [['logs', '-n', 'x']]])(
    'wrong usage (%s) ends with 2, with --json as JSON',
    async args => {
      const { code, json } = await outcome(nobody, ...args)
      expect([code, json.schemaVersion, json.error.code]).toEqual([2, 1, 'USAGE'])
    },
  )

  test('help and version go to stdout and end with 0; wrong usage says so on stderr only', async () => {
    const [help, version, wrong] = await Promise.all([runSegue(nobody, '--help'), runSegue(nobody, '--version'), runSegue(nobody, 'bogus')])
    expect([help.code, version.code, wrong.code]).toEqual([0, 0, 2])
    expect(help.stdout).toContain('6 needs review')
    expect(version.stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/)
    expect([wrong.stdout, wrong.stderr.includes('bogus')]).toEqual(['', true])
  })

  test('paths are all in SEGUE_HOME', async () => {
    const { json } = await outcome(nobody, 'paths')
    const { schemaVersion: _, ...places } = json
    expect(Object.values(places).every(place => String(place).startsWith(nobody.home))).toBe(true)
  })

  test('up without a keychain names the choices; a passphrase comes from stdin, never from argv', async () => {
    const refused = await outcome(nobody, 'up', '--keys', 'keychain', ...ON_LOOPBACK)
    if (refused.code !== 0) expect(refused.json.error.message).toMatch(/--keys passphrase.*--keys key-file/)
    const locked = homes.shell('locked')
    const up = startSegue(locked, 'up', '--keys', 'passphrase', ...ON_LOOPBACK)
    await up.says(/Choose a passphrase/)
    up.type('correct horse')
    expect((await up.finished).code).toBe(0)
    await runSegue(locked, 'down')
    const again = startSegue(locked, 'up')
    await again.says(/Passphrase of this device/)
    again.type('battery staple')
    const { code, stderr } = await again.finished
    expect([code, stderr.includes('UNLOCK_WRONG')]).toEqual([1, true])
  })
})

describe('with two devices', () => {
  let laptop: Shell
  let desk: Shell
  beforeAll(async () => {
    ;[laptop, desk] = await Promise.all([homes.start('Laptop'), homes.start('Desk')])
  })

  test('alone: handing over ends with 4, a wrong pairing text with 1', async () => {
    expect((await outcome(laptop, 'handoff', 'to', 'Desk')).code).toBe(4)
    expect(await outcome(laptop, 'pair', 'join', 'garbage')).toMatchObject({ code: 1, json: { error: { code: 'PAIRING_TEXT_INVALID' } } })
  })

  test('they pair: text and digits go where scripts find them, wrong digits are counted, nothing of it is in a log', async () => {
    const inviting = startSegue(laptop, '--json', 'pair', 'new')
    const [, text] = await inviting.says(/"text":"([^"]+)"/)
    const joining = startSegue(desk, '--json', 'pair', 'join')
    joining.type(String(text))
    const [, code] = await joining.says(/"code":"(\d{6})"/)
    await inviting.says(/Digits/)
    inviting.type(code === '111111' ? '222222' : '111111')
    await inviting.says(/Digits[\s\S]*Digits/)
    inviting.type(String(code))
    const [invited, joined] = await Promise.all([inviting.finished, joining.finished])
    expect([invited.code, joined.code]).toEqual([0, 0])
    expect(JSON.parse(invited.stdout)).toMatchObject({ schemaVersion: 1, device: { name: 'Desk' } })
    expect(JSON.parse(joined.stdout)).toMatchObject({ schemaVersion: 1, inviter: expect.stringMatching(/^12D3Koo/) })
    for (const { home } of [laptop, desk]) {
      const log = readFileSync(path.join(home, 'log', 'segue.log'), 'utf8')
      expect([log.includes(String(code)), log.includes(String(text).slice(20, 60))]).toEqual([false, false])
    }
    const { stdout } = await runSegue(laptop, 'devices')
    expect(stdout).toMatch(/NAME[\s\S]*Laptop[\s\S]*this device[\s\S]*Desk[\s\S]*member/)
  })

  test('a file comes out byte for byte, on stdout and in a file', async () => {
    const text = 'line\r\n\uFEFFשלום 👩‍👩‍👧 '
    const { session } = await segueJson<{ session: string }>(laptop, 'session', 'import', homes.file('letter.txt', text))
    await segueJson(desk, 'session', 'open', session.slice(0, 8)).catch(() => segueJson(desk, 'session', 'open', session))
    expect((await runSegue(desk, 'session', 'export', session)).stdout).toBe(text)
    const copy = path.join(homes.root, 'copy.txt')
    expect(await outcome(desk, 'session', 'export', 'letter.txt', '-o', copy)).toMatchObject({
      code: 0,
      json: { bytes: Buffer.byteLength(text) },
    })
    expect(readFileSync(copy, 'utf8')).toBe(text)
  })

  test('what is no text, or too large, or not there is refused, and makes no session', async () => {
    const refused = await Promise.all([
      outcome(laptop, 'session', 'import', homes.file('binary', new Uint8Array([0xff, 0xfe, 0]))),
      outcome(laptop, 'session', 'import', homes.file('large', 'x'.repeat(1024 * 1024 + 1))),
      outcome(laptop, 'session', 'import', homes.file('film', new Uint8Array(9 * 1024 * 1024))),
      outcome(laptop, 'session', 'import', path.join(homes.root, 'nowhere')),
    ])
    expect(refused.map(({ code, json }) => [code, json.error.code])).toEqual([
      [1, 'DOCUMENT_NOT_TEXT'],
      [1, 'DOCUMENT_TOO_LARGE'],
      [1, 'DOCUMENT_TOO_LARGE'],
      [2, 'USAGE'],
    ])
    expect((await outcome(laptop, 'session', 'list')).json['sessions']).toHaveLength(1)
  })

  test('a session goes over and comes back, with its milestones for the person and its outcome for the script', async () => {
    const pushed = await runSegue(laptop, 'handoff', 'to', 'desk')
    expect([pushed.code, pushed.stdout]).toEqual([0, expect.stringContaining('Done')])
    expect(pushed.stderr).toMatch(/authentication[\s\S]*transfer[\s\S]*merge[\s\S]*verification/)
    expect(await outcome(laptop, 'handoff', 'take')).toMatchObject({ code: 0, json: { outcome: { kind: 'done' } } })
    expect((await outcome(laptop, 'handoff', 'list')).json['handoffs']).toHaveLength(2)
    expect((await outcome(laptop, 'handoff', 'cancel', 'nothing')).json.error.code).toBe('HANDOFF_UNKNOWN')
    expect((await outcome(laptop, 'handoff', 'to', 'desk', '--include', 'everything')).code).toBe(2)
  })

  test('checkpoints, conflicts and unknown things', async () => {
    expect(await outcome(laptop, 'history', 'letter.txt', '--checkpoint')).toMatchObject({
      code: 0,
      json: { checkpoints: expect.arrayContaining([expect.objectContaining({ reason: 'manual', byName: 'Laptop' })]) },
    })
    expect(await outcome(laptop, 'conflicts', 'list', 'letter.txt')).toMatchObject({ code: 0, json: { conflicts: [], lateEdits: [] } })
    expect(await outcome(laptop, 'conflicts', 'list')).toMatchObject({ code: 0, json: { conflicts: [], lateEdits: [], unread: [] } })
    expect((await outcome(laptop, 'conflicts', 'resolve', 'abcd', 'accept')).json.error.code).toBe('CONFLICT_UNKNOWN')
    expect(await outcome(laptop, 'conflicts', 'revert', 'letter.txt')).toMatchObject({ code: 0, json: { changed: [] } })
    expect((await outcome(laptop, 'conflicts', 'show', 'letter.txt', 'text-1')).json.error.code).toBe('CONFLICT_UNKNOWN')
    expect((await outcome(laptop, 'session', 'show', 'nothing')).json.error.code).toBe('SESSION_UNKNOWN')
    expect((await outcome(laptop, 'history', 'letter.txt', '--revert', 'nothing')).json.error.code).toBe('CHECKPOINT_UNKNOWN')
  })

  test('status, rename, logs and a second up say what they should', async () => {
    expect(await outcome(laptop, 'up')).toMatchObject({ code: 0, json: { state: 'already-running', notTaken: [] } })
    expect((await outcome(laptop, 'up', '--name', 'Other')).json['notTaken']).toEqual(['--name'])
    expect((await outcome(laptop, 'rename', 'Travel')).code).toBe(0)
    expect(await outcome(laptop, 'status')).toMatchObject({ json: { device: { name: 'Travel' }, status: { devices: { total: 1 } } } })
    expect((await outcome(laptop, 'rename', ' ')).code).toBe(2)
    expect((await outcome(laptop, 'logs', '-n', '5')).json['lines']).toContainEqual(expect.objectContaining({ event: 'ready' }))
    expect((await outcome(laptop, 'logs', '--events')).json['events']).toContainEqual(expect.objectContaining({ type: 'pairing-done' }))
  })

  test('a handoff to a device that is away is queued, and can be taken back', async () => {
    await runSegue(desk, 'down')
    const sent = startSegue(laptop, '--json', 'handoff', 'to', 'Desk')
    const { code, stdout } = await sent.finished
    const { id, outcome: reached } = JSON.parse(stdout) as { id: string; outcome: { kind: string } }
    expect([code, reached.kind]).toEqual([0, 'queued'])
    expect(await outcome(laptop, 'handoff', 'cancel', id)).toMatchObject({ code: 0, json: { outcome: { kind: 'cancelled' } } })
  })
})
