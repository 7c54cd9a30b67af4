/** Keeps the group where it must be: each entry in the chunk store as a sealed log chunk, the secret in a sealed record. */
import {
  foundGroup,
  openGroup,
  GROUP_DOC_TAG,
  type DeviceIdentity,
  type EntryId,
  type Group,
  type Replica,
  type SignedEntry,
} from '@segue/core'
import type { ChunkStore, Clock, Hasher, Logger, Random, RecordStore, SealedChunk } from '@segue/core/ports'
import { loadGroup, saveGroup } from './device-records.ts'
import { nativeVerifier } from './platform/native-verifier.ts'

interface Parts {
  readonly identity: DeviceIdentity
  readonly records: RecordStore
  readonly chunks: ChunkStore
  readonly clock: Clock
  readonly random: Random
  readonly hasher: Hasher
  readonly logger: Logger
}

export interface OwnGroup {
  readonly group: Group
  /** Entries that are in the chunk store already. */
  readonly stored: ReadonlySet<EntryId>
}

/** The group of this store; a device without one founds its own, which it leaves when it joins another. */
export async function openOwnGroup(parts: Parts): Promise<OwnGroup> {
  const { identity, records, chunks, clock, random, hasher, logger } = parts
  const common = {
    identity,
    random,
    hasher,
    verifier: nativeVerifier,
    onListenerError: (error: unknown) => logger.error('group-listener-failed', { error: String(error) }),
  }
  const kept = await loadGroup(records)
  if (kept === undefined) {
    const group = foundGroup({ ...common, time: clock.now() })
    await saveGroup(records, { id: group.id, secret: group.secret, entries: group.entries().map(entry => entry.bytes), dropChunks: false })
    return { group, stored: new Set() }
  }
  if (kept.dropChunks) {
    await dropAllChunks(chunks)
    await saveGroup(records, { ...kept, dropChunks: false })
  }
  const group = openGroup({ ...common, secret: kept.secret, entries: kept.entries, id: kept.id })
  const logChunks = (await chunks.listDocument(GROUP_DOC_TAG)).filter(chunk => chunk.class === 'log')
  const found = await chunks.getMany(logChunks.map(chunk => chunk.id))
  const outcomes = group.receive(found.flatMap(chunk => entryIn(group, chunk)))
  return { group, stored: new Set(outcomes.flatMap(outcome => (outcome.kind === 'refused' ? [] : [outcome.id]))) }
}

export interface GroupKeeper {
  /** Resolves when the entry is in the store; for entries written here. */
  keep(entry: SignedEntry): Promise<void>
  /** Log chunks that replication brought, checked and stored. */
  onArrived(chunks: readonly SealedChunk[]): void
  close(): void
}

/** Writes what the group says, whoever said it, into the replica; feeds the group what the replica brings. */
export function createGroupKeeper({ group, stored }: OwnGroup, replica: Replica, logger: Logger): GroupKeeper {
  const kept = new Map<EntryId, Promise<void>>([...stored].map(id => [id, Promise.resolve()]))
  /** What was linked while chunks arrive: most of it is stored, the rest was written here because of it. */
  let linked: SignedEntry[] | undefined
  /** In one batch, so that a crash leaves all of it or nothing. */
  const keepAll = (entries: readonly SignedEntry[]): void => {
    if (linked !== undefined) {
      linked.push(...entries)
      return
    }
    const fresh = entries.filter(({ id }) => !kept.has(id))
    if (fresh.length === 0) return
    const keeping = replica.add(fresh.map(group.toChunk))
    keeping.catch((error: unknown) => logger.warn('entry-not-kept', { error: String(error) }))
    for (const { id } of fresh) kept.set(id, keeping)
  }
  keepAll(group.entries())
  const stop = group.onEntries(keepAll)
  return {
    async keep(entry) {
      keepAll([entry])
      await kept.get(entry.id)
    },
    onArrived(chunks) {
      const arriving: SignedEntry[] = (linked = [])
      try {
        const outcomes = group.receive(chunks.filter(chunk => chunk.class === 'log').flatMap(chunk => entryIn(group, chunk)))
        for (const outcome of outcomes) if (outcome.kind !== 'refused' && !kept.has(outcome.id)) kept.set(outcome.id, Promise.resolve())
      } finally {
        linked = undefined
        keepAll(arriving)
      }
    },
    close: stop,
  }
}

/** Empties the chunk store, records and all. Safe to repeat. */
export async function dropAllChunks(chunks: ChunkStore): Promise<void> {
  const remove = []
  for await (const chunk of chunks.since(0)) remove.push(chunk.id)
  const records = new Map<string, undefined>()
  for await (const [key] of chunks.listRecords('')) records.set(key, undefined)
  await chunks.apply({ remove, records })
}

function entryIn(group: Group, chunk: SealedChunk): readonly Uint8Array[] {
  const entry = group.fromChunk(chunk)
  return entry.ok ? [entry.value] : []
}
