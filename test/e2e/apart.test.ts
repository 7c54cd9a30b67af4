/** Two people's networks that do not reach each other, and a relay that both reach: from pairing to a handoff, with the commands as they are. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestNetworks, whyNoNamespaces, type TestNetworks } from './namespaces.ts'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'

const RELAY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../packages/relay/bin/segue-relay.js')
const why = whyNoNamespaces()
const notRun = why === undefined ? '' : ` (not run: ${why})`

describe.skipIf(why !== undefined)(`two networks and a relay${notRun}`, () => {
  let root: string
  let networks: TestNetworks
  let laptop: Shell
  let desk: Shell
  let relay: ChildProcess
  let invite = ''

  const startRelay = async (): Promise<void> => {
    const [command, ...before] = networks.relay as [string, ...string[]]
    const listen = ['--listen', `/ip4/${networks.relayAddress}/tcp/4820/ws`, '--ops', 'off', '--log-level', 'info']
    relay = spawn(command, [...before, process.execPath, RELAY, '--data', path.join(root, 'relay'), ...listen, 'serve'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const told = createInterface({ input: relay.stderr as NodeJS.ReadableStream })
    const hasInvite = new Promise<void>(resolve => {
      told.on('line', line => {
        invite ||= /segue-relay1:[\w-]+/.exec(line)?.[0] ?? ''
        if (invite !== '') resolve()
      })
      if (invite !== '') resolve() // only the first start on a folder prints one
    })
    for await (const line of createInterface({ input: relay.stdout as NodeJS.ReadableStream })) if (line.includes('relay-started')) break
    relay.stdout?.resume()
    await hasInvite
  }
  const stopRelay = async (): Promise<void> => {
    const ended = once(relay, 'exit')
    relay.kill('SIGTERM')
    await ended
  }

  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), 'segue-apart-'))
    networks = createTestNetworks()
    laptop = { home: path.join(root, 'laptop'), prefix: networks.laptop }
    desk = { home: path.join(root, 'desk'), prefix: networks.desk }
    await startRelay()
    await segueJson(laptop, 'up', '--name', 'Laptop', '--keys', 'key-file')
    await segueJson(desk, 'up', '--name', 'Desk', '--keys', 'key-file')
    await segueJson(laptop, 'relay', 'add', invite)
  }, 120_000)
  afterAll(async () => {
    if (why !== undefined) return
    await Promise.all([runSegue(laptop, 'down'), runSegue(desk, 'down')])
    await stopRelay()
    networks.remove()
    rmSync(root, { recursive: true, force: true })
  })

  test(`they pair by rendezvous: the new one is called REMOTE and asked about again${notRun}`, async () => {
    const inviting = startSegue(laptop, 'pair', 'new')
    const [text] = await inviting.says(/segue-pair:[\w-]+/)
    const joining = startSegue(desk, 'pair', 'join', text)
    const [, first, second] = await joining.says(/(\d{3}) (\d{3})/)
    await inviting.says(/REMOTE: “Desk” wants to join, from another network[^]*Digits/)
    inviting.type(`${first}${second}`)
    await inviting.says(/REMOTE: “Desk” \(.*is not on this network[^]*Type yes/)
    inviting.type('yes')
    expect((await joining.finished).code, joining.said()).toBe(0)
    expect((await inviting.finished).code, inviting.said()).toBe(0)
  }, 90_000)

  test(`they are linked through the relay, and a session is handed over on that${notRun}`, async () => {
    await expect.poll(() => pathTo(laptop, 'Desk'), { timeout: 30_000, interval: 200 }).toMatch(/^(relayed|direct)$/)
    expect((await runSegue(laptop, 'status')).stdout).toMatch(/1 of 1 linked \(1 (relayed|direct)\)/)
    const file = path.join(root, 'letter.txt')
    writeFileSync(file, LETTER)
    const { session } = await segueJson<{ session: string }>(laptop, 'session', 'import', file)
    const { outcome } = await segueJson<{ outcome: { kind: string } }>(laptop, 'handoff', 'to', 'Desk', '--session', session)
    expect(outcome.kind).toBe('done')
    expect((await runSegue(desk, 'session', 'export', session)).stdout).toBe(LETTER)
  }, 90_000)

  test(`after the relay restarted the link is there again, and a session goes the other way${notRun}`, async () => {
    const { id } = await segueJson<{ id: string }>(desk, 'session', 'create', 'Before the restart')
    await stopRelay()
    await expect.poll(() => pathTo(laptop, 'Desk'), { timeout: 30_000, interval: 200 }).toBe(undefined)
    await startRelay()
    await expect.poll(() => pathTo(desk, 'Laptop'), { timeout: 60_000, interval: 200 }).toMatch(/^(relayed|direct)$/)
    const { outcome } = await segueJson<{ outcome: { kind: string } }>(desk, 'handoff', 'to', 'Laptop', '--session', id)
    expect(outcome.kind).toBe('done')
  }, 120_000)

  test(`what one wrote while the other was off comes from the mailbox${notRun}`, async () => {
    await segueJson(desk, 'down')
    const { id } = await segueJson<{ id: string }>(laptop, 'session', 'create', 'While you slept')
    await expect.poll(() => pathTo(laptop, 'Desk'), { timeout: 30_000, interval: 200 }).toBe('mailbox')
    await expect.poll(() => isOnRelay(laptop), { timeout: 30_000, interval: 200 }).toBe(true)
    await segueJson(laptop, 'down')
    await segueJson(desk, 'up')
    const shown = await segueJson<{ title: string }>(desk, 'session', 'open', id)
    expect(shown.title).toBe('While you slept')
  }, 120_000)

  test(`there really is no way from one to the other${notRun}`, () => {
    expect(() => execFileSync(...command(networks.laptop, reaching(networks.deskAddress, 9)), { stdio: 'pipe' })).toThrow(
      /UNREACH|TIMEDOUT/,
    )
  })
})

const LETTER = 'Grüße from the laptop 👋🏽\nשלום\n'.repeat(200)

interface DeviceRow {
  readonly name: string
  readonly path?: string
}

async function pathTo(shell: Shell, name: string): Promise<string | undefined> {
  const { devices } = await segueJson<{ devices: readonly DeviceRow[] }>(shell, 'devices')
  return devices.find(device => device.name === name)?.path
}

async function isOnRelay(shell: Shell): Promise<boolean> {
  const { relays } = await segueJson<{ relays: readonly { sync: string; unconfirmed: number }[] }>(shell, 'relay', 'list')
  return relays.every(({ sync, unconfirmed }) => sync === 'in-sync' && unconfirmed === 0)
}

function reaching(host: string, port: number): string {
  return `const socket = require('node:net').connect(${port}, '${host}').on('connect', () => process.exit(0))
    .on('error', error => (console.error(error.code), process.exit(1)))
    setTimeout(() => (console.error('ETIMEDOUT'), process.exit(1)), 1500)`
}

function command(prefix: readonly string[], script: string): [string, string[]] {
  const [first, ...rest] = prefix as [string, ...string[]]
  return [first, [...rest, process.execPath, '-e', script]]
}
