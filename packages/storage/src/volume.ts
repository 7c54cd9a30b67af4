/**
 * For whoever keeps many stores in one directory, and records of its own between them, under one lock and one fsync: a relay. A
 * volume is ordered keys and values; `partOf` gives all keys that begin with a prefix as a volume of their own, and a chunk store
 * lives in a part as well as in a whole one.
 */
import { join } from 'node:path'
import { openOrCleanUp } from '@segue/core/sealed'
import { decodeCounters } from './chunk-value.ts'
import { migrate, readFormat } from './format.ts'
import { COUNTERS_KEY, type KeyRange } from './key-layout.ts'
import { openLevel, type LevelStore, type LevelView, type Transaction } from './level/level-store.ts'
import { prepareDirectory } from './place.ts'

export { checked, withChecksum } from './checksum.ts'
export { createChunkStore, type ChunkStoreOptions } from './chunk-store.ts'
export type { Damage, OnDamaged } from './damage.ts'
export { rangeOf as keysUnder } from './key-layout.ts'
export { createMemoryVolume, type MemoryVolume } from './memory-volume.ts'
export type { KeyRange, LevelStore as Volume, LevelView as VolumeView, Transaction as VolumeTransaction }

/** Throws what `openStore` throws about places, formats and locks. */
export async function openVolume(directory: string): Promise<LevelStore> {
  const place = await prepareDirectory(directory)
  await readFormat(place) // a newer one is refused before anything is touched
  return openOrCleanUp(async opened => {
    const level = opened.use(await openLevel(join(place, 'level')))
    await migrate(place, level, await readFormat(place))
    return level
  })
}

/** Closing it closes nothing: the volume is its owner's. */
export function partOf(volume: LevelStore, prefix: Uint8Array): LevelStore {
  return {
    commit: prepare => volume.commit(transaction => prepare(transactionIn(transaction, prefix))),
    read: task => volume.read(view => task(viewIn(view, prefix))),
    value: key => volume.value(joined(prefix, key)),
    values: keys => volume.values(keys.map(key => joined(prefix, key))),
    close: () => Promise.resolve(),
  }
}

/** The same transaction, seen from a part. */
export function transactionIn(transaction: Transaction, prefix: Uint8Array): Transaction {
  return {
    get: key => transaction.get(joined(prefix, key)),
    put: (key, value) => transaction.put(joined(prefix, key), value),
    remove: key => transaction.remove(joined(prefix, key)),
  }
}

/** The size of the chunk store in a part, within a transaction; undefined when its counters are damaged. */
export function sizeIn(part: Transaction): { readonly chunks: number; readonly bytes: number } | undefined {
  const stored = part.get(COUNTERS_KEY)
  if (stored === undefined) return { chunks: 0, bytes: 0 }
  const counters = decodeCounters(stored)
  return counters.ok ? { chunks: counters.value.chunks, bytes: counters.value.bytes } : undefined
}

function viewIn(view: LevelView, prefix: Uint8Array): LevelView {
  const within = ({ gte, lt }: KeyRange): KeyRange => ({ gte: joined(prefix, gte), lt: joined(prefix, lt) })
  const own = (key: Uint8Array): Uint8Array => key.subarray(prefix.length)
  return {
    get: key => view.get(joined(prefix, key)),
    getMany: keys => view.getMany(keys.map(key => joined(prefix, key))),
    entries: async (range, limit) => (await view.entries(within(range), limit)).map(([key, value]) => [own(key), value] as const),
    keys: async (range, limit) => (await view.keys(within(range), limit)).map(own),
    async lastKey(range) {
      const key = await view.lastKey(within(range))
      return key && own(key)
    },
  }
}

function joined(prefix: Uint8Array, key: Uint8Array): Uint8Array {
  const whole = Buffer.allocUnsafe(prefix.length + key.length)
  whole.set(prefix)
  whole.set(key, prefix.length)
  return whole
}
