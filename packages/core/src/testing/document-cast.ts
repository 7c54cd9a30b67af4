/**
 * Devices of one group with everything real but disk and network: keys, sealed chunks, replicas, Automerge. Linked and cut as a
 * test wants, on one simulated clock.
 */
import { interpretAsDocumentId, type BinaryDocumentId, type DocumentId } from '@automerge/automerge-repo'
import type { Keyring } from '../crypto/index.ts'
import {
  createDeviceInspector,
  createDocuments,
  createInlineWorker,
  openLate,
  type Documents,
  type DocumentsComponents,
} from '../documents/index.ts'
import { ROOT_GENESIS_HASH } from '../documents/root-genesis.ts'
import { foundGroup, openGroup, type Group, type SignedEntry } from '../group/index.ts'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { GROUP_DOC_TAG, type DeviceId, type SessionId } from '../lib/ids.ts'
import type { Inspector } from '../ports/inspector.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { DocumentWorker } from '../ports/worker.ts'
import { createReplica, type Replica } from '../replication/index.ts'
import { rememberingVerifier } from './group-cast.ts'
import { createMemoryRecordStore, type MemoryRecordStore } from './memory-record-store.ts'
import { createMemoryChunkStore, type MemoryChunkStore } from './memory-chunk-store.ts'
import { createSeededRandom } from './seeded-random.ts'
import { linkDevices, type SimulatedLink, type SimulatedLinkOptions } from './simulated-link.ts'

export interface DocumentDevice {
  readonly id: DeviceId
  readonly identity: DeviceIdentity
  group: Group
  /** As the group's, but holding no epoch's key while `isLocked`. */
  readonly keyring: Keyring
  isLocked: boolean
  store: MemoryChunkStore
  records: MemoryRecordStore
  inspector: Inspector
  replica: Replica
  documents: Documents
  /** As whoever follows deletions says; nothing is deleted unless a test sets it. */
  isDeleted: (documentId: DocumentId) => boolean
  isNotHere: (documentId: DocumentId) => boolean
  /** Events logged as warnings or errors, in order. */
  readonly complaints: string[]
}

export interface DocumentCast {
  readonly clock: Clock
  /** The first founds the group, the others are added by it; all know all that were added so far. */
  join(name: string): Promise<DocumentDevice>
  /** Another machine with this one's keys and what is on its disk, nobody told. */
  copy(device: DocumentDevice): Promise<DocumentDevice>
  link(a: DocumentDevice, b: DocumentDevice, options?: Partial<SimulatedLinkOptions>): SimulatedLink
  /** A new process on the same store: links gone, what was not durable lost. */
  restart(device: DocumentDevice, options?: DeviceOptions): Promise<void>
  close(): Promise<void>
}

export type DeviceOptions = Partial<Pick<DocumentsComponents, 'maxOpenDocuments' | 'worker'>>

