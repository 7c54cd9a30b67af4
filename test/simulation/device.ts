/**
 * One device of a simulated day: the engine's own runtime on memory stores, a simulated clock and an inline worker. Its process
 * may die at any instant and starts again from what was durable; its disk may take nothing for a while; its wall clock may be wrong.
 */
import { RELAY_PROTOCOL, SegueError, createIdentity, createSubject, type DeviceId, type DeviceIdentity, type Group } from '@segue/core'
import type {
  ChunkBatch,
  ChunkStore,
  Clock,
  DeviceLink,
  DeviceLinkHandler,
  DeviceLinkHost,
  Logger,
  PairingLink,
  RecordStore,
} from '@segue/core/ports'
import {
  createMemoryChunkStore,
  createMemoryRecordStore,
  type MemoryChunkStore,
  type MemoryRecordStore,
  type SeededRandom,
} from '@segue/core/testing'
import {
  createAdoptionWay,
  createLinkHost,
  createRelays,
  createRuntime,
  nativeHasher,
  saveGroup,
  sayGoodbye,
  type AdoptionWay,
  type RelayKeeper,
  type Runtime,
  withNativeSigner,
} from '@segue/engine/testing'
import { createInlineWorker } from '@segue/core'
import type { NetNode } from '@segue/net'
import type { TimeLine } from './timeline.ts'

export interface Device {
  readonly name: string
  readonly id: DeviceId
  /** What a member says of it to add it. */
  readonly keys: { readonly signing: Uint8Array; readonly sealing: Uint8Array }
  readonly identity: DeviceIdentity
  /** Undefined while its process is down. */
  readonly process: () => Process | undefined
  /** How wrong its wall clock is. */
  offByMs: number
  /** From what is durable; with a group given it enters that one, as after a pairing. Rejects when the disk takes nothing. */
  start(entered?: Group): Promise<Process>
  /**
   * With all it has into another group, which knows it already, the way the engine goes. There is `trouble` at the
   * write that it names. `onLeaving`: its links end. Rejects when the disk takes nothing, or the power went; what became of it
   * shows when it starts again.
   */
  adopt(group: Group, options: { readonly trouble: Trouble | undefined; readonly onLeaving: () => void }): Promise<Process>
  /** Something of an adoption that is not over lies on its disk. */
  isAdopting(): Promise<boolean>
  /** The process dies as it is: what was not durable is gone. */
  crash(): void
  /** In good order. */
  stop(): Promise<void>
  failDisk(isFailing: boolean): void
  /** What is on its disk. */
  chunks(): ChunkStore
  /** A copy of its disk as it is now: the whole machine, keys and all. */
  image(): Disk
  /** Its disk is this one from now on. Its process must be down. */
  setBack(disk: Disk): void
}

export interface Trouble {
  /** Counts writes. */
  readonly at: number
  /** power: it goes. full: the disk takes nothing from then on. once: it does not take that write. */
  readonly kind: 'power' | 'full' | 'once'
}

export interface Disk {
  readonly chunks: MemoryChunkStore
  readonly records: MemoryRecordStore
}

/** One run of a device. */
export interface Process {
  readonly device: Device
  readonly runtime: Runtime
  readonly way: AdoptionWay
  readonly isAlive: () => boolean
  /** The group's relays, as this device deals with them. */
  readonly relays: RelayKeeper
  mayConnect(peer: DeviceId): boolean
  /** It dialled this relay, which did not know it. */
  onRefusedBy(relay: DeviceId): void
  accept(link: DeviceLink): DeviceLinkHandler
}

export interface DeviceParts {
  readonly name: string
  readonly random: SeededRandom
  readonly timeline: TimeLine
  /** As of createDocuments: a small number makes documents close and open again all the time. */
  readonly maxOpenDocuments: number | undefined
  /** Everything logged as a warning or an error. */
  readonly onComplaint: (device: string, complaint: string) => void
  /** The stream to a relay for conversations about its member list; undefined when it is not up. */
  readonly knock?: (relay: DeviceId, from: DeviceId) => PairingLink | undefined
  /** The machine that this one is a copy of, as its disk is now. */
  readonly twinOf?: Device
}

