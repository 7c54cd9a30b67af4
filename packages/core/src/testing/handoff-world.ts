/**
 * Devices that hand a session over, without Automerge and without a network: documents are grow-only sets of changes, links are
 * queues that the test delivers, drops or repeats, time is moved by hand. What is on a device's disk survives its `restart`.
 */
import { decodeControlMessage, type ControlMessage } from '../wire/control-messages.ts'
import { createSigningKeys } from '../crypto/sign.ts'
import { toHex } from '../lib/bytes.ts'
import { deviceIdOf, hexId, type DeviceId, type SessionId } from '../lib/ids.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import type { TelemetryEvent } from '../telemetry/events.ts'
import type { HandoffComponents, Manifest } from '../handoff/collaborators.ts'
import { createHandoffs } from '../handoff/coordinator.ts'
import type { Handoffs } from '../handoff/handoffs.ts'
import { claimKey, type Claim } from '../handoff/lease.ts'
import { SESSION_KINDS, type SessionKind } from '../handoff/outcome.ts'
import { rememberingVerifier } from './group-cast.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { createMemoryRecordStore, type MemoryRecordStore } from './memory-record-store.ts'
import { createSeededRandom } from './seeded-random.ts'

export interface HandoffDevice {
  readonly name: string
  readonly id: DeviceId
  handoffs: Handoffs
  store: MemoryRecordStore
  readonly events: TelemetryEvent[]
  /** What was brought back on the screen, newest last. */
  readonly restored: (readonly SessionKind[])[]
  readonly rolledBack: string[]
  /** The hot set on the screen, marked as arriving. */
  arriving: Uint8Array | undefined
  /** Switches of a bad day. */
  conflicts: number
  /** When the newest change here was made, as its author's clock said. */
  changedAt: number | undefined
  schemaVersion: number
  consents: boolean
  /** Not a collaborator call succeeds while this is set. */
  broken: Error | undefined
  /** A change to the document at this index. */
  edit(document?: number): void
  changes(document?: number): readonly string[]
  containsAll(manifest: Manifest): boolean
  manifest(kinds?: readonly SessionKind[]): Manifest
  claims(): readonly Claim[]
  /** The process dies as it is and comes up again. */
  restart(): Promise<void>
}

export interface Frame {
  readonly from: HandoffDevice
  readonly to: HandoffDevice
  readonly bytes: Uint8Array
}

export interface HandoffWorld {
  readonly clock: ManualClock
  readonly session: SessionId
  readonly laptop: HandoffDevice
  readonly desk: HandoffDevice
  readonly phone: HandoffDevice
  /** On their way, in the order of sending. */
  readonly frames: Frame[]
  readonly carried: { readonly from: HandoffDevice; readonly to: DeviceId; readonly offer: Uint8Array }[]
  /** Called after each claim is written, with the writer. */
  onClaim: (writer: HandoffDevice, claim: Claim) => void
  /** The others hear of it. */
  remove(device: HandoffDevice): Promise<void>
  connect(a: HandoffDevice, b: HandoffDevice): Promise<void>
  disconnect(a: HandoffDevice, b: HandoffDevice): void
  isLinked(a: HandoffDevice, b: HandoffDevice): boolean
  /** Delivers one frame (the oldest, or that index); twice when asked. */
  deliver(index?: number, options?: { readonly twice?: boolean }): Promise<void>
  /** Content and claims from one device to another, as replication does; then `to` knows what `from` held. */
  replicate(from: HandoffDevice, to: HandoffDevice): Promise<void>
  /** Delivers and replicates between linked devices until nothing is on its way. */
  settle(): Promise<void>
  /** Moves time in steps, settling after each. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

export const CHANGE_BYTES = 100
const DOCUMENTS = [...SESSION_KINDS, 'session'] as const

/** Lets everything that waits for a promise run; nothing in this world waits for anything else. */
export async function quiesce(turns = 80): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}

