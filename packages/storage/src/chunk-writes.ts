/** What a batch changes of a chunk store, within the transaction that writes it. */
import { equalBytes, type ChunkId, type DocTag } from '@segue/core/sealed'
import type { ChunkBatch, NewChunk } from '@segue/core/ports'
import { withChecksum } from './checksum.ts'
import {
  decodeCounters,
  decodeHead,
  emptied,
  encodeCounters,
  finishHead,
  INLINE_BYTES,
  isSameHead,
  prepareHead,
  withLive,
} from './chunk-value.ts'
import type { Counters } from './chunk-value.ts'
import type { OnDamaged } from './damage.ts'
import { arrivalKey, bytesKey, COUNTERS_KEY, documentKey, headKey, recordKey } from './key-layout.ts'
import type { Transaction } from './level/level-store.ts'
import {
  decodeArrivals,
  decodePointers,
  encodeArrivals,
  encodePointers,
  GROUP_POINTERS,
  type ArrivalPointer,
  type Pointer,
} from './pointers.ts'
import { RECENT_POINTERS, type RecentPointers } from './recent-pointers.ts'

/** The batch in the store's own bytes: the caller may reuse its arrays as soon as `apply` returned its promise. */
export interface PreparedBatch {
  readonly put: readonly PreparedPut[]
  readonly remove: readonly ChunkId[]
  readonly setLive: readonly { readonly id: ChunkId; readonly live: boolean }[]
  readonly empty: readonly ChunkId[]
  readonly records: readonly (readonly [key: Uint8Array, value: Uint8Array | undefined])[]
}

interface PreparedPut {
  readonly chunk: Omit<NewChunk, 'bytes'>
  /** Where the head goes. */
  readonly key: Uint8Array
  readonly byteLength: number
  readonly head: Buffer
  readonly bytes: Uint8Array | undefined
}

export function prepareBatch({ put = [], remove = [], setLive = [], empty = [], records = new Map() }: ChunkBatch): PreparedBatch {
  const hasEachOnce = put.length < 2 || new Set(put.map(chunk => chunk.id)).size === put.length
  const lastOfEach = hasEachOnce ? put : [...new Map(put.map(chunk => [chunk.id, chunk])).values()]
  return {
    put: lastOfEach.map(chunk => ({
      chunk,
      key: headKey(chunk.id),
      byteLength: chunk.bytes.length,
      head: prepareHead(chunk),
      bytes: chunk.bytes.length > INLINE_BYTES ? withChecksum(chunk.bytes) : undefined,
    })),
    remove: [...remove],
    setLive: [...setLive],
    empty: [...empty],
    records: [...records].map(([key, value]) => [recordKey(key), value && withChecksum(value)]),
  }
}

/** Within a transaction, so that nobody comes between the look and the write. */
function isThere(transaction: Transaction, { chunk, head, bytes }: PreparedPut, stored: Uint8Array): boolean {
  if (!isSameHead(stored, head)) return false
  const large = bytes && transaction.get(bytesKey(chunk.id))
  return bytes === undefined || (large !== undefined && equalBytes(large, bytes))
}

export interface WriteOptions {
  /** What is put exactly as it is there already keeps its arrival. */
  readonly keepsDuplicates: boolean
  readonly onDamaged: OnDamaged
  readonly recent: RecentPointers
  /** Stands in for damaged counters. */
  readonly known: Counters
  /** Heads of `put`, by id, when they were looked up and nothing was written since. */
  readonly looked: ReadonlyMap<ChunkId, Uint8Array | undefined> | undefined
}

export interface Written {
  readonly counters: Counters
  /** Pointers to take out of what is recent, once this is durable. */
  readonly removed: readonly { readonly docTag: DocTag; readonly arrival: number }[]
}

