/**
 * One device of a simulated day: the engine's own runtime on memory stores, a simulated clock and an inline worker. Its process
 * may die at any instant and starts again from what was durable; its disk may take nothing for a while; its wall clock may be wrong.
 */
import { createIdentity, type DeviceId, type DeviceIdentity, type Group } from '@segue/core'
import type { ChunkStore, Clock, DeviceLink, DeviceLinkHandler, DeviceLinkHost, Logger } from '@segue/core/ports'
import {
  createMemoryChunkStore,
  createMemoryRecordStore,
  type MemoryChunkStore,
  type MemoryRecordStore,
  type SeededRandom,
} from '@segue/core/testing'
import { createLinkHost, createRuntime, nativeHasher, saveGroup, type Runtime } from '@segue/engine/testing'
import { createInlineWorker } from '@segue/core'
import type { TimeLine } from './timeline.ts'

export interface Device {
  readonly name: string
  readonly id: DeviceId
  /** What a member says of it to add it. */
  readonly keys: { readonly signing: Uint8Array; readonly sealing: Uint8Array }
  /** Undefined while its process is down. */
  readonly process: () => Process | undefined
  /** How wrong its wall clock is. */
  offByMs: number
  /** From what is durable; with a group given it enters that one, as after a pairing. Rejects when the disk takes nothing. */
  start(entered?: Group): Promise<Process>
  /** The process dies as it is: what was not durable is gone. */
  crash(): void
  /** In good order. */
  stop(): Promise<void>
  failDisk(isFailing: boolean): void
  /** What is on its disk. */
  chunks(): ChunkStore
}

/** One run of a device. */
export interface Process {
  readonly device: Device
  readonly runtime: Runtime
  /** Live links by peer. */
  readonly links: ReadonlyMap<DeviceId, DeviceLink>
  readonly isAlive: () => boolean
  mayConnect(peer: DeviceId): boolean
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
}

export function createDevice({ name, random, timeline, maxOpenDocuments, onComplaint }: DeviceParts): Device {
  const identity: DeviceIdentity = createIdentity({ name, random })
  let chunks: MemoryChunkStore = createMemoryChunkStore()
  let records: MemoryRecordStore = createMemoryRecordStore()
  let running: Process | undefined
  /** Counts runs and their ends, so that each run knows whether it is over. */
  let runs = 0

  const clock: Clock = { ...timeline.clock, now: () => timeline.clock.now() + device.offByMs }
  const boot = async (): Promise<Process> => {
    const links = new Map<DeviceId, DeviceLink>()
    const number = ++runs
    const isAlive = (): boolean => number === runs
    const complain =
      (level: string) =>
      (event: string, fields: object = {}): void => {
        if (isAlive()) onComplaint(name, `${level} ${event} ${JSON.stringify(fields)}`)
      }
    const logger: Logger = { debug: () => undefined, info: () => undefined, warn: complain('warn'), error: complain('error') }
    const telemetry = { record: () => undefined }
    const runtime = await createRuntime({
      store: { chunks, records },
      identity,
      clock,
      random,
      hasher: nativeHasher,
      logger,
      worker: createInlineWorker(),
      telemetry,
      linkTo: peer => links.get(peer),
      ...(maxOpenDocuments === undefined ? {} : { maxOpenDocuments }),
    })
    const host: DeviceLinkHost = createLinkHost({ self: identity.id, clock, telemetry, runtime: () => runtime, onSeen: () => undefined })
    return {
      device,
      runtime,
      links,
      isAlive,
      mayConnect: host.mayConnect,
      accept(link) {
        links.set(link.peer, link)
        const handler = host.onLink(link)
        return {
          onFrame: handler.onFrame,
          onClosed(code) {
            if (links.get(link.peer) === link) links.delete(link.peer)
            handler.onClosed(code)
          },
        }
      },
    }
  }

  const device: Device = {
    chunks: () => chunks,
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
      running = await timeline.during(boot())
      return running
    },
    crash() {
      const { runtime } = running ?? {}
      running = undefined
      runs++
      chunks = chunks.crash()
      records = records.crash()
      // Its stores are dead, so whatever it still does reaches nothing.
      runtime?.close().catch(() => undefined)
    },
    async stop() {
      const { runtime } = running ?? {}
      if (runtime !== undefined) await timeline.during(runtime.close())
      running = undefined
      runs++
    },
    failDisk(isFailing) {
      const reason = isFailing ? new Error('ENOSPC: no space left on the simulated disk') : undefined
      chunks.failWrites(reason)
      records.failWrites(reason)
    },
  }
  return device
}
