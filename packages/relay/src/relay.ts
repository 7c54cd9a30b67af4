/**
 * One relay: a volume, an engine on it, the open mailboxes, a node that lets their members in, and what an operator needs. Everything
 * that a relay keeps is in its folder:
 *
 *     relay.key    its key, which is its address         format, level/    accounts, lists and sealed chunks
 *     admin.sock   while it runs: for the command
 */
import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import {
  MAX_RENDEZVOUS_FRAME_BYTES,
  MINUTE_MS,
  RELAY_PROTOCOL,
  RENDEZVOUS_PROTOCOL,
  openOrCleanUp,
  type Closeable,
  type DeviceId,
  type RelayQuotas,
  type Retention,
} from '@segue/core/sealed'
import type { Clock, Logger } from '@segue/core/ports'
import { createNode, systemClock } from '@segue/net'
import { openVolume, type Damage, type Volume } from '@segue/storage/volume'
import { createAdmission, type Admission } from './accounts/admission.ts'
import { createControl } from './accounts/control.ts'
import { createVolumeEngine } from './engine/volume-engine.ts'
import type { MailboxEngine } from './engine/mailbox-engine.ts'
import { createHousekeeping, type Housekeeping } from './housekeeping.ts'
import { KEY_FILE, identityOf, readKey, readOrCreateKey } from './identity-file.ts'
import { createDirectory, type Directory } from './mailboxes/directory.ts'
import { createMailboxes } from './mailboxes/mailboxes.ts'
import { retiredBytesIn } from './mailboxes/retired-bytes.ts'
import { nativeHasher } from './native-hasher.ts'
import { startAdminSocket } from './ops/admin-socket.ts'
import { Refusal } from './ops/explain.ts'
import { createMetrics } from './ops/metrics.ts'
import { createOperations, type Operations } from './ops/operations.ts'
import { startOpsServer } from './ops/ops-server.ts'
import { createRendezvous } from './rendezvous/rendezvous.ts'

export interface RelayOptions {
  /** The relay's own folder; made when it is not there. */
  readonly directory: string
  /** Multiaddrs. */
  readonly listen: readonly string[]
  /** Multiaddrs under which devices reach it, when a proxy or a router is in front. */
  readonly announce?: readonly string[] | undefined
  /** 64 hex digits, instead of the file in the folder. */
  readonly key?: string | undefined
  /** Where `/healthz`, `/readyz` and `/metrics` are; nowhere without it. */
  readonly ops?: { readonly host: string; readonly port: number } | undefined
  /** Of new invites. */
  readonly quotas: RelayQuotas
  /** A mailbox that no member came to for this long is removed; 0: never. */
  readonly idleMailboxDays: number
  /** Of new invites. Default: keep. */
  readonly retention?: Retention
  /** With `until-acknowledged`: how long after everybody has something it may go. Default: 7. */
  readonly acknowledgedDays?: number
  readonly maxConnections: number
  /** Of one device; as net has them unless given. */
  readonly circuits?: { readonly bytesPerSecond: number; readonly maxCircuits: number }
  readonly logger: Logger
  readonly clock?: Clock
  /** Open mailboxes without a link are closed after this. */
  readonly closeIdleAfterMs?: number
}

export interface Relay extends Closeable {
  readonly id: DeviceId
  readonly addresses: readonly string[]
  readonly opsAddress: string | undefined
  readonly operations: Operations
  readonly housekeeping: Housekeeping
  /** True when this start made its folder. */
  readonly isNew: boolean
  /** Not ready from now on, and no new requests; links stay until `close`, which tells devices to come back later. */
  drain(): void
}

