/** A real relay on 127.0.0.1 for devices of the cast, on the same port however often it is started. */
import path from 'node:path'
import type { RelayQuotas } from '@segue/core'
import type { Segue } from '@segue/engine'
import { createLog, createRelay, type Relay } from '@segue/relay'
import { onTestFinished } from 'vitest'
import { freePort, scratch } from './cast.ts'

export interface RelayHome {
  readonly directory: string
  /** Closed when the test ends, if not before. */
  start(): Promise<Relay>
}

export async function relayHome(quotas: Partial<RelayQuotas> = {}): Promise<RelayHome> {
  const directory = path.join(await scratch(), 'relay')
  const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`]
  return {
    directory,
    async start() {
      const relay = await createRelay({
        directory,
        listen,
        quotas: { mailboxes: 4, bytes: 1e9, chunks: 1e6, bytesPerMinute: 1e10, ...quotas },
        idleMailboxDays: 0,
        maxConnections: 64,
        logger: createLog({ level: 'silent', withIds: false }),
      })
      onTestFinished(() => relay.close())
      return relay
    },
  }
}

/** The device uses a new invite of this relay. */
export async function addRelay(device: Segue, relay: Relay): Promise<void> {
  await device.relays.add((await relay.operations.invite({})).invite)
  await onRelay(device)
}

/** Both hold the same, and the relay lets in exactly the group. */
export async function onRelay(device: Segue): Promise<void> {
  await device.relays.list.when(relays =>
    relays.every(({ sync, unconfirmed, members }) => sync === 'in-sync' && unconfirmed === 0 && members === 'current'),
  )
}
