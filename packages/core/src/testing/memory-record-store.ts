/** The record store port in memory, for tests and simulations; `crash` and `failWrites` as in the memory chunk store. */
import { SegueError } from '../lib/errors.ts'
import type { RecordStore } from '../ports/record-store.ts'

export interface MemoryRecordStore extends RecordStore {
  /** From now on every `write` rejects with `reason`, until called with `undefined`. */
  failWrites(reason: Error | undefined): void
  /** The power goes: this store is of no use any more. Returns the store as it is found afterwards. */
  crash(): MemoryRecordStore
  /** What is durable now, on a disk of its own. */
  copy(): MemoryRecordStore
}

export function createMemoryRecordStore(): MemoryRecordStore {
  return openMemory(new Map())
}

function openMemory(records: Map<string, Uint8Array>): MemoryRecordStore {
  let failure: Error | undefined
  let isClosed = false
  const assertOpen = (): void => {
    if (isClosed) throw new SegueError('CLOSED')
  }
  return {
    async get(key) {
      assertOpen()
      return records.get(key)?.slice()
    },
    async write(changes) {
      assertOpen()
      if (failure !== undefined) throw failure
      for (const [key, value] of changes) {
        if (value === undefined) records.delete(key)
        else records.set(key, new Uint8Array(value))
      }
    },
    async *list(prefix) {
      assertOpen()
      const found = [...records].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1))
      for (const [key, value] of found) yield [key, value.slice()]
    },
    async close() {
      isClosed = true
    },
    failWrites(reason) {
      failure = reason
    },
    crash() {
      isClosed = true
      return openMemory(new Map(records))
    },
    copy: () => openMemory(new Map(records)),
  }
}
