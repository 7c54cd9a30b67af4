/** The operator's side: settings, listeners, and the command in real processes. */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { decodeInvite } from '@segue/core'
import { expect, onTestFinished, test } from 'vitest'
import { chunks, inviteIn, mailboxId, metric, scratch, shareMailbox, startDevice, startRelay } from './testing/cast.ts'
import { SETTINGS, readSettings, variableOf } from './cli/settings.ts'
import { callRelay } from './ops/admin-socket.ts'

test('[B20] every setting is the same as a flag, a variable, the file of a variable, and in the settings file, in this order', async () => {
  const folder = await scratch()
  const given: Readonly<Record<string, readonly [flag: string, variable: string, inFile: string, config: string]>> = {
    data: ['/a', '/b', '/c', '/d'],
    listen: ['/ip4/1.1.1.1/tcp/1', '/ip4/1.1.1.1/tcp/2', '/ip4/1.1.1.1/tcp/3', '/ip4/1.1.1.1/tcp/4'],
    announce: ['/dns4/a/tcp/1', '/dns4/b/tcp/1', '/dns4/c/tcp/1', '/dns4/d/tcp/1'],
    ops: ['127.0.0.1:1', '127.0.0.1:2', 'off', '[::1]:4'],
    key: ['a', 'b', 'c', 'd'].map(digit => digit.repeat(64)) as unknown as readonly [string, string, string, string],
    logLevel: ['debug', 'info', 'warn', 'error'],
    logIds: ['true', 'false', 'true', 'false'],
    retention: ['keep', 'until-acknowledged', 'keep', 'until-acknowledged'],
  }
  for (const setting of SETTINGS) {
    const [flag, variable, inFile, config] = given[setting.name] ?? ['1', '2', '3', '4']
    const [valueFile, configFile] = [path.join(folder, `${setting.name}.txt`), path.join(folder, `${setting.name}.json`)]
    await writeFile(valueFile, `${inFile}\n`)
    await writeFile(configFile, JSON.stringify({ [setting.name]: config }))
    const named = variableOf(setting)
    const flags = { config: configFile }
    const read = (more: object, environment: Record<string, string>): unknown =>
      readSettings({ ...flags, ...more }, environment)[setting.name]
    const environment = { [named]: variable, [`${named}_FILE`]: valueFile }
    expect([
      read({ [setting.name]: flag }, environment),
      read({}, environment),
      read({}, { [`${named}_FILE`]: valueFile }),
      read({}, {}),
      readSettings({}, { SEGUE_RELAY_CONFIG: configFile })[setting.name],
    ]).toEqual([flag, variable, inFile, config, config].map(text => setting.parse(text)))
  }
})

test('[B20] what is not understood is named with its source, and a secret is not repeated', async () => {
  const file = path.join(await scratch(), 'settings.json')
  expect(() => readSettings({ quotaBytes: 'much' }, {})).toThrow('--quota-bytes: much is not a whole number')
  expect(() => readSettings({}, { SEGUE_RELAY_LISTEN: 'here' })).toThrow('SEGUE_RELAY_LISTEN: here is no multiaddr')
  expect(() => readSettings({}, { SEGUE_RELAY_KEY: 'secret' })).toThrow(/^SEGUE_RELAY_KEY: a key is 64 hex digits$/)
  expect(() => readSettings({}, { SEGUE_RELAY_KEY_FILE: '/nowhere' })).toThrow('/nowhere cannot be read')
  await writeFile(file, '{"lisen": "x"}')
  expect(() => readSettings({ config: file }, {})).toThrow('lisen is no setting')
  await writeFile(file, '[]')
  expect(() => readSettings({ config: file }, {})).toThrow('is not a JSON object')
})

