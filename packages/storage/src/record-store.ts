/**
 * This device's own records on Level. Keys may hold ids of sessions and devices, so neither keys nor values are on disk in the
 * clear: the name on disk is an HMAC of the key, and the key is sealed with the value. The keys are read once, on the first
 * `list`, and kept in memory (there are few: addresses, queued handoffs, settings).
 */
import * as v from 'valibot'
import {
  SegueError,
  bytesUpTo,
  decodeCbor,
  encodeCbor,
  hexId,
  labelledHmac,
  openRecord,
  sealRecord,
  type ChunkId,
} from '@segue/core/sealed'
import type { Random, RecordStore } from '@segue/core/ports'
import { checked, withChecksum } from './checksum.ts'
import type { OnDamaged } from './damage.ts'
import { localRecordKey, localRecordRange } from './key-layout.ts'
import type { LevelStore } from './level/level-store.ts'

export interface RecordStoreOptions {
  readonly deviceKey: Uint8Array
  readonly random: Random
  readonly onDamaged: OnDamaged
}

/** `level` stays its owner's: closing the record store only ends its use. */
export function createRecordStore(level: LevelStore, { deviceKey, random, onDamaged }: RecordStoreOptions): RecordStore {
  let names: Promise<Map<string, Uint8Array>> | undefined
  let isClosed = false
  const assertOpen = (): void => {
    if (isClosed) throw new SegueError('CLOSED')
  }
  const nameOf = (key: string): Uint8Array => labelledHmac(deviceKey, 'record-name', [key])
  const open = (name: Uint8Array, stored: Uint8Array): readonly [key: string, value: Uint8Array] | undefined => {
    const sealed = checked(stored)
    const content = sealed && openRecord(deviceKey, purposeOf(name), sealed)
    const record = content && decodeCbor(recordSchema, content, content.length)
    if (record?.ok === true) return record.value
    return undefined
  }
  const readNames = (): Promise<Map<string, Uint8Array>> =>
    level.read(async view => {
      const found = new Map<string, Uint8Array>()
      for (const [diskKey, stored] of await view.entries(localRecordRange())) {
        const name = new Uint8Array(diskKey.subarray(1))
        const record = open(name, stored)
        if (record === undefined) onDamaged({ area: 'local-record', key: hexId<ChunkId>(name) })
        else found.set(record[0], name)
      }
      return found
    })
  const get = async (key: string): Promise<Uint8Array | undefined> => {
    assertOpen()
    const name = nameOf(key)
    const stored = await level.value(localRecordKey(name))
    if (stored === undefined) return undefined
    const record = open(name, stored)
    if (record === undefined) onDamaged({ area: 'local-record', key })
    return record && new Uint8Array(record[1])
  }

  return {
    get,
    async write(changes) {
      assertOpen()
      const writes = [...changes].map(([key, value]) => {
        const name = nameOf(key)
        const sealed = value && withChecksum(sealRecord(deviceKey, purposeOf(name), encodeCbor([key, value]), random))
        return { key, name, sealed }
      })
      await level.commit(transaction => {
        for (const { name, sealed } of writes) {
          if (sealed === undefined) transaction.remove(localRecordKey(name))
          else transaction.put(localRecordKey(name), sealed)
        }
      })
      const known = await names?.catch(() => undefined) // whoever listed hears of it
      for (const { key, name, sealed } of writes) {
        if (sealed === undefined) known?.delete(key)
        else known?.set(key, name)
      }
    },
    async *list(prefix) {
      assertOpen()
      names ??= readNames().catch(error => {
        names = undefined // read again next time
        throw error
      })
      const keys = [...(await names).keys()].filter(key => key.startsWith(prefix)).sort()
      for (const key of keys) {
        const value = await get(key)
        if (value !== undefined) yield [key, value]
      }
    },
    async close() {
      isClosed = true
    },
  }
}

const recordSchema = v.strictTuple([v.string(), bytesUpTo(Number.MAX_SAFE_INTEGER)])

function purposeOf(name: Uint8Array): string {
  return `local-record/${hexId<ChunkId>(name)}`
}