/** `withLog`: the group's entries travel and are stored as in the engine; without it everybody hears at once of who was added. */
export function createDocumentCast(
  clock: Clock,
  { seed = 1, withLog = false }: { readonly seed?: number; readonly withLog?: boolean } = {},
): DocumentCast {
  const random = createSeededRandom(seed)
  const verifier = rememberingVerifier()
  const devices: DocumentDevice[] = []
  const links = new Map<SimulatedLink, readonly [DocumentDevice, DocumentDevice]>()

  const start = async (device: DocumentDevice, options: DeviceOptions): Promise<void> => {
    const { identity, keyring, store, complaints } = device
    const worker: DocumentWorker = options.worker ?? createInlineWorker()
    device.inspector = createDeviceInspector({
      ...{ keyring, worker, verifier },
      chunkStore: store,
      beforeFragment: (chunk, documentId) => device.documents.beforeFragment(chunk, documentId),
    })
    device.replica = await createReplica({ store, inspector: device.inspector, clock, random })
    const logger = createComplaintLogger(complaints)
    const { records, group } = device
    const stored = (): Promise<void> => device.replica.settled()
    const late = await openLate({ trust: group, records, chunkStore: store, keyring, stored, pinned: [ROOT_GENESIS_HASH] })
    device.documents = createDocuments({
      ...{ ...device, ...options, worker, verifier, late, identity },
      ...{ chunkStore: store, clock, random, logger, isDeleted: id => device.isDeleted(id), isNotHere: id => device.isNotHere(id) },
    })
    if (withLog) followLog(device)
  }
  const followLog = ({ group, replica }: DocumentDevice): void => {
    let isArriving = false
    const keep = (entries: readonly SignedEntry[]): void => {
      if (!isArriving) replica.add(entries.map(entry => group.toChunk(entry))).catch(() => undefined) // a crash, for the test to judge
    }
    keep(group.entries())
    group.onEntries(keep)
    replica.subscribe({
      onArrived(chunks) {
        isArriving = true
        group.receive(entriesIn(group, chunks))
        isArriving = false
      },
    })
  }
  const reopen = async (device: DocumentDevice): Promise<void> => {
    const { identity, store } = device
    const records = (await store.listDocument(GROUP_DOC_TAG)).filter(record => record.class === 'log')
    const entries = entriesIn(device.group, await store.getMany(records.map(({ id }) => id)))
    device.group = openGroup({ identity, random, verifier, secret: device.group.secret, entries })
  }
  const groupFor = (identity: DeviceIdentity): Group => {
    const [founder] = devices
    if (founder === undefined) return foundGroup({ identity, random, verifier, time: clock.now() })
    const keys = { signing: identity.signing.publicKey, sealing: identity.sealing.publicKey }
    const added = founder.group.add({ keys, role: 'member', name: identity.name, time: clock.now() })
    for (const device of devices) device.group.receive([added.bytes])
    const entries = founder.group.entries().map(entry => entry.bytes)
    return openGroup({ identity, random, verifier, secret: founder.group.secret, entries })
  }
  const begin = async (
    identity: DeviceIdentity,
    group: Group,
    stores: Pick<DocumentDevice, 'store' | 'records'>,
  ): Promise<DocumentDevice> => {
    const unlocked = group.keyring
    const keyring: Keyring = {
      idKey: unlocked.idKey,
      tagKey: unlocked.tagKey,
      logKey: unlocked.logKey,
      current: () => device.group.keyring.current(),
      knows: epoch => device.group.keyring.knows(epoch),
      secretOf: epoch => (device.isLocked ? undefined : device.group.keyring.secretOf(epoch)),
    }
    const parts = {
      id: identity.id,
      identity,
      group,
      keyring,
      isLocked: false,
      isDeleted: () => false,
      isNotHere: () => false,
      ...stores,
      complaints: [],
    }
    const device = parts as unknown as DocumentDevice // the running parts come with `start`
    await start(device, {})
    devices.push(device)
    return device
  }
  return {
    clock,
    async join(name) {
      const identity = createIdentity({ name, random })
      return begin(identity, groupFor(identity), { store: createMemoryChunkStore(), records: createMemoryRecordStore() })
    },
    copy({ identity, group, store, records }) {
      const entries = group.entries().map(entry => entry.bytes)
      const same = openGroup({ identity, random, verifier, secret: group.secret, entries })
      return begin(identity, same, { store: store.copy(), records: records.copy() })
    },
    link(a, b, options = {}) {
      const link = linkDevices(
        { id: a.id, accept: end => a.replica.attach(end) },
        { id: b.id, accept: end => b.replica.attach(end) },
        { clock, latencyMs: 1, ...options },
      )
      links.set(link, [a, b])
      return link
    },
    async restart(device, options = {}) {
      for (const [link, [a, b]] of links) if (a === device || b === device) link.cut()
      const { documents, replica } = device
      device.store = device.store.crash()
      device.records = device.records.crash()
      void replica.close().catch(() => undefined) // its store is dead; nothing of it may matter any more
      void documents.close().catch(() => undefined)
      if (withLog) await reopen(device)
      await start(device, options)
    },
    async close() {
      for (const link of links.keys()) link.cut()
      await Promise.all(devices.map(device => device.documents.close()))
      await Promise.all(devices.map(device => device.replica.close()))
    },
  }
}

/** The document with these 16 bytes. */
export function binaryDocumentId(bytes: Uint8Array): DocumentId {
  return interpretAsDocumentId(bytes as BinaryDocumentId)
}

/** A session id for tests: any number, always the same id. */
export function newSessionId(number: number): SessionId {
  return number.toString(16).padStart(32, '0') as SessionId
}

function entriesIn(group: Group, chunks: readonly SealedChunk[]): readonly Uint8Array[] {
  return chunks.flatMap(chunk => {
    const entry = chunk.class === 'log' ? group.fromChunk(chunk) : undefined
    return entry?.ok ? [entry.value] : []
  })
}

function createComplaintLogger(complaints: string[]): Logger {
  const complain = (event: string): void => void complaints.push(event)
  return { debug: () => undefined, info: () => undefined, warn: complain, error: complain }
}
