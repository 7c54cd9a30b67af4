/** One relay in a process of its own, as its command runs it: the built package, a folder, TCP. */
import { createLog, createRelay, type Relay } from '@segue/relay'
import { serve } from '../remote.ts'
import { countTraffic } from './traffic.ts'

export interface RelayStart {
  readonly directory: string
  /** Of TCP on 127.0.0.1. */
  readonly port: number
  /** What devices are told to dial instead. */
  readonly announcePort?: number
  readonly mailboxes?: number
}

let relay: Relay | undefined

const methods = {
  async start({ directory, port, announcePort = port, mailboxes = 4 }: RelayStart): Promise<{ id: string; addresses: readonly string[] }> {
    relay = await createRelay({
      directory,
      listen: [`/ip4/127.0.0.1/tcp/${port}`],
      announce: [`/ip4/127.0.0.1/tcp/${announcePort}`],
      quotas: { mailboxes, bytes: 1e10, chunks: 1e7, bytesPerMinute: 1e10 },
      idleMailboxDays: 0,
      maxConnections: 4_096,
      logger: createLog({ level: 'silent', withIds: false }),
    })
    return { id: relay.id, addresses: relay.addresses }
  },
  invite: async (): Promise<string> => (await running().operations.invite({})).invite,
  linked: async (): Promise<number> => (await running().operations.status({})).linkedDevices,
  syncBytesSent: (): number => traffic.sent('/segue/sync'),
  /** After everything that can be collected is. */
  async residentMb(): Promise<number> {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.()
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    return process.memoryUsage.rss() / 2 ** 20
  },
  cpuMs: (): number => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  },
  close: () => running().close(),
}
export type RelayServer = typeof methods

const traffic = countTraffic()
serve(methods)

function running(): Relay {
  if (relay === undefined) throw new Error('not started')
  return relay
}