export function createDevice({ name, random, timeline, maxOpenDocuments, onComplaint, knock, twinOf }: DeviceParts): Device {
  const identity: DeviceIdentity = twinOf?.identity ?? withNativeSigner(createIdentity({ name, random }))
  let { chunks, records }: Disk = twinOf?.image() ?? { chunks: createMemoryChunkStore(), records: createMemoryRecordStore() }
  let running: Process | undefined
  /** Counts runs and their ends, so that each run knows whether it is over. */
  let runs = 0

  /** So many writes are left. */
  let fuse: { at: number; readonly kind: Trouble['kind'] } | undefined
  let onDeath = (_reason: Error): void => undefined
  const burning =
    <Change extends ChunkBatch | ReadonlyMap<string, Uint8Array | undefined>>(write: (change: Change) => Promise<void>) =>
    (change: Change): Promise<void> => {
      if (fuse === undefined || fuse.at-- > 0) return write(change)
      const { kind } = fuse
      fuse = undefined
      if (kind === 'once') return Promise.reject(new Error('EIO: the simulated disk did not take that'))
      if (kind === 'full') {
        device.failDisk(true)
        return write(change)
      }
      device.crash()
      return new Promise(() => undefined)
    }
  const untilDeath = <Value>(work: Promise<Value>): Promise<Value> =>
    new Promise((resolve, reject) => {
      onDeath = reject
      work.then(resolve, reject)
    })

  const clock: Clock = { ...timeline.clock, now: () => timeline.clock.now() + device.offByMs }
  const boot = async (): Promise<Process> => {
    const links = createSubject<ReadonlyMap<DeviceId, DeviceLink>>(new Map())
    const number = ++runs
    const isAlive = (): boolean => number === runs
    const complain =
      (level: string) =>
      (event: string, fields: object = {}): void => {
        if (isAlive()) onComplaint(name, `${level} ${event} ${JSON.stringify(fields)}`)
      }
    const logger: Logger = { debug: () => undefined, info: () => undefined, warn: complain('warn'), error: complain('error') }
    const telemetry = { record: () => undefined }
    const disk = { chunks: { ...chunks, apply: burning(chunks.apply) }, records: { ...records, write: burning(records.write) } }
    const open = (from: RecordStore): Promise<Runtime> => createRuntime({ ...parts, store: { chunks: disk.chunks, records: from } })
    const parts = {
      identity,
      clock,
      random,
      hasher: nativeHasher,
      logger,
      worker: createInlineWorker(),
      telemetry,
      linkTo: (peer: DeviceId) => links.peek().get(peer),
      ...(maxOpenDocuments === undefined ? {} : { maxOpenDocuments }),
    }
    const way = createAdoptionWay({ records: disk.records, logger, open })
    const runtime = await way.start().catch((error: unknown) => {
      if (way.isUndone()) return way.start()
      throw error
    })
    /** All that the keeper of relays asks of a network. */
    const node: Pick<NetNode, 'dial' | 'links'> = {
      links,
      async dial(protocol, { device: target }) {
        const link = protocol === RELAY_PROTOCOL && isAlive() ? knock?.(target, identity.id) : undefined
        if (link === undefined) throw new SegueError('UNREACHABLE')
        return link
      },
    }
    const relays = createRelays({
      self: identity.id,
      sealing: identity.sealing,
      records,
      clock,
      random,
      logger,
      runtime: () => runtime,
      node: () => node as NetNode,
      onChanged: () => undefined,
    })
    relays.follow(runtime)
    const host: DeviceLinkHost = createLinkHost({
      self: identity.id,
      clock,
      telemetry,
      isRelay: relays.isRelay,
      runtime: () => runtime,
      onSeen: () => undefined,
    })
    return {
      device,
      runtime,
      way,
      relays,
      isAlive,
      mayConnect: host.mayConnect,
      onRefusedBy: relay => relays.onRefused(relay, 'not-a-member'),
      accept(link) {
        links.set(new Map([...links.peek(), [link.peer, link]]))
        const handler = host.onLink(link)
        return {
          onFrame: handler.onFrame,
          onClosed(code) {
            if (links.peek().get(link.peer) === link) links.set(new Map([...links.peek()].filter(([peer]) => peer !== link.peer)))
            handler.onClosed(code)
          },
        }
      },
    }
  }

  const stopNow = async (): Promise<void> => {
    const { runtime, relays } = running ?? {}
    await relays?.close()
    await runtime?.close()
    running = undefined
    runs++
  }

  const device: Device = {
    chunks: () => chunks,
    image: () => ({ chunks: chunks.copy(), records: records.copy() }),
    setBack(disk) {
      chunks = disk.chunks
      records = disk.records
    },
    identity,
    name,
    id: identity.id,
    keys: { signing: identity.signing.publicKey, sealing: identity.sealing.publicKey },
    process: () => running,
    offByMs: 0,
    async start(entered) {
      if (entered !== undefined) {
        const entries = entered.entries().map(entry => entry.bytes)
        await saveGroup(records, { id: entered.id, secret: entered.secret, entries, dropChunks: true })
      }
      running = await timeline.during(untilDeath(boot()))
      return running
    },
    async adopt(group, { trouble, onLeaving }) {
      const { runtime, way } = running as Process
      const run = runs
      fuse = trouble && { ...trouble }
      const go = async (): Promise<void> => {
        await way.prepare(runtime)
        const entries = group.entries().map(({ bytes }) => bytes)
        const beside = await way.plan()
        await saveGroup(
          { ...records, write: burning(records.write) },
          { id: group.id, secret: group.secret, entries, dropChunks: true },
          beside,
        )
        await way.decide(runtime)
        await sayGoodbye(runtime, { identity, clock, random, logger: silent })
        if (runs !== run) return // the power went meanwhile: what runs now is another process
        onLeaving()
        await stopNow()
      }
      try {
        await timeline.during(untilDeath(go()))
        return await device.start()
      } catch (error) {
        device.crash() // it may still be on its way, and go on once the disk takes something
        throw error
      } finally {
        fuse = undefined
      }
    },
    async isAdopting() {
      for await (const _ of records.list('adoption/')) return true
      return false
    },
    crash() {
      const { runtime, relays } = running ?? {}
      running = undefined
      runs++
      fuse = undefined
      onDeath(new Error('the power went'))
      void relays?.close()
      chunks = chunks.crash()
      records = records.crash()
      // Its stores are dead, so whatever it still does reaches nothing.
      runtime?.close().catch(() => undefined)
    },
    stop: () => timeline.during(stopNow()),
    failDisk(isFailing) {
      const reason = isFailing ? new Error('ENOSPC: no space left on the simulated disk') : undefined
      chunks.failWrites(reason)
      records.failWrites(reason)
    },
  }
  return device
}

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