export function createRelay(options: RelayOptions): Promise<Relay> {
  return openOrCleanUp(async opened => {
    const { directory, logger, clock = systemClock } = options
    const damages: Damage[] = []
    const onDamaged = (damage: Damage): void => {
      if (damages.length < MAX_DAMAGES) damages.push(damage)
      logger.error('damaged-value', { area: damage.area })
    }
    const volume = opened.use(await openVolume(directory))
    const engine = createVolumeEngine(volume, { onDamaged })
    const seed = options.key ?? (await readOrCreateKey(join(directory, KEY_FILE)))
    const { id, signing } = identityOf(seed)
    const found = await findEverything(engine)

    let isDraining = false
    const ending = new AbortController()
    setMaxListeners(0, ending.signal) // every chunk that has to wait listens to it
    opened.add(() => ending.abort())
    const metrics = createMetrics({
      openMailboxes: () => mailboxes.openCount(),
      mailboxes: () => found.directory.all().length,
      accounts: async () => (await engine.accounts()).length,
      stored: async () => {
        const { storedBytes, storedChunks } = await operations.status({})
        return { bytes: storedBytes, chunks: storedChunks }
      },
      isReady: () => !isDraining && !isFailing,
    })
    let isFailing = false
    const admission: Admission = createAdmission({ engine, clock, signal: ending.signal, onSlowed: metrics.onSlowed })
    const mailboxes = createMailboxes({
      engine,
      directory: found.directory,
      admission,
      clock,
      random: { bytes: length => crypto.getRandomValues(new Uint8Array(length)) },
      hasher: nativeHasher,
      logger,
      idleMs: options.closeIdleAfterMs ?? CLOSE_IDLE_AFTER_MS,
      events: metrics.events,
    })
    opened.add(() => mailboxes.close())

    const control = createControl({
      engine,
      directory: found.directory,
      clock,
      logger,
      isDraining: () => isDraining,
      onListed(record) {
        node.setMembers(new Map())
        mailboxes.relocate()
        const old = record.list?.version === 2 ? found.directory.all().find(({ replaced }) => replaced?.by === record.id) : undefined
        const failed = (error: unknown): void => logger.error('not-brought-along', { error: String(error) })
        if (old !== undefined) mailboxes.bringAlong(old.id, record.id).catch(failed) // again before the old one goes
      },
      onChosen: () => mailboxes.relocate(),
      onGone: mailbox => forget(mailbox),
      onAnswered: metrics.onAnswered,
      retiredBytes: retiredBytesIn(engine, clock),
    })
    const rendezvous = createRendezvous({
      accountOf: peer => found.directory.mailboxOf(peer)?.account,
      clock,
      logger,
      isDraining: () => isDraining,
    })
    const node = await createNode({
      signing,
      host: mailboxes.host,
      listen: options.listen,
      ...(options.announce === undefined ? {} : { announce: options.announce }),
      allowPublic: true,
      circuits: { ...options.circuits, mayReach: found.directory.areTogether, onCircuits: metrics.onCircuits },
      protocols: [
        { protocol: RELAY_PROTOCOL, to: 'strangers', onStream: control },
        {
          protocol: RENDEZVOUS_PROTOCOL,
          to: 'strangers',
          onStream: rendezvous.onStream,
          maxFrameBytes: MAX_RENDEZVOUS_FRAME_BYTES,
        },
      ],
      capacity: { connections: options.maxConnections, strangers: MAX_STRANGERS, connectionsPerSecond: MAX_CONNECTIONS_PER_SECOND },
      clock,
      logger,
    })
    opened.use(node)

    const forget = async (mailbox: Parameters<MailboxEngine['removeMailbox']>[0]): Promise<void> => {
      found.directory.remove(mailbox)
      await mailboxes.evict(mailbox, 'not-a-member')
    }
    const operations = createOperations({
      engine,
      volume,
      seed,
      relay: id,
      clock,
      defaults: options,
      damages,
      addresses: () => node.addresses.peek(),
      running: () => ({ isRunning: true, isDraining, linkedDevices: node.links.peek().size, openMailboxes: mailboxes.openCount() }),
      async onRevoked(account) {
        found.directory.revoke(account)
        admission.forget(account)
        node.setMembers(new Map())
      },
      async onTerms(account, isRetentionNew) {
        admission.forget(account)
        const own = isRetentionNew ? found.directory.all().filter(record => record.account === account) : []
        for (const { id: mailbox } of own) await mailboxes.evict(mailbox, 'shutting-down') // opened anew when its devices come again
      },
      onErase: forget,
    })
    const { idleMailboxDays } = options
    const housekeeping = createHousekeeping({
      engine,
      clock,
      logger,
      idleMailboxDays,
      acknowledgedDays: options.acknowledgedDays ?? ACKNOWLEDGED_DAYS,
      use: mailboxes.use,
      bringAlong: mailboxes.bringAlong,
      noteUses: mailboxes.noteUses,
      onErase: forget,
    })
    opened.add(() => housekeeping.close())
    opened.use(await startAdminSocket(directory, operations))
    const notReady = async (): Promise<string | undefined> => {
      if (isDraining) return 'draining'
      try {
        await engine.probe()
        isFailing = false
        return undefined
      } catch {
        isFailing = true
        return 'the store does not take writes'
      }
    }
    const ops =
      options.ops === undefined
        ? undefined
        : await startOpsServer(options.ops, {
            notReady,
            metrics: async () => ({ text: await metrics.text(), contentType: metrics.contentType }),
          })
    if (ops !== undefined) opened.use(ops)

    return {
      id,
      addresses: node.addresses.peek(),
      opsAddress: ops?.address,
      operations,
      housekeeping,
      isNew: found.isEmpty,
      drain() {
        isDraining = true
      },
      close: opened.close,
      [Symbol.asyncDispose]: opened.close,
    }
  })
}

