/**
 * When this device learned of each removal, as an arrival number of its store: what came before is held, whoever wrote it; what comes
 * later under an epoch that the removed device knew is suspect. So nothing that was held has to be looked at again. Of several removals
 * of one device that prevail, the one learned first counts: what came after it was suspect ever since.
 *
 * Kept in a small record, `late/<group>/since/<removal>`. Without one (a crash in between, or a device that joined later, or a restored
 * one) the arrival of the removal's own log chunk says the same.
 *
 *     record = CBOR {v: 1, since, except: [chunk id 32]}
 */
import * as v from 'valibot'
import { GROUP_DOCUMENT_ID, chunkIdOf, type Keyring } from '../../crypto/index.ts'
import { bytesOf, decodeCbor, encodeCbor, wholeNumber } from '../../lib/codec.ts'
import { GROUP_DOC_TAG, hexId, idBytes, type ChunkId, type DeviceId, type EntryId, type EpochId } from '../../lib/ids.ts'
import type { Removal } from '../../group/index.ts'
import type { ChunkStore } from '../../ports/chunk-store.ts'
import type { Hasher } from '../../ports/hasher.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import type { ChunkHeader } from '../../ports/sealed-chunk.ts'
import type { LateTrust } from './contract.ts'

export interface Horizon {
  readonly removal: Removal
  /** When the first of those that prevail was learned. */
  readonly since: number
  /** Those that prevail of this device. */
  readonly entries: readonly EntryId[]
}

export interface Horizons {
  /** Removals that count now. */
  all(): readonly Horizon[]
  /** Whether a removed device knew the epoch, and so anything under it that comes now is suspect. */
  mayBeLate(epoch: EpochId): boolean
  /** Whether it came after this device learned of a removal whose device knew its epoch. */
  isLate(record: Pick<ChunkHeader, 'id' | 'epoch'> & { readonly arrival: number }): boolean
  /** Of a document that has this, a keep is owed for the removal. */
  isHeld(horizon: Horizon, record: Pick<ChunkHeader, 'id' | 'epoch'> & { readonly arrival: number }): boolean
  /** What a device says counts for what came up to this; infinite for an active one, -1 for whoever never belonged. */
  trustedUntil(device: DeviceId): number
  /** After the group changed. Whether removals were learned that were not known. */
  refresh(): boolean
  /** Came from others, just now. */
  note(chunks: readonly Pick<ChunkHeader, 'id' | 'epoch'>[]): void
  /** Resolves when what was being written when a removal was learned is counted, and the horizons are on disk. */
  settled(): Promise<void>
}

export interface HorizonParts {
  readonly trust: LateTrust
  readonly records: RecordStore
  readonly chunkStore: ChunkStore
  readonly keyring: Pick<Keyring, 'idKey'>
  /** Resolves when everything checked so far is in the store. */
  readonly stored: () => Promise<void>
  readonly hasher?: Hasher | undefined
}