export async function createHandoffWorld({ seed = 1 }: { readonly seed?: number } = {}): Promise<HandoffWorld> {
  const random = createSeededRandom(seed)
  const clock = createManualClock()
  const verifier = rememberingVerifier()
  const session = hexId<SessionId>(random.bytes(16))
  const documentIds = DOCUMENTS.map(() => random.bytes(16))
  const links = new Set<string>()
  const removed = new Set<DeviceId>()
  const frames: Frame[] = []
  const carried: HandoffWorld['carried'] = []
  const devices: HandoffDevice[] = []
  const insides = new Map<HandoffDevice, Inside>()
  const pairOf = (a: HandoffDevice, b: HandoffDevice): string => [a.name, b.name].sort().join()
  const inside = (device: HandoffDevice): Inside => insides.get(device) as Inside

  const linkFrom = (from: HandoffDevice, to: HandoffDevice): DeviceLink => ({
    peer: to.id,
    path: 'lan',
    outbound: true,
    closed: new AbortController().signal,
    send: (_channel, bytes) => {
      if (links.has(pairOf(from, to))) frames.push({ from, to, bytes })
      return Promise.resolve()
    },
    pending: () => 0,
    close: () => Promise.resolve(),
  })

  const world: HandoffWorld = {
    clock,
    session,
    laptop: await createDevice('laptop'),
    desk: await createDevice('desk'),
    phone: await createDevice('phone'),
    frames,
    carried,
    onClaim: () => undefined,
    async remove(device) {
      removed.add(device.id)
      for (const other of devices) if (other !== device) other.handoffs.onMembersChanged()
      await quiesce()
    },
    async connect(a, b) {
      links.add(pairOf(a, b))
      a.handoffs.onLink(linkFrom(a, b))
      b.handoffs.onLink(linkFrom(b, a))
      await quiesce()
    },
    disconnect(a, b) {
      links.delete(pairOf(a, b))
      for (let i = frames.length - 1; i >= 0; i--) {
        const frame = frames[i] as Frame
        if (pairOf(frame.from, frame.to) === pairOf(a, b)) frames.splice(i, 1)
      }
    },
    isLinked: (a, b) => links.has(pairOf(a, b)),
    async deliver(index = 0, { twice = false } = {}) {
      const [frame] = frames.splice(index, 1)
      if (frame === undefined) return
      for (let i = 0; i < (twice ? 2 : 1); i++) await frame.to.handoffs.onFrame(linkFrom(frame.to, frame.from), frame.bytes)
      await quiesce()
    },
    async replicate(from, to) {
      const [source, target] = [inside(from), inside(to)]
      source.documents.forEach((changes, i) => changes.forEach(change => target.documents[i]?.add(change)))
      for (const [key, claim] of source.claims) target.claims.set(key, claim)
      target.heard.set(from.id, new Set([...(target.heard.get(from.id) ?? []), ...source.claims.keys()]))
      if (source.isKnown) target.isKnown = true
      target.wake()
      await quiesce()
    },
    async settle() {
      for (let rounds = 0; rounds < 200; rounds++) {
        await quiesce()
        while (frames.length > 0) await world.deliver()
        const before = devices.map(device => inside(device).size()).join()
        for (const a of devices) for (const b of devices) if (a !== b && links.has(pairOf(a, b))) await world.replicate(a, b)
        if (frames.length === 0 && before === devices.map(device => inside(device).size()).join()) return
      }
    },
    async pass(ms) {
      for (let left = ms; left > 0; left -= 500) {
        clock.advance(Math.min(500, left))
        await world.settle()
      }
    },
    async close() {
      for (const device of devices) await device.handoffs.close()
    },
  }
  inside(world.laptop).isKnown = true
  for (let i = 0; i < DOCUMENTS.length; i++) world.laptop.edit(i)
  await world.laptop.handoffs.open(session)
  return world

  async function createDevice(name: string): Promise<HandoffDevice> {
    const signing = createSigningKeys(random)
    const id = deviceIdOf(signing.publicKey)
    const state: Inside = createInside()
    const guard = async (): Promise<void> => {
      if (device.broken !== undefined) throw device.broken
    }
    const manifestOf = (kinds: readonly SessionKind[]): Manifest => ({
      schemaVersion: 1,
      documents: DOCUMENTS.flatMap((kind, i) => {
        if (kind !== 'session' && !kinds.includes(kind)) return []
        const heads = [...(state.documents[i] ?? [])].sort()
        return [{ documentId: documentIds[i] as Uint8Array, kind, heads, bytes: heads.length * CHANGE_BYTES }]
      }),
    })
    const holds = (documentId: Uint8Array, heads: readonly string[]): boolean => {
      const changes = state.documents[documentIds.findIndex(other => toHex(other) === toHex(documentId))]
      return heads.every(head => changes?.has(head))
    }
    const components = (): HandoffComponents => ({
      identity: { id, signing },
      clock,
      random,
      verifier,
      logger: { debug() {}, info() {}, warn() {}, error() {} },
      records: device.store,
      telemetry: { record: event => void device.events.push(event) },
      sessions: {
        schemaVersion: device.schemaVersion,
        has: async () => state.isKnown,
        manifest: async (_session, kinds) => guard().then(() => manifestOf(kinds)),
        changedAt: async () => device.changedAt,
        flush: guard,
        takeCheckpoint: async () => (state.isKnown ? `checkpoint of ${name}` : undefined),
        rollback: async (_session, checkpoint) => void device.rolledBack.push(checkpoint),
        conflictsSince: async () => guard().then(() => device.conflicts),
        hotSet: async () => new Uint8Array([1, 2, 3]),
        showArriving: (_session, arriving) => {
          device.arriving = arriving?.hotSet
        },
        restore: async (_session, kinds) => guard().then(() => void device.restored.push(kinds)),
      },
      content: {
        want: () => () => undefined,
        whenContains: async (documentId, heads, { signal }) => {
          await guard()
          while (!holds(documentId, heads)) await state.nextWake(signal)
        },
        watchArrival: (_documents, onBytes) => {
          const before = state.changes()
          return state.onWake(() => onBytes((state.changes() - before) * CHANGE_BYTES))
        },
      },
      leases: {
        read: async () => [...state.claims.values()],
        write: async (_session, claim) => {
          await guard()
          if (state.claims.has(claimKey(claim))) return
          state.claims.set(claimKey(claim), claim)
          world.onClaim(device, claim)
        },
        hasHeard: (_session, other, claim) => state.heard.get(other)?.has(claimKey(claim)) ?? false,
      },
      devices: {
        link: other => {
          const peer = devices.find(({ id: candidate }) => candidate === other)
          return peer !== undefined && links.has(pairOf(device, peer)) ? linkFrom(device, peer) : undefined
        },
        isActive: other => !removed.has(other),
        consent: async () => device.consents,
      },
      carrier: {
        publish: async (_handoff, to, _revision, offer) => {
          if (offer !== undefined) carried.push({ from: device, to, offer })
        },
      },
    })
    const device: HandoffDevice = {
      name,
      id,
      handoffs: undefined as unknown as Handoffs,
      store: createMemoryRecordStore(),
      events: [],
      restored: [],
      rolledBack: [],
      arriving: undefined,
      conflicts: 0,
      changedAt: undefined,
      schemaVersion: 1,
      consents: true,
      broken: undefined,
      edit(document = 0) {
        state.documents[document]?.add(toHex(random.bytes(32)))
      },
      changes: (document = 0) => [...(state.documents[document] ?? [])],
      containsAll: manifest => manifest.documents.every(({ documentId, heads }) => holds(documentId, heads)),
      manifest: (kinds = SESSION_KINDS) => manifestOf(kinds),
      claims: () => [...state.claims.values()],
      async restart() {
        device.store = device.store.crash()
        await device.handoffs.close()
        device.arriving = undefined
        device.handoffs = await createHandoffs(components())
        await quiesce()
      },
    }
    insides.set(device, state)
    devices.push(device)
    device.handoffs = await createHandoffs(components())
    return device
  }
}

