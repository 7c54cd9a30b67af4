/**
 * A storage adapter for any automerge-repo app: one Level store, every save fsynced before it resolves, writes made together
 * sharing one fsync. For apps that use automerge-repo by itself; what is stored is not sealed (Segue's own store seals).
 *
 *     new Repo({ storage: createLevelStorage({ directory: './data' }) })
 *
 * Ranges come back in the order in which keys were first saved, which automerge-repo relies on.
 *
 * | first | rest | value (each ends in its checksum) |
 * |---|---|---|
 * | `k` | the key's parts | ordinal (8): when it was first saved |
 * | `v` | the key's parts | the data |
 * | `n` | | the last ordinal given |
 */
import type { Chunk, StorageAdapterInterface, StorageKey } from '@automerge/automerge-repo'
import { SegueError, concatBytes, fromUtf8, utf8 } from '@segue/core/sealed'
import { checked, withChecksum } from './checksum.ts'
import type { KeyRange } from './key-layout.ts'
import { openLevel, type LevelStore } from './level/level-store.ts'
import { prepareDirectory } from './place.ts'

export { openDeviceKeys, type DeviceKeys } from './device-keys.ts'

export interface LevelStorage extends StorageAdapterInterface {
  close(): Promise<void>
}

export interface LevelStorageOptions {
  /** Made when it is not there (0700); refused when others may read it. */
  readonly directory: string
  /** Called for every value found damaged on reading; such a value reads as absent. */
  readonly onDamaged?: (key: StorageKey) => void
}

/** Opens on first use; a store that cannot be opened rejects every call with the reason (STORE_LOCKED, STORE_UNSAFE_PLACE ...). */
export function createLevelStorage({ directory, onDamaged }: LevelStorageOptions): LevelStorage {
  let opening: Promise<LevelStore> | undefined
  let isClosed = false
  const level = (): Promise<LevelStore> => {
    if (isClosed) return Promise.reject(new SegueError('CLOSED'))
    return (opening ??= prepareDirectory(directory).then(openLevel))
  }
  const valueOf = (key: StorageKey, stored: Uint8Array | undefined): Uint8Array | undefined => {
    const value = stored && checked(stored)
    if (stored !== undefined && value === undefined) onDamaged?.(key)
    return value && new Uint8Array(value)
  }

  return {
    async load(key) {
      const stored = await (await level()).value(diskKey(VALUE, key))
      return valueOf(key, stored)
    },
    async save(key, data) {
      const [order, value, stored] = [diskKey(ORDER, key), diskKey(VALUE, key), withChecksum(data)]
      await (
        await level()
      ).commit(transaction => {
        if (transaction.get(order) === undefined) {
          const next = encodeOrdinal(decodeOrdinal(transaction.get(LAST_KEY)) + 1)
          transaction.put(LAST_KEY, next)
          transaction.put(order, next)
        }
        transaction.put(value, stored)
      })
    },
    async remove(key) {
      await (
        await level()
      ).commit(transaction => {
        transaction.remove(diskKey(ORDER, key))
        transaction.remove(diskKey(VALUE, key))
      })
    },
    async loadRange(keyPrefix) {
      return (await level()).read(async view => {
        const [orders, values] = await Promise.all([view.entries(rangeOf(ORDER, keyPrefix)), view.entries(rangeOf(VALUE, keyPrefix))])
        const found = orders.map(([key, ordinal]) => ({ key: partsOf(key), ordinal: decodeOrdinal(ordinal) }))
        const chunks = found.flatMap(({ key, ordinal }, i) => {
          const data = valueOf(key, values[i]?.[1])
          return data === undefined ? [] : [{ ordinal, chunk: { key, data } satisfies Chunk }]
        })
        return chunks.sort((a, b) => a.ordinal - b.ordinal).map(({ chunk }) => chunk)
      })
    },
    async removeRange(keyPrefix) {
      const store = await level()
      const keys = await store.read(view => view.entries(rangeOf(ORDER, keyPrefix)))
      await store.commit(transaction => {
        for (const [key] of keys) {
          transaction.remove(key)
          transaction.remove(diskKey(VALUE, partsOf(key)))
        }
      })
    },
    async close() {
      isClosed = true
      const opened = await opening?.catch(() => undefined) // whoever used it was told
      await opened?.close()
    },
  }
}

const ORDER = 0x6b
const VALUE = 0x76
const LAST_KEY = utf8('n')

/** Every part ends in 00; 00 and 01 inside a part are written 01 01 and 01 02, so that order and prefixes of parts hold. */
function diskKey(prefix: number, parts: StorageKey): Uint8Array {
  const bytes = [prefix]
  for (const part of parts) {
    for (const byte of utf8(part)) {
      if (byte > 1) bytes.push(byte)
      else bytes.push(1, byte + 1)
    }
    bytes.push(0)
  }
  return Uint8Array.from(bytes)
}

function partsOf(key: Uint8Array): StorageKey {
  const parts: string[] = []
  let part: number[] = []
  for (let i = 1; i < key.length; i++) {
    const byte = key[i] as number
    if (byte === 0) {
      parts.push(fromUtf8(Uint8Array.from(part)))
      part = []
    } else {
      part.push(byte === 1 ? (key[++i] as number) - 1 : byte)
    }
  }
  return parts
}

/** Parts never hold ff (no UTF-8 does), so it ends the range. */
function rangeOf(prefix: number, parts: StorageKey): KeyRange {
  const gte = diskKey(prefix, parts)
  return { gte, lt: concatBytes(gte, new Uint8Array([0xff])) }
}

function encodeOrdinal(ordinal: number): Uint8Array {
  const value = new Uint8Array(8)
  new DataView(value.buffer).setFloat64(0, ordinal)
  return withChecksum(value)
}

/** 0 for none, and for a damaged one: then that value comes first in its range. */
function decodeOrdinal(stored: Uint8Array | undefined): number {
  const value = stored && checked(stored)
  return value?.length === 8 ? new DataView(value.buffer, value.byteOffset).getFloat64(0) : 0
}
