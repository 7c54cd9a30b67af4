/** Replicas of the usual cast on one simulated clock: linked, cut, crashed and started again as a test wants. */
import type { DeviceId, EpochId } from '../lib/ids.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Inspector } from '../ports/inspector.ts'
import { createReplica, type Replica, type ReplicaSession } from '../replication/index.ts'
import type { AttachOptions } from '../replication/index.ts'
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
  join(name: string, options?: { readonly keyless?: boolean; readonly inspector?: Inspector }): Promise<CastMember>
  link(
    a: CastMember,
    b: CastMember,
    options?: Partial<SimulatedLinkOptions> & { readonly scopes?: readonly [AttachOptions, AttachOptions] },
  ): SimulatedLink
  /** Loses what was not durable and starts again from the rest, with links gone. */
  restart(member: CastMember, options?: { readonly keyless?: boolean; readonly inspector?: Inspector }): Promise<void>
}

export interface ReplicaCastOptions {
  readonly seed?: number
}

export function createReplicaCast(clock: SimulatedClock, { seed = 1 }: ReplicaCastOptions = {}): ReplicaCast {
  const chunks = createChunkCast()
  const random = createSeededRandom(seed)
  const links = new Map<SimulatedLink, readonly [CastMember, CastMember]>()
  const start = async (member: CastMember, options: { readonly keyless?: boolean; readonly inspector?: Inspector }): Promise<void> => {
    const inspector = options.inspector ?? chunks.inspector(() => member.store, member.missing)
    member.replica = await createReplica({ store: member.store, inspector, clock, random, keyless: options.keyless ?? false })
    member.replica.subscribe({ onArrived: arrived => void member.arrived.push(...arrived) })
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
    link(a, b, { scopes = [{}, {}], ...options } = {}) {
      const link = linkDevices(
        { id: a.id, accept: accept(a, scopes[0]) },
        { id: b.id, accept: accept(b, scopes[1]) },
        { clock, latencyMs: 1, ...options },
      )
      links.set(link, [a, b])
      return link
    },
    async restart(member, options = {}) {
      for (const [link, [a, b]] of links) if (a === member || b === member) link.cut()
      const crashed = member.replica
      member.store = member.store.crash()
      void crashed.close().catch(() => undefined) // its store is dead; nothing of it may matter any more
      await start(member, options)
    },
  }
}
