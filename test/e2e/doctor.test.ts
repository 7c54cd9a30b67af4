/** `segue doctor` on machines that have what it looks for: a closed daemon, hosts of the test's own, a clock a day wrong. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { keyFile } from '@segue/engine'
import { openSegueOn } from '@segue/engine/testing'
import type { Clock } from '@segue/core/ports'
import { systemClock } from '@segue/net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestLan, whyNoNamespaces, type TestLan } from './namespaces.ts'
import { runSegue, segueJson, type Shell } from './segue-process.ts'
import { createTemporaryHomes } from './temporary-homes.ts'

const homes = createTemporaryHomes()
const why = whyNoNamespaces()
const notRun = why === undefined ? '' : ` (not run: ${why})`

interface Examined {
  readonly ok: boolean
  readonly findings: readonly { readonly cause: string; readonly title: string; readonly next?: string }[]
}

async function examine(shell: Shell): Promise<{ readonly code: number; readonly causes: readonly string[]; readonly text: string }> {
  const { code, stdout } = await runSegue(shell, '--json', 'doctor')
  const { findings } = JSON.parse(stdout) as Examined
  return { code, causes: findings.map(({ cause }) => cause).sort(), text: stdout }
}

afterAll(() => homes.remove())

test('daemon down: named, with the way to start it, and exit code 3', async () => {
  const { code, causes, text } = await examine(homes.shell('nobody'))
  expect([code, causes, text.includes('segue up')]).toEqual([3, ['daemon-down'], true])
})

test('on 127.0.0.1 without mDNS all is well but that', async () => {
  const laptop = await homes.start('Laptop')
  expect((await examine(laptop)).causes.filter(cause => cause !== 'vpn-interface')).toEqual(['mdns-off'])
})

test('a clock a day wrong is seen from both sides, and nothing else is disturbed by it', async () => {
  const network = { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] }
  const wrong: Clock = { ...systemClock, now: () => systemClock.now() + 86_400_000 }
  const open = (name: string, clock: Clock): ReturnType<typeof openSegueOn> =>
    openSegueOn(clock, {
      directory: path.join(homes.root, name),
      device: { name },
      unlock: keyFile(path.join(homes.root, `${name}.key`)),
      network,
    })
  const [here, there] = await Promise.all([open('here', systemClock), open('there', wrong)])
  try {
    const invitation = await here.pairing.invite()
    const joining = await there.pairing.join(invitation.text)
    await invitation.confirm(joining.code)
    await joining.done
    await Promise.all(
      [here, there].map(device => device.devices.when(all => all.length === 2 && all.every(({ state }) => state !== 'away'))),
    )
    const hoursOff = async (device: typeof here, other: typeof here): Promise<number> =>
      Math.round(((await device.lookAround()).clockOffsets.get(other.device.id) ?? 0) / 3_600_000)
    expect([await hoursOff(here, there), await hoursOff(there, here)]).toEqual([-24, 24])
  } finally {
    await Promise.all([here.close(), there.close()])
  }
})

describe.skipIf(why !== undefined)(`two hosts of the test's own${notRun}`, () => {
  let lan: TestLan
  let laptop: Shell
  const inHost = (...command: readonly string[]): void => {
    const [program, ...args] = [...lan.on(0), ...command] as [string, ...string[]]
    execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  }

  beforeAll(async () => {
    lan = createTestLan(2)
    laptop = Object.assign(homes.shell('lan-laptop'), { prefix: lan.on(0) })
    const stranger = Object.assign(homes.shell('lan-stranger'), { prefix: lan.on(1) })
    await Promise.all([laptop, stranger].map(shell => segueJson(shell, 'up', '--name', 'Somebody', '--keys', 'key-file')))
  })
  afterAll(async () => {
    if (why !== undefined) return
    await Promise.all(['lan-laptop', 'lan-stranger'].map(name => runSegue(homes.shell(name), 'down')))
    lan.remove()
  })

  test(`foreign group: a Segue device nearby that is not of this group${notRun}`, async () => {
    await expect.poll(async () => (await examine(laptop)).causes, { timeout: 30_000 }).toEqual(['foreign-group'])
  })

  test(`VPN interface${notRun}`, async () => {
    inHost('ip', 'link', 'add', 'wg0', 'type', 'veth', 'peer', 'name', 'far-end')
    inHost('ip', 'addr', 'add', '10.99.0.1/24', 'dev', 'wg0')
    for (const end of ['wg0', 'far-end']) inHost('ip', 'link', 'set', end, 'up')
    expect((await examine(laptop)).causes).toContain('vpn-interface')
    inHost('ip', 'link', 'del', 'wg0')
  })

  test(`mDNS blocked: another program keeps the port for itself, so nothing comes back${notRun}`, async () => {
    await runSegue(laptop, 'down')
    const [program, ...before] = lan.on(0) as [string, ...string[]]
    const keeper = spawn(program, [...before, process.execPath, '-e', KEEP_MDNS_PORT], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(keeper.stdout, 'data')
      await segueJson(laptop, 'up')
      const { code, causes, text } = await examine(laptop)
      expect([code, causes.includes('mdns-blocked'), text.includes('10.77.0.1')]).toEqual([1, true, true])
    } finally {
      keeper.kill()
    }
  })
})

const KEEP_MDNS_PORT = "require('node:dgram').createSocket('udp4').bind(5353, '0.0.0.0', () => console.log('kept'))"
