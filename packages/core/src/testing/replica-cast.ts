/** Replicas of the usual cast on one simulated clock: linked, cut, crashed and started again as a test wants. */
import { portableHasher } from '../crypto/hash.ts'
import type { DeviceId, EpochId } from '../lib/ids.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Inspector } from '../ports/inspector.ts'
import { createReplica, type Replica, type ReplicaSession } from '../replication/index.ts'
import type { AttachOptions } from '../replication/index.ts'
import { sumOfRecords } from '../replication/summary.ts'
import { decodeSyncMessage, type SyncMessage } from '../wire/sync-messages.ts'
import { createMemoryChunkStore, type MemoryChunkStore } from './memory-chunk-store.ts'
import { createChunkCast, type ChunkCast } from './plain-chunks.ts'
import { createSeededRandom } from './seeded-random.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import { linkDevices, type SimulatedLink, type SimulatedLinkOptions } from './simulated-link.ts'

export interface CastMember {
  readonly id: DeviceId
  replica: Replica
  store: MemoryChunkStore
  /** What its listeners heard of, in order. */
  readonly arrived: SealedChunk[]
  /** Epochs it holds no key of. */
  readonly missing: Set<EpochId>
}

export interface ReplicaCast {
  readonly clock: SimulatedClock
  readonly chunks: ChunkCast
  join(name: string, options?: CastOptions): Promise<CastMember>
  link(a: CastMember, b: CastMember, options?: CastLinkOptions): SimulatedLink
  /** Links them, and resolves when both say that they are in sync. */
  inSync(a: CastMember, b: CastMember, options?: CastLinkOptions): Promise<SimulatedLink>
  /** One commit in each of so many documents, `document <number>`. */
  fill(member: CastMember, documents: number, from?: number): Promise<void>
  /** What crossed the links, in order; a test empties it when it likes. */
  readonly seen: SeenMessage[]
  types(): readonly SyncMessage['type'][]
  /** Loses what was not durable and starts again from the rest, with links gone. */
  restart(member: CastMember, options?: CastOptions): Promise<void>
}

export interface CastOptions {
  readonly keyless?: boolean
  readonly keepsNothing?: boolean
  readonly inspector?: Inspector
}

export type CastLinkOptions = Partial<SimulatedLinkOptions> & { readonly scopes?: readonly [AttachOptions, AttachOptions] }

export interface SeenMessage {
  readonly from: DeviceId
  readonly to: DeviceId
  readonly type: SyncMessage['type']
  readonly message: SyncMessage
}

export interface ReplicaCastOptions {
  readonly seed?: number
  /** Default: the portable one. */
  readonly hasher?: Hasher
}

export function createReplicaCast(clock: SimulatedClock, { seed = 1, hasher = portableHasher }: ReplicaCastOptions = {}): ReplicaCast {
  const chunks = createChunkCast(hasher)
  const random = createSeededRandom(seed)
  const links = new Map<SimulatedLink, readonly [CastMember, CastMember]>()
  const start = async (member: CastMember, options: CastOptions): Promise<void> => {
    const { keyless = false, keepsNothing = false } = options
    const inspector = options.inspector ?? chunks.inspector(() => member.store, member.missing)
    member.replica = await createReplica({ store: member.store, inspector, clock, random, hasher, keyless, keepsNothing })
    member.replica.subscribe({ onArrived: arrived => void member.arrived.push(...arrived) })
  }
  const seen: SeenMessage[] = []
  const onFrame: SimulatedLinkOptions['onFrame'] = (from, to, _channel, frame) => {
    const message = decodeSyncMessage(frame)
    if (message.ok) seen.push({ from, to, type: message.value.type, message: message.value })
  }
  const link: ReplicaCast['link'] = (a, b, { scopes = [{}, {}], ...options } = {}) => {
    const made = linkDevices(
      { id: a.id, accept: accept(a, scopes[0]) },
      { id: b.id, accept: accept(b, scopes[1]) },
      { clock, latencyMs: 1, onFrame, ...options },
    )
    links.set(made, [a, b])
    return made
  }
  const accept =
    (member: CastMember, options: AttachOptions) =>
    (link: DeviceLink): ReplicaSession =>
      member.replica.attach(link, options)
  return {
    clock,
    chunks,
    async join(name, options = {}) {
      const member = {
        id: name as DeviceId,
        store: createMemoryChunkStore(),
        arrived: [],
        missing: new Set<EpochId>(),
      } as unknown as CastMember
      await start(member, options)
      return member
    },
    link,
    async inSync(a, b, options) {
      const made = link(a, b, options)
      const says = (one: CastMember, other: CastMember): boolean => one.replica.peers.peek().get(other.id)?.state === 'in-sync'
      await clock.runUntil(() => says(a, b) && says(b, a))
      return made
    },
    fill: (member, documents, from = 0) =>
      member.replica.add(Array.from({ length: documents }, (_, i) => chunks.commit(`document ${from + i}`, 'first'))),
    seen,
    types: () => seen.map(({ type }) => type),
    async restart(member, options = {}) {
      for (const [link, [a, b]] of links) if (a === member || b === member) link.cut()
      const crashed = member.replica
      member.store = member.store.crash()
      void crashed.close().catch(() => undefined) // its store is dead; nothing of it may matter any more
      await start(member, options)
    },
  }
}

/** They hold the same, log and all. */
export function areEqual(...members: readonly CastMember[]): boolean {
  return new Set(members.map(({ replica }) => replica.fingerprint() + replica.log().fingerprint)).size === 1
}

/** What the summary of what is on disk should be. */
export async function sumOnDisk({ store }: CastMember): Promise<bigint> {
  let sum = 0n
  for await (const docTag of store.docTags()) sum += sumOfRecords(await store.listDocument(docTag), portableHasher)
  return BigInt.asUintN(256, sum)
}
