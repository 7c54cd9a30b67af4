/** Devices with heartbeats, and relays between them: honest ones, and those that show each device what they like. */
import type { DocHandle } from '@automerge/automerge-repo'
import { documentIdOfBytes } from '../session/session-ids.ts'
import { createHeartbeats, HEARTBEAT_PACE, type Heartbeats } from '../heartbeat/index.ts'
import type { DeviceId, MailboxId } from '../lib/ids.ts'
import { createReplica, keylessInspector, type Replica } from '../replication/index.ts'
import { createDocumentCast, type DocumentDevice } from './document-cast.ts'
import { createMemoryChunkStore, type MemoryChunkStore } from './memory-chunk-store.ts'
import { createMemoryRecordStore, type MemoryRecordStore } from './memory-record-store.ts'
import { createSeededRandom } from './seeded-random.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import { linkDevices, type SimulatedLink } from './simulated-link.ts'

export interface BeatingDevice {
  readonly device: DocumentDevice
  readonly records: MemoryRecordStore
  beats: Heartbeats
  /** Times at which a heartbeat of its own was written, in order. */
  readonly written: number[]
}

/** One view of a relay: a keyless replica with a store of its own. */
export interface RelayView {
  readonly id: DeviceId
  readonly mailbox: MailboxId
  store: MemoryChunkStore
  replica: Replica
}

export interface HeartbeatCast {
  join(name: string): Promise<BeatingDevice>
  /** A new process on the same store; with `store`, on another one. */
  restart(one: BeatingDevice): Promise<void>
  /** Views of one id are one relay to the devices. */
  relay(id: string): Promise<RelayView>
  /** It comes back with this store, as another incarnation; links are to be made anew. */
  restartRelay(view: RelayView, store: MemoryChunkStore): Promise<void>
  link(one: BeatingDevice, other: BeatingDevice | RelayView): SimulatedLink
  note(one: BeatingDevice, text: string): Promise<DocHandle<{ text: string }>>
  close(): Promise<void>
}

export function createHeartbeatCast(clock: SimulatedClock): HeartbeatCast {
  const cast = createDocumentCast(clock)
  const random = createSeededRandom(77)
  const all: BeatingDevice[] = []
  const views: RelayView[] = []
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  const relaysOf = (): readonly RelayView[] => [...new Map(views.map(view => [view.id, view])).values()]
  const start = async ({ device, records, written }: BeatingDevice): Promise<Heartbeats> => {
    const replica: Replica = {
      ...device.replica,
      add: (chunks, options) => {
        written.push(clock.monotonic())
        return device.replica.add(chunks, options)
      },
    }
    return createHeartbeats({
      identity: device.identity,
      group: device.group.id,
      keyring: device.keyring,
      replica,
      chunkStore: device.store,
      records,
      clock,
      random,
      logger,
      headsOf: id => device.documents.headsOf(documentIdOfBytes(id)),
      flush: () => device.documents.flush(),
      logHeads: () => device.group.state.peek().heads,
      devices: () => all.map(each => each.device.id),
      relays: relaysOf,
      pace: HEARTBEAT_PACE,
    })
  }
  const closing: (() => Promise<void>)[] = []
  return {
    async join(name) {
      const device = await cast.join(name)
      const one = { device, records: createMemoryRecordStore(), written: [] } as unknown as BeatingDevice
      all.push(one)
      one.beats = await start(one)
      return one
    },
    async restart(one) {
      await one.beats.close()
      await cast.restart(one.device)
      one.beats = await start(one)
    },
    async relay(id) {
      const store = createMemoryChunkStore()
      const view: RelayView = {
        id: id as DeviceId,
        mailbox: '5e'.repeat(16) as MailboxId,
        store,
        replica: await createReplica({ store, inspector: keylessInspector, clock, random, keyless: true }),
      }
      views.push(view)
      closing.push(() => view.replica.close())
      return view
    },
    async restartRelay(view, store) {
      void view.replica.close().catch(() => undefined) // its store is gone
      view.store = store
      view.replica = await createReplica({ store, inspector: keylessInspector, clock, random, keyless: true })
    },
    link(one, other) {
      const [id, replica] = 'device' in other ? [other.device.id, other.device.replica] : [other.id, other.replica]
      return linkDevices(
        { id: one.device.id, accept: end => one.device.replica.attach(end) },
        { id, accept: end => replica.attach(end) },
        { clock, latencyMs: 1 },
      )
    },
    async note(one, text) {
      const handle = await one.device.documents.create<{ text: string }>(draft => void (draft.text = text))
      await one.device.documents.flush()
      return handle
    },
    async close() {
      for (const one of all) await one.beats.close()
      await cast.close()
      for (const close of closing) await close()
    },
  }
}