test('[B21] health, readiness and figures', async () => {
  const relay = await startRelay({ ops: { host: '127.0.0.1', port: 0 } })
  const laptop = await startDevice('laptop')
  await shareMailbox(relay, mailboxId(1), [laptop])
  laptop.connect(relay)
  await laptop.replica.add([chunks.commit('note', 'x')])
  await laptop.onRelay(relay, 'note')
  const get = async (name: string): Promise<readonly [number, string]> => {
    const response = await fetch(`http://${relay.opsAddress}${name}`)
    return [response.status, await response.text()]
  }
  expect(await get('/healthz')).toEqual([200, 'ok\n'])
  expect(await get('/readyz')).toEqual([200, 'ready\n'])
  expect((await get('/nothing'))[0]).toBe(404)
  for (const [name, value] of [
    ['links', 1],
    ['accounts', 1],
    ['mailboxes', 1],
    ['open_mailboxes', 1],
    ['stored_chunks', 1],
    ['written_chunks_total', 1],
    ['ready', 1],
  ] as const) {
    expect([name, await metric(relay, name)]).toEqual([name, value])
  }
  expect(await metric(relay, 'requests_total{request="claim",outcome="ok"}')).toBe(1)
  relay.drain()
  expect(await get('/readyz')).toEqual([503, 'draining\n'])
  expect(await get('/healthz')).toEqual([200, 'ok\n'])
  expect((await laptop.ask(relay, { v: 1, type: 'claim', token: new Uint8Array(32) }))[0]).toMatchObject({ why: 'draining' })
})

test('[B22] [B40] the command does the same to a relay that runs and to a folder at rest', { timeout: 120_000 }, async () => {
  const folder = await scratch()
  const data = path.join(folder, 'data')
  const relay = await startRelay({ directory: data })
  const running = await command(data, 'invite', '--note', 'for anna', '--quota-bytes', '1000', '--json')
  const { invite, id } = JSON.parse(running.stdout) as { invite: string; id: string }
  expect(inviteIn(invite)).toMatchObject({ relay: relay.id, addresses: relay.addresses.map(address => address.replace(/\/p2p\/.*/, '')) })
  const anna = await startDevice('anna')
  expect((await anna.ask(relay, { v: 1, type: 'claim', token: inviteIn(invite).token }))[0]).toMatchObject({ quotas: { bytes: 1_000 } })
  const listed = await command(data, 'accounts')
  expect(listed.stdout).toContain('for anna')
  expect(listed.stdout).not.toContain(id)
  await command(data, 'backup', path.join(folder, 'backup'))
  expect((await command(data, 'status', '--json')).stdout).toContain('"isRunning":true')
  await relay.close()
  expect(await callRelay(data, 'status', {})).toBeUndefined()

  expect((await command(data, 'accounts')).stdout).toBe(listed.stdout)
  expect((await command(data, 'accounts', '--set', anna.id, '--quota-bytes', '2048')).stdout).toContain('of 2.0 KiB')
  expect((await command(data, 'accounts', '--set', anna.id, '--retention', 'until-acknowledged')).stdout).toMatch(
    /of 2.0 KiB[^]*until-acknowledged/,
  )
  const alone = await command(data, 'invite', '--announce', '/dns4/relay.example/tcp/443/wss')
  expect(alone.stdout).toMatch(/^segue-relay1:\S+\n$/)
  expect(alone.stderr).toContain('segue relay add')
  const without = await command(data, 'invite')
  expect([without.code, without.stderr]).toEqual([1, expect.stringContaining('--announce')])
  const offline = await command(data, 'invite', '--json', '--announce', '/dns4/relay.example/tcp/443/wss')
  expect(decodeInvite((JSON.parse(offline.stdout) as { invite: string }).invite)).toMatchObject({
    ok: true,
    value: { addresses: ['/dns4/relay.example/tcp/443/wss'] },
  })
  expect((await command(data, 'revoke', anna.id)).stdout).toBe('account revoked\n')
  expect((await command(data, 'check')).stdout).toContain('all is well')
  const restored = path.join(folder, 'restored')
  expect((await command(restored, 'restore', path.join(folder, 'backup'))).code).toBe(0)
  expect((await command(restored, 'restore', path.join(folder, 'backup'))).stderr).toContain('is not empty')
  expect((await command(restored, 'status')).stdout).toContain(relay.id)
})