/** Removals first, then puts, then flags, then what is emptied, then records. */
export function writeBatch(
  transaction: Transaction,
  { put: all, remove, setLive, empty, records }: PreparedBatch,
  { keepsDuplicates, onDamaged, recent, known, looked }: WriteOptions,
): Written {
  const storedCounters = transaction.get(COUNTERS_KEY)
  const before = storedCounters === undefined ? undefined : decodeCounters(storedCounters)
  let { lastArrival, chunks, bytes, indexed } = before?.ok === true ? before.value : known
  const removed: { readonly docTag: DocTag; readonly arrival: number }[] = []
  recent.truncate(lastArrival)
  const take = (id: ChunkId, stored: Uint8Array | undefined): void => {
    if (stored === undefined) return
    chunks--
    transaction.remove(headKey(id))
    transaction.remove(bytesKey(id))
    const head = decodeHead(id, stored)
    if (!head.ok) return onDamaged({ area: 'chunk', key: id }) // pointers to it stay and point to nothing of that arrival
    const { docTag, arrival, offset, documentOffset, byteLength } = head.value
    bytes -= byteLength
    removed.push({ docTag, arrival })
    if (arrival > indexed) recent.doubt(arrival)
    else removePointer(transaction, documentKey(docTag, arrival - documentOffset), id, decodePointers, encodePointers)
    removePointer(transaction, arrivalKey(arrival - offset), id, decodeArrivals, encodeArrivals)
  }
  /** From here on documents find what arrived so far in entries of their own. */
  const index = (): void => {
    for (const [docTag, pointers] of recent.entries()) {
      const isThere = ({ id, arrival }: { readonly id: ChunkId; readonly arrival: number }): boolean => {
        if (arrival <= indexed || arrival > lastArrival) return false
        if (!recent.isDoubted(arrival)) return true
        const stored = transaction.get(headKey(id))
        const head = stored && decodeHead(id, stored)
        return head?.ok === true && head.value.arrival === arrival
      }
      const entry = pointers.filter(isThere).map(({ id, arrival }) => ({ id, offset: arrival - indexed - 1 }))
      if (entry.length > 0) transaction.put(documentKey(docTag, indexed + 1), encodePointers(entry))
    }
    indexed = lastArrival
  }
  for (const id of remove) take(id, transaction.get(headKey(id)))
  const isSeen = looked !== undefined && remove.length === 0
  const put: PreparedPut[] = []
  const replaced: (Uint8Array | undefined)[] = []
  for (const item of all) {
    const stored = isSeen ? looked.get(item.chunk.id) : transaction.get(item.key)
    if (keepsDuplicates && stored !== undefined && isThere(transaction, item, stored)) continue
    put.push(item)
    replaced.push(stored)
  }
  for (let start = 0; start < put.length; start += GROUP_POINTERS) {
    const group = put.slice(start, start + GROUP_POINTERS)
    const first = lastArrival + 1
    const pointers: ArrivalPointer[] = []
    for (const [offset, { chunk, key, byteLength, head, bytes: large }] of group.entries()) {
      take(chunk.id, replaced[start + offset])
      lastArrival++
      chunks++
      bytes += byteLength
      transaction.put(key, finishHead(head, lastArrival, offset, lastArrival - indexed - 1))
      if (large !== undefined) transaction.put(bytesKey(chunk.id), large)
      pointers.push({ id: chunk.id, offset, docTag: chunk.docTag })
      recent.add(chunk.docTag, { id: chunk.id, arrival: lastArrival })
    }
    transaction.put(arrivalKey(first), encodeArrivals(pointers))
    if (lastArrival - indexed >= RECENT_POINTERS) index()
  }
  for (const { id, live } of setLive) {
    const stored = transaction.get(headKey(id))
    if (stored !== undefined && decodeHead(id, stored).ok) transaction.put(headKey(id), withLive(stored, live))
  }
  for (const id of empty) {
    const stored = transaction.get(headKey(id))
    const head = stored && decodeHead(id, stored)
    if (stored === undefined || head?.ok !== true) continue
    bytes -= head.value.byteLength
    transaction.put(headKey(id), emptied(stored))
    transaction.remove(bytesKey(id))
  }
  for (const [key, value] of records) {
    if (value === undefined) transaction.remove(key)
    else transaction.put(key, value)
  }
  const counters = { lastArrival, chunks, bytes, indexed }
  if (put.length > 0 || remove.length > 0 || empty.length > 0) transaction.put(COUNTERS_KEY, encodeCounters(counters))
  return { counters, removed }
}

function removePointer<P extends Pointer>(
  transaction: Transaction,
  key: Uint8Array,
  id: ChunkId,
  decode: (stored: Uint8Array) => readonly P[] | undefined,
  encode: (pointers: readonly P[]) => Uint8Array,
): void {
  const stored = transaction.get(key)
  const pointers = stored && decode(stored)
  if (pointers === undefined) return // damaged: reported by whoever lists it
  const rest = pointers.filter(pointer => pointer.id !== id)
  if (rest.length === 0) transaction.remove(key)
  else transaction.put(key, encode(rest))
}
