/** The cast: real devices in this process, on 127.0.0.1, in folders that go away with the test. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { keyFile, openSegue, type Logger, type NetworkOptions, type OnRemoved, type OpenSegueOptions, type Segue } from '@segue/engine'
import { createSystemClock, openSegueOn } from '@segue/engine/testing'
import type { HeartbeatPace } from '@segue/core'
import type { Clock } from '@segue/core/ports'
import { onTestFinished } from 'vitest'

export interface DeviceOptions {
  readonly directory?: string
  readonly network?: NetworkOptions
  /** How much this device's clock is ahead of the others'. */
  readonly aheadMs?: number
  /** Default: this machine's. */
  readonly clock?: Clock
  readonly logger?: Logger
  readonly onRemoved?: OnRemoved
  /** Default: minutes. */
  readonly heartbeatPace?: HeartbeatPace
  /** Default: a minute. */
  readonly moveGraceMs?: number
}

export async function scratch(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'segue-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** The key lies beside the store, not in it. */
export function optionsOf(name: string, directory: string, network: NetworkOptions = {}): OpenSegueOptions {
  return {
    directory,
    device: { name },
    unlock: keyFile(`${directory}.key`),
    network: { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'], ...network },
  }
}

/** Closed when the test ends, if not before. */
export async function startDevice(name: string, options: DeviceOptions = {}): Promise<Segue> {
  const directory = options.directory ?? path.join(await scratch(), 'store')
  const { aheadMs = 0, clock = createSystemClock(), logger, onRemoved, heartbeatPace, moveGraceMs } = options
  const given = {
    ...optionsOf(name, directory, options.network),
    ...(logger === undefined ? {} : { logger }),
    ...(onRemoved === undefined ? {} : { onRemoved }),
  }
  const isAsShipped = aheadMs === 0 && options.clock === undefined && heartbeatPace === undefined && moveGraceMs === undefined
  const device = await (isAsShipped
    ? openSegue(given)
    : openSegueOn({ ...clock, now: () => clock.now() + aheadMs }, given, { heartbeatPace, moveGraceMs }))
  onTestFinished(() => device.close())
  return device
}

/** `joiner` joins the group of `shower`, from the pasted text. */
export async function pair(shower: Segue, joiner: Segue): Promise<void> {
  const invitation = await shower.pairing.invite()
  const joining = await joiner.pairing.join(invitation.text)
  const confirmed = await invitation.confirm(joining.code)
  if (!confirmed.ok) throw new Error(`not confirmed: ${JSON.stringify(confirmed)}`)
  const joined = await joining.done
  if (!joined.ok) throw new Error(`not joined: ${joined.code}`)
  await invitation.close()
  await inSync(shower, joiner)
}

/** Both know that both hold the same. */
export async function inSync(one: Segue, other: Segue): Promise<void> {
  for (const [here, there] of [[one, other] as const, [other, one] as const]) {
    await here.devices.when(devices =>
      devices.some(({ id, sync, unconfirmed }) => id === there.device.id && sync === 'in-sync' && unconfirmed === 0),
    )
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}