export async function openHorizons(parts: HorizonParts): Promise<Horizons> {
  const { trust, records, chunkStore, stored } = parts
  const known = new Map<EntryId, { since: number; readonly except: Set<ChunkId>; isSettled: boolean }>()
  const prefix = prefixOf(trust)
  for await (const [key, value] of records.list(prefix)) {
    const read = decodeCbor(SHAPE, value, MAX_RECORD_BYTES)
    if (!read.ok) continue // damaged: as if it were not there
    const except = new Set(read.value.except.map(id => hexId<ChunkId>(id)))
    known.set(key.slice(prefix.length) as EntryId, { since: read.value.since, except, isSettled: true })
  }
  const logArrivals = new Map<ChunkId, number>()
  if (entriesOf(trust).some(entry => !known.has(entry))) {
    for (const { id, arrival } of await chunkStore.listDocument(GROUP_DOC_TAG)) logArrivals.set(id, arrival)
  }
  let horizons: readonly Horizon[] = []
  let epochs = new Map<EpochId, readonly Horizon[]>()
  let until = new Map<DeviceId, number>()
  /** What the disk does not say yet: learned or forgotten, oldest first. */
  const unwritten = new Set<EntryId>()
  let writing: Promise<void> | undefined

  const writeAll = async (): Promise<void> => {
    for (;;) {
      const [entry] = unwritten
      if (entry === undefined) return
      const learned = known.get(entry)
      if (learned?.isSettled === false) {
        await stored()
        if (known.get(entry) !== learned) continue // forgotten meanwhile
        learned.since = chunkStore.lastArrival()
        learned.isSettled = true
        rebuild()
      }
      unwritten.delete(entry)
      try {
        await records.write(new Map([[prefix + entry, learned === undefined ? undefined : encodeHorizon(learned.since, learned.except)]]))
      } catch (error) {
        unwritten.add(entry)
        throw error
      }
    }
  }
  /** What failed is tried again with what comes next, or by whoever waits for it. */
  const write = (): Promise<void> => {
    writing ??= Promise.resolve()
      .then(writeAll)
      .finally(() => (writing = undefined))
    writing.catch(() => undefined) // whoever waits for it hears
    return writing
  }
  const learn = (entry: EntryId, since: number, isSettled: boolean): void => {
    known.set(entry, { since, except: new Set(), isSettled })
    unwritten.add(entry)
    void write()
  }
  /** A removal that turned out not to prevail is forgotten: should it prevail after all, it is learned then. */
  const forget = (): void => {
    const present = new Set(entriesOf(trust))
    for (const entry of known.keys()) {
      if (present.has(entry)) continue
      known.delete(entry)
      unwritten.add(entry)
      void write()
    }
  }
  const rebuild = (): void => {
    horizons = removalsOf(trust).map(removal => {
      const entries = entriesFor(trust, removal)
      return { removal, entries, since: Math.min(...entries.map(entry => known.get(entry)?.since ?? 0)) }
    })
    epochs = new Map()
    for (const horizon of horizons) {
      for (const epoch of trust.epochsKnownTo(horizon.removal.target)) epochs.set(epoch, [...(epochs.get(epoch) ?? []), horizon])
    }
    until = new Map(trust.state.peek().devices.map(({ id, active }) => [id, active ? Number.POSITIVE_INFINITY : -1]))
    for (const { removal, since } of horizons) until.set(removal.target, since)
  }
  for (const entry of entriesOf(trust)) {
    if (known.has(entry)) continue
    const id = chunkIdOf(parts.keyring.idKey, 'log', GROUP_DOCUMENT_ID, idBytes(entry), parts.hasher)
    learn(entry, logArrivals.get(id) ?? 0, true)
  }
  forget()
  rebuild()

  const isBefore = (horizon: Horizon, { id, arrival }: { readonly id: ChunkId; readonly arrival: number }): boolean =>
    arrival <= horizon.since && horizon.entries.every(entry => known.get(entry)?.except.has(id) !== true)
  return {
    all: () => horizons,
    mayBeLate: epoch => epochs.has(epoch),
    isLate: record => epochs.get(record.epoch)?.some(horizon => !isBefore(horizon, record)) === true,
    isHeld: (horizon, record) => epochs.get(record.epoch)?.includes(horizon) === true && isBefore(horizon, record),
    trustedUntil: device => until.get(device) ?? -1,
    refresh() {
      forget()
      for (const entry of entriesOf(trust)) if (!known.has(entry)) learn(entry, chunkStore.lastArrival(), false)
      const before = new Set(horizons.map(({ removal }) => removal.entry))
      rebuild()
      return horizons.some(({ removal }) => !before.has(removal.entry))
    },
    note(chunks) {
      for (const learned of known.values()) {
        if (learned.isSettled) continue
        for (const { id, epoch } of chunks) if (epochs.has(epoch)) learned.except.add(id)
      }
    },
    async settled() {
      do await write()
      while (unwritten.size > 0)
    },
  }
}

/**
 * For whoever fills an empty store and writes removals in one go, as a recovery does: what the store holds now was held before those that
 * are `new`. Of the others the places of their log chunks go on saying it: a backup keeps the order, and from a relay the log comes first.
 */
export async function holdBefore(
  { trust, records, chunkStore }: Pick<HorizonParts, 'trust' | 'records' | 'chunkStore'>,
  isNew: (removal: Removal) => boolean,
): Promise<void> {
  const since = chunkStore.lastArrival()
  const fresh = removalsOf(trust).filter(isNew)
  const entries = fresh.flatMap(removal => entriesFor(trust, removal))
  await records.write(new Map(entries.map(entry => [prefixOf(trust) + entry, encodeHorizon(since, [])])))
}

const MAX_RECORD_BYTES = 2 ** 24
const SHAPE = v.strictObject({ v: v.literal(1), since: wholeNumber, except: v.array(bytesOf(32)) })

function prefixOf({ id }: LateTrust): string {
  return `late/${id}/since/`
}

function encodeHorizon(since: number, except: Iterable<ChunkId>): Uint8Array {
  return encodeCbor({ v: 1, since, except: [...except].map(idBytes) })
}

function removalsOf({ state }: LateTrust): readonly Removal[] {
  return state.peek().devices.flatMap(({ removal }) => (removal === undefined ? [] : [removal]))
}

/** That which counts is there for sure, the first. */
function entriesFor(trust: LateTrust, { entry, target }: Removal): readonly EntryId[] {
  return [entry, ...trust.removalsOf(target).filter(other => other !== entry)]
}

function entriesOf(trust: LateTrust): readonly EntryId[] {
  return removalsOf(trust).flatMap(removal => entriesFor(trust, removal))
}