/** A device's disk, and who waits for something to arrive on it. */
interface Inside {
  isKnown: boolean
  readonly documents: readonly Set<string>[]
  readonly claims: Map<string, Claim>
  readonly heard: Map<DeviceId, Set<string>>
  changes(): number
  size(): number
  wake(): void
  onWake(task: () => void): () => void
  nextWake(signal: AbortSignal): Promise<void>
}

function createInside(): Inside {
  const wakers = new Set<() => void>()
  const documents = DOCUMENTS.map(() => new Set<string>())
  const claims = new Map<string, Claim>()
  const onWake = (task: () => void): (() => void) => {
    wakers.add(task)
    return () => void wakers.delete(task)
  }
  return {
    isKnown: false,
    documents,
    claims,
    heard: new Map(),
    changes: () => documents.reduce((sum, changes) => sum + changes.size, 0),
    size: () => documents.reduce((sum, changes) => sum + changes.size, claims.size),
    wake() {
      for (const waker of [...wakers]) waker()
    },
    onWake,
    nextWake: signal =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const stop = onWake(() => {
          stop()
          resolve()
        })
        signal.addEventListener(
          'abort',
          () => {
            stop()
            reject(signal.reason)
          },
          { once: true },
        )
      }),
  }
}

/** Laptop and desk, linked. */
export async function together(): Promise<HandoffWorld> {
  const world = await createHandoffWorld()
  await world.connect(world.laptop, world.desk)
  return world
}

/** Types of the frames on their way, in order. */
export function typesOf(world: HandoffWorld): string[] {
  return world.frames.map(({ bytes }) => messageIn(bytes).type)
}

export function messageIn(bytes: Uint8Array): ControlMessage {
  const decoded = decodeControlMessage(bytes)
  if (!decoded.ok) throw new Error(decoded.error.detail)
  return decoded.value
}