test('[B22] where no relay is, none is made; what is not understood is said in one line', { timeout: 120_000 }, async () => {
  const data = path.join(await scratch(), 'data')
  const none = expect.stringContaining(`There is no relay in ${data}: name its folder with --data (SEGUE_RELAY_DATA)`)
  for (const [args, why] of [
    [['backup', path.join(data, '../backup')], none],
    [['invite'], none],
    [['invite', '--days', '0'], '--days: 0 is not a number of days from 1 to 3650'],
    [['accounts', '--quota-bytes', '5'], '--quota-bytes: of which account? Name it with --set'],
    [['accounts', '--set', 'zz'], "--set: zz is no account's id; segue-relay accounts lists them"],
    [['frob'], 'there is no command frob; there are serve, invite, accounts, revoke, status, backup, restore, check'],
  ] as const) {
    const { code, stdout, stderr } = await command(data, ...args)
    expect([code, stdout, stderr.trimEnd().split('\n')]).toEqual([1, '', [typeof why === 'string' ? `segue-relay: ${why}` : why]])
  }
  expect(await readdir(path.dirname(data))).toEqual([])
})

test(
  '[B23] the first start prints address, invite and QR code; SIGTERM ends it; the second start makes no other invite',
  { timeout: 120_000 },
  async () => {
    const data = path.join(await scratch(), 'data')
    const first = await serveOnce(data)
    expect(first.stderr).toMatch(/address {4}\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\/12D3Koo/)
    expect(first.stderr).toContain('\u2588')
    expect(decodeInvite(/segue-relay1:\S+/.exec(first.stderr)?.[0] ?? '')).toMatchObject({ ok: true })
    const second = await serveOnce(data)
    expect(second.stderr).not.toContain('segue-relay1:')
    expect([first.code, second.code]).toEqual([0, 0])
    expect(/p2p\/(\w+)/.exec(second.stderr)?.[1]).toBe(/p2p\/(\w+)/.exec(first.stderr)?.[1])
  },
)

test.skipIf(!hasSystemd())('[B23] the unit is one that systemd accepts (not run: systemd-analyze is not here)', async () => {
  const unit = path.join(import.meta.dirname, '../deploy/segue-relay.service')
  const { stdout, stderr } = await promisify(execFile)('systemd-analyze', ['verify', unit])
  expect([stdout, stderr]).toEqual(['', ''])
})

/** Until it logs that it started; then it is asked to stop. */
async function serveOnce(data: string): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const entry = path.join(import.meta.dirname, '../bin/segue-relay.js')
  const child = spawn(process.execPath, [entry, '--data', data, '--listen', '/ip4/127.0.0.1/tcp/0/ws', '--ops', 'off'], { stdio: 'pipe' })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text))
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (text.includes('relay-started') && child.kill('SIGTERM')))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stderr }
}

function hasSystemd(): boolean {
  return spawnSync('systemd-analyze', ['--version'], { stdio: 'ignore' }).status === 0
}

async function command(
  data: string,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const entry = path.join(import.meta.dirname, '../bin/segue-relay.js')
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [entry, '--data', data, ...args])) }
  } catch (error) {
    const { code = 1, stdout = '', stderr = '' } = error as { code?: number; stdout?: string; stderr?: string }
    return { code, stdout, stderr }
  }
}

test('[B34] the rules for alarms ask for figures that there are', async () => {
  const relay = await startRelay({ ops: { host: '127.0.0.1', port: 0 } })
  const figures = await (await fetch(`http://${relay.opsAddress}/metrics`)).text()
  const rules = await readFile(new URL('../deploy/alerts.yml', import.meta.url), 'utf8')
  const asked = [...new Set(rules.match(/segue_relay_\w+/g))].filter(name => !name.endsWith('_bucket'))
  expect(asked.length).toBeGreaterThan(1)
  for (const name of asked) expect(figures).toContain(`# TYPE ${name} `)
})
