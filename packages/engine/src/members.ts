/**
 * Keeps the network node in step with the group: which devices and relays to link to, where they were last reached, and the membership
 * proof for members that do not know this device yet (it was added by one of them while the other was away).
 */
import { proveMembership, receiveProof, type CloseCode, type Closeable, type DeviceId, type GroupDevice } from '@segue/core'
import type { Clock, Logger, RecordStore } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import { forgetPeers, loadPeers, MAX_PEER_ADDRESSES, savePeer, type PeerRecord } from './device-records.ts'
import type { RelayPlace } from './relay-client.ts'
import type { RemovalWatch } from './removal/removal-watch.ts'
import type { OwnRemovalWatch } from './removal/own-removal.ts'
import type { Runtime } from './runtime.ts'

export interface Members extends Closeable {
  /** Where it was reached in earlier runs. */
  addressesOf(device: DeviceId): readonly string[]
  /** Milliseconds since 1970 here, of this run or an earlier one. */
  seenAt(device: DeviceId): number | undefined
  /** A link came up or went down. */
  onSeen(device: DeviceId): void
  /** We dialled a member and it turned us away. */
  onRefused(device: DeviceId, code: CloseCode): void
  /** Tries this address as well, from now on. Durable when it resolves. */
  addAddress(device: DeviceId, address: string): Promise<void>
  /** The group changed, or is another one. */
  refresh(): void
}

interface Parts {
  readonly self: DeviceId
  readonly records: RecordStore
  readonly clock: Clock
  readonly logger: Logger
  readonly runtime: () => Runtime | undefined
  /** Those of the group to keep a link to. */
  readonly relays: () => readonly RelayPlace[]
  /** This device's own end in the group. Without it: there is none. */
  readonly removal?: Pick<OwnRemovalWatch, 'isCutOff' | 'onRemoved' | 'acknowledged'>
  /** One that was removed and is to be told: until then it is remembered where it was. Without it: none is. */
  readonly isToBeCalledOn?: (device: GroupDevice) => boolean
}

export async function createMembers(
  { self, records, clock, logger, runtime, relays, removal, isToBeCalledOn = () => false }: Parts,
  node: () => NetNode | undefined,
): Promise<Members> {
  const peers = await loadPeers(records)
  const tasks = new Set<Promise<void>>()
  const stopped = new AbortController()
  const proving = new Set<DeviceId>()

  const run = (event: string, task: () => Promise<void>): void => {
    const running = task()
      .catch((error: unknown) => {
        if (!stopped.signal.aborted) logger.info(event, { error: String(error) })
      })
      .finally(() => tasks.delete(running))
    tasks.add(running)
  }
  /** `addresses` newest first: what a device once said of itself makes room for what it says now. */
  const remember = async (device: DeviceId, addresses: readonly string[], seenAt: number): Promise<void> => {
    const peer: PeerRecord = { addresses: [...new Set(addresses)].slice(0, MAX_PEER_ADDRESSES), seenAt }
    peers.set(device, peer)
    await savePeer(records, device, peer)
  }
  const refresh = (): void => {
    const devices = runtime()?.group.state.peek().devices ?? []
    const isGone = (device: GroupDevice): boolean => device.removal !== undefined && peers.has(device.id) && !isToBeCalledOn(device)
    const gone = devices.filter(isGone).map(({ id }) => id)
    if (gone.length > 0) {
      for (const id of gone) peers.delete(id)
      run('peers-not-forgotten', () => forgetPeers(records, gone))
    }
    if (removal?.isCutOff() === true) return node()?.setMembers(new Map())
    const members = devices
      .filter(device => device.active && device.id !== self)
      .map(({ id }) => [id, peers.get(id)?.addresses ?? []] as const)
    const linked = relays().map(({ id, addresses }) => [id, addresses] as const)
    node()?.setMembers(new Map([...members, ...linked]), { relays: new Set(linked.map(([id]) => id)) })
  }

  const close = async (): Promise<void> => {
    stopped.abort()
    await Promise.all(tasks)
  }

  return {
    addressesOf: device => peers.get(device)?.addresses ?? [],
    seenAt: device => peers.get(device)?.seenAt,
    onSeen(device) {
      const isMember = runtime()
        ?.group.state.peek()
        .devices.some(({ id, active }) => id === device && active)
      if (isMember !== true) return // one that was removed is forgotten
      const known = peers.get(device)?.addresses ?? []
      const reached = node()?.addressesOf(device) ?? []
      run('peer-not-remembered', () => remember(device, [...reached, ...known], clock.now()))
    },
    onRefused(device, code) {
      const current = runtime()
      const net = node()
      if (code !== 'not-a-member' || current === undefined || net === undefined || proving.has(device)) return
      proving.add(device)
      run('proof-not-taken', async () => {
        try {
          const link = await net.group.dial({ device }, { signal: stopped.signal })
          try {
            const proven = await proveMembership(link, current.group, {
              signal: stopped.signal,
              ...(removal === undefined ? {} : { onRemoved: removal.onRemoved }),
            })
            if (!proven.ok) logger.info('proof-refused', { code: proven.error })
            if (!proven.ok && proven.error === 'DEVICE_REMOVED') await removal?.acknowledged(device)
          } finally {
            await link.close()
          }
        } finally {
          proving.delete(device)
        }
        net.resume()
      })
    },
    async addAddress(device, address) {
      const known = peers.get(device)
      await remember(device, [address, ...(known?.addresses ?? [])], known?.seenAt ?? 0)
      refresh()
    },
    refresh,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/**
 * Takes membership proofs: somebody whom another member added while this device was away, or who was removed and does not know. Returns
 * how to stop.
 */
export function takeProofs(
  node: NetNode,
  runtime: () => Runtime | undefined,
  removals: Pick<RemovalWatch, 'onTold' | 'onErasure'>,
  logger: Logger,
): () => void {
  return node.group.open(link => {
    const talk = async (): Promise<void> => {
      const current = runtime()
      try {
        const { peer } = link
        const proven = current && (await receiveProof(link, current.group, { onErasure: removals.onErasure }))
        if (proven?.ok === false && proven.error === 'DEVICE_REMOVED') removals.onTold(peer)
      } finally {
        await link.close()
      }
    }
    talk().catch((error: unknown) => logger.info('proof-broken', { error: String(error) }))
  })
}
