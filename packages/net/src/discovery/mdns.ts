/**
 * Being found and finding others on the local network: one mDNS socket per private IPv4 interface, under Segue's own service name.
 * (@libp2p/mdns sends on one interface only and has no way to say that pairing is open.)
 *
 * It asks three times when it starts or the network changes, then once a minute; it answers whoever asks, at most once a second and
 * interface, and speaks up by itself when what it says changes. On the way out it says goodbye, so that nobody waits for it.
 */
import multicastDns from 'multicast-dns'
import { SECOND_MS } from '@segue/core/sealed'
import type { DeviceId } from '@segue/core/sealed'
import type { Clock, Logger } from '@segue/core/ports'
import { SERVICE, decodeAnnouncement, encodeAnnouncement, instanceName, type Announcement } from './announcement.ts'
import { privateInterfaces } from './interfaces.ts'

export interface Mdns {
  /** What this device says changed. */
  announce(): void
  /** Interfaces came or went: opens and closes sockets, then asks and announces on all. */
  rescan(): void
  close(): Promise<void>
}

export interface MdnsOptions {
  readonly self: DeviceId
  readonly clock: Clock
  readonly logger?: Logger | undefined
  /** What to say of this device now. */
  describe(): Announcement
  /** Another device spoke; `isLeaving` when it said goodbye. */
  onHeard(announcement: Announcement, isLeaving: boolean): void
  /** What this device said came back; `address` is the interface it was said on. */
  onEcho(address: string): void
}

type Socket = ReturnType<typeof multicastDns>

export function createMdns(options: MdnsOptions): Mdns {
  const { clock, self } = options
  const sockets = new Map<string, Socket>()
  const lastAnswerAt = new Map<string, number>()
  const timers = new Set<() => void>()
  let isClosed = false

  const later = (ms: number, task: () => void): void => {
    const cancel = clock.after(ms, () => {
      timers.delete(cancel)
      task()
    })
    timers.add(cancel)
  }

  const open = (address: string): void => {
    const socket = multicastDns({ interface: address, bind: '0.0.0.0', loopback: true })
    socket.on('error', (error: Error) => {
      options.logger?.warn('mdns-unavailable', { interface: address, error: error.message })
      drop(address)
    })
    socket.on('warning', (error: Error) => options.logger?.debug('mdns-warning', { interface: address, error: error.message }))
    socket.on('query', query => {
      if (query.questions?.some(({ name }) => name === SERVICE)) answer(address)
    })
    socket.on('response', (response, sender) => {
      for (const record of [...(response.answers ?? []), ...(response.additionals ?? [])]) {
        if (record.type !== 'TXT') continue
        const announcement = decodeAnnouncement(record.name, stringsOf(record.data))
        if (announcement === undefined) continue
        if (announcement.device === self) options.onEcho(sender.address)
        else options.onHeard(announcement, record.ttl === 0)
      }
    })
    sockets.set(address, socket)
  }

  const drop = (address: string): void => {
    sockets.get(address)?.destroy()
    sockets.delete(address)
  }

  const answer = (address: string): void => {
    const last = lastAnswerAt.get(address)
    if (last !== undefined && clock.monotonic() - last < SECOND_MS) return
    lastAnswerAt.set(address, clock.monotonic())
    say(address, TTL_SECONDS)
  }

  const say = (address: string, ttl: number, done?: () => void): void => {
    const data = encodeAnnouncement(options.describe()).map(bytes => Buffer.from(bytes))
    const instance = instanceName(self)
    const answers = [
      { name: SERVICE, type: 'PTR' as const, ttl, data: instance },
      { name: instance, type: 'TXT' as const, ttl, data },
    ]
    sockets.get(address)?.respond({ answers }, error => {
      if (error) options.logger?.debug('mdns-send-failed', { interface: address, error: error.message })
      done?.()
    })
  }

  const ask = (): void => {
    for (const socket of sockets.values()) socket.query([{ name: SERVICE, type: 'PTR' }])
  }

  const announce = (): void => {
    for (const address of sockets.keys()) say(address, TTL_SECONDS)
  }

  const askEveryMinute = (): void =>
    later(ASK_EVERY_MS, () => {
      ask()
      askEveryMinute()
    })

  const rescan = (): void => {
    if (isClosed) return
    const present = new Set(privateInterfaces())
    for (const address of sockets.keys()) if (!present.has(address)) drop(address)
    for (const address of present) if (!sockets.has(address)) open(address)
    for (const ms of FIRST_ASKS_MS) later(ms, () => (ask(), announce()))
  }

  rescan()
  askEveryMinute()
  return {
    announce() {
      announce()
      later(SECOND_MS, announce) // datagrams get lost
    },
    rescan,
    async close() {
      if (isClosed) return
      isClosed = true
      for (const cancel of timers) cancel()
      await Promise.all([...sockets.keys()].map(address => new Promise<void>(resolve => say(address, 0, resolve))))
      await Promise.all([...sockets.values()].map(socket => new Promise<void>(resolve => socket.destroy(resolve))))
      sockets.clear()
    },
  }
}

const TTL_SECONDS = 120
const FIRST_ASKS_MS = [0, SECOND_MS, 4 * SECOND_MS] as const
const ASK_EVERY_MS: number = 60 * SECOND_MS

function stringsOf(data: unknown): readonly Uint8Array[] {
  const list = Array.isArray(data) ? data : [data]
  return list.filter((item): item is Uint8Array => item instanceof Uint8Array)
}