/** The operations on the folder of a relay that does not run. Makes none. */
export async function openStopped(
  options: Pick<RelayOptions, 'directory' | 'announce' | 'key' | 'quotas' | 'retention'>,
): Promise<Closeable & { readonly operations: Operations; readonly volume: Volume }> {
  return openOrCleanUp(async opened => {
    const damages: Damage[] = []
    const volume = opened.use(await openVolume(options.directory))
    const engine = createVolumeEngine(volume, { onDamaged: damage => void (damages.length < MAX_DAMAGES ? damages.push(damage) : 0) })
    const keyFile = join(options.directory, KEY_FILE)
    const seed = options.key ?? (await readKey(keyFile))
    if (seed === undefined) throw new Refusal(`${keyFile} is missing, which is the relay's key: put it back, or give it with --key.`)
    const relay = identityOf(seed).id
    const operations = createOperations({
      engine,
      volume,
      seed,
      relay,
      clock: systemClock,
      defaults: options,
      damages,
      addresses: () => (options.announce ?? []).map(address => `${address}/p2p/${relay}`),
      running: () => ({ isRunning: false, isDraining: false, linkedDevices: 0, openMailboxes: 0 }),
      onRevoked: async () => undefined,
      onTerms: async () => undefined,
      onErase: async () => undefined,
    })
    return { operations, volume, close: opened.close, [Symbol.asyncDispose]: opened.close }
  })
}

const CLOSE_IDLE_AFTER_MS: number = 5 * MINUTE_MS
/** Those who wait for a person to type six digits at a rendezvous among them. */
const ACKNOWLEDGED_DAYS = 7
const MAX_STRANGERS = 256
/** Behind a proxy all connections come from one address; the proxy has the limit for one client. */
const MAX_CONNECTIONS_PER_SECOND = 256
const MAX_DAMAGES = 10_000

async function findEverything(engine: MailboxEngine): Promise<{ readonly directory: Directory; readonly isEmpty: boolean }> {
  const [mailboxes, accounts, invites] = await Promise.all([engine.mailboxes(), engine.accounts(), engine.invites()])
  return { directory: createDirectory(mailboxes, accounts), isEmpty: accounts.length === 0 && invites.length === 0 }
}
