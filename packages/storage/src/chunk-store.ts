/** The chunk store port on Level. Rules L1 to L13 in SPEC.md; the keys are in key-layout.ts, the values in chunk-value.ts. */
import { SegueError, equalBytes, type ChunkId, type DocTag } from '@segue/core/sealed'
import type { ChunkBatch, ChunkRecord, ChunkStore, NewChunk, StoredChunk } from '@segue/core/ports'
import { checked, withChecksum } from './checksum.ts'
import {
  decodeCounters,
  decodeHead,
  emptied,
  encodeCounters,
  finishHead,
  INLINE_BYTES,
  isSameHead,
  NO_CHUNKS,
  prepareHead,
  withLive,
} from './chunk-value.ts'
import type { Counters, StoredHead } from './chunk-value.ts'
import type { OnDamaged } from './damage.ts'
import {
  arrivalInKey,
  arrivalKey,
  arrivalsFrom,
  arrivalsUpTo,
  bytesKey,
  COUNTERS_KEY,
  docTagInKey,
  documentKey,
  documentRange,
  documentsAfter,
  documentsFrom,
  headKey,
  recordInKey,
  recordKey,
  recordRange,
  type KeyRange,
} from './key-layout.ts'
import type { LevelStore, LevelView, Transaction } from './level/level-store.ts'
import { decodePointers, encodePointers, GROUP_POINTERS, pointersIn, type Pointer } from './pointers.ts'

export interface ChunkStoreOptions {
  /** What is put exactly as it is there already keeps its arrival: then several writers may bring the same. */
  readonly keepsDuplicates?: boolean
}

/** `level` stays its owner's: closing the chunk store only ends its use. */
export async function createChunkStore(
  level: LevelStore,
  onDamaged: OnDamaged,
  { keepsDuplicates = false }: ChunkStoreOptions = {},
): Promise<ChunkStore> {
  let counters = await readCounters(level, onDamaged)
  let isClosed = false
  const read = async <T>(task: (view: LevelView) => Promise<T>): Promise<T> => {
    if (isClosed) throw new SegueError('CLOSED')
    return level.read(task)
  }
  const readOne = async (key: Uint8Array): Promise<Uint8Array | undefined> => {
    if (isClosed) throw new SegueError('CLOSED')
    return level.value(key)
  }
  const headOf = (id: ChunkId, stored: Uint8Array | undefined): StoredHead | undefined => {
    if (stored === undefined) return undefined
    const head = decodeHead(id, stored)
    if (head.ok) return head.value
    onDamaged({ area: 'chunk', key: id })
    return undefined
  }
  const bytesOf = async (view: LevelView, head: StoredHead): Promise<StoredChunk | undefined> => {
    if (head.isEmptied === true) return undefined
    const stored = head.inline ?? (await view.get(bytesKey(head.id)))
    const bytes = head.inline ?? (stored && checked(stored))
    if (bytes?.length === head.byteLength) return chunkOf(head, bytes)
    onDamaged({ area: 'chunk', key: head.id })
    return undefined
  }
  /** What index entries point to after `arrival`, without what was replaced since. */
  const resolve = async (view: LevelView, entries: readonly IndexEntry[], after: number): Promise<readonly ChunkRecord[]> => {
    const wanted = entries.flatMap(([key, value]) => {
      const first = arrivalInKey(key)
      const pointers = decodePointers(value)
      if (pointers === undefined) onDamaged({ area: 'chunk-index', key: String(first) })
      return (pointers ?? []).map(({ id, offset }) => ({ id, arrival: first + offset })).filter(({ arrival }) => arrival > after)
    })
    const heads = await view.getMany(wanted.map(({ id }) => headKey(id)))
    return wanted.flatMap(({ id, arrival }, i) => {
      const head = headOf(id, heads[i])
      return head?.arrival === arrival ? [recordOf(head)] : []
    })
  }

  /** From the group on in which the next arrival may be: it may have begun before. */
  const rangeAfter = async (view: LevelView, docTag: DocTag, after: number): Promise<KeyRange> => {
    const whole = documentRange(docTag)
    if (after <= 0) return whole
    const group = await view.lastKey({ gte: whole.gte, lt: documentKey(docTag, after + 2) })
    return { gte: group ?? documentKey(docTag, after + 1), lt: whole.lt }
  }

  return {
    async apply(batch) {
      if (isClosed) throw new SegueError('CLOSED')
      const prepared = prepareBatch(batch)
      let after = NO_CHUNKS
      await level.commit(transaction => {
        after = write(transaction, prepared, counters, { keepsDuplicates, onDamaged })
      })
      counters = after
    },
    async get(id) {
      const head = headOf(id, await readOne(headKey(id)))
      if (head === undefined || head.isEmptied === true) return undefined
      if (head.inline !== undefined) return chunkOf(head, head.inline)
      return read(async view => {
        const same = headOf(id, await view.get(headKey(id)))
        return same && bytesOf(view, same)
      })
    },
    getMany: ids =>
      read(async view => {
        const heads = await view.getMany(ids.map(headKey))
        const chunks = await Promise.all(
          ids.map(async (id, i) => {
            const head = headOf(id, heads[i])
            return head && bytesOf(view, head)
          }),
        )
        return chunks.filter(chunk => chunk !== undefined)
      }),
    async head(id) {
      const head = headOf(id, await readOne(headKey(id)))
      return head && recordOf(head)
    },
    listDocument: docTag => read(async view => resolve(view, await view.entries(documentRange(docTag)), 0)),
    async *document(docTag, after = 0) {
      let range = await read(view => rangeAfter(view, docTag, after))
      for (;;) {
        const page = await read(async view => {
          const entries = await view.entries(range, PAGE)
          return { entries: entries.length, last: entries.at(-1)?.[0], records: await resolve(view, entries, after) }
        })
        yield* page.records
        if (page.last === undefined || page.entries < PAGE) return
        range = { gte: Uint8Array.from([...page.last, 0]), lt: range.lt }
      }
    },
    async *docTags({ from, limit = Infinity } = {}) {
      let range = documentsFrom(from)
      for (let given = 0; given < limit;) {
        const keys = await read(view => view.keys(range, PAGE))
        const page = [...new Set(keys.map(docTagInKey))]
        const last = page.at(-1)
        if (last === undefined) return
        yield* page.slice(0, limit - given)
        given += page.length
        range = documentsAfter(last) // over the rest of a document with more keys than a page
      }
    },
    async *since(arrival, { limit = Infinity } = {}) {
      const after = Math.max(0, arrival)
      // The first group may have begun before.
      const start = await read(view => view.lastKey(arrivalsUpTo(after + 1)))
      let from = start === undefined ? after + 1 : arrivalInKey(start)
      for (let given = 0; given < limit;) {
        const page = await read(view => view.entries(arrivalsFrom(from), PAGE))
        const last = page.at(-1)?.[0]
        if (last === undefined) return
        for (const entries of inPortions(page)) {
          const records = await read(view => resolve(view, entries, after))
          yield* records.slice(0, limit - given)
          given += records.length
          if (given >= limit) return
        }
        from = arrivalInKey(last) + 1
      }
    },
    lastArrival: () => counters.lastArrival,
    async getRecord(key) {
      const stored = await readOne(recordKey(key))
      const value = stored && checked(stored)
      if (stored !== undefined && value === undefined) onDamaged({ area: 'record', key })
      return value && new Uint8Array(value)
    },
    async *listRecords(prefix) {
      let range = recordRange(prefix)
      for (;;) {
        const page = await read(view => view.entries(range, PAGE))
        for (const [key, stored] of page) {
          const value = checked(stored)
          if (value === undefined) onDamaged({ area: 'record', key: recordInKey(key) })
          else yield [recordInKey(key), new Uint8Array(value)]
        }
        const last = page.at(-1)?.[0]
        if (last === undefined || page.length < PAGE) return
        range = { gte: Uint8Array.from([...last, 0]), lt: range.lt }
      }
    },
    size: () => ({ chunks: counters.chunks, bytes: counters.bytes }),
    async close() {
      isClosed = true
    },
  }
}

const PAGE = 128

type IndexEntry = readonly [key: Uint8Array, value: Uint8Array]

/** So many index entries at a time that about one full group is looked up in one go: each head costs some 5 us. */
function* inPortions(page: readonly IndexEntry[]): Generator<readonly IndexEntry[]> {
  let portion: IndexEntry[] = []
  let pointers = 0
  for (const entry of page) {
    const more = pointersIn(entry[1])
    if (pointers + more > GROUP_POINTERS && portion.length > 0) {
      yield portion
      portion = []
      pointers = 0
    }
    portion.push(entry)
    pointers += more
  }
  if (portion.length > 0) yield portion
}

async function readCounters(level: LevelStore, onDamaged: OnDamaged): Promise<Counters> {
  const stored = await level.read(view => view.get(COUNTERS_KEY))
  if (stored === undefined) return NO_CHUNKS
  const counters = decodeCounters(stored)
  if (counters.ok) return counters.value
  onDamaged({ area: 'counters', key: '' })
  return recount(level)
}

/** Only for damaged counters: reads every head once. Numbers above the last chunk's, given and removed again, are forgotten. */
async function recount(level: LevelStore): Promise<Counters> {
  let { lastArrival, chunks, bytes } = NO_CHUNKS
  for (let from = 0; ;) {
    const page = await level.read(async view => {
      const entries = await view.entries(arrivalsFrom(from), PAGE)
      const pointers = entries.flatMap(([key, value]) =>
        (decodePointers(value) ?? []).map(({ id, offset }) => ({ id, arrival: arrivalInKey(key) + offset })),
      )
      const heads = await view.getMany(pointers.map(({ id }) => headKey(id)))
      return { last: entries.at(-1)?.[0], found: pointers.map((pointer, i) => ({ ...pointer, stored: heads[i] })) }
    })
    if (page.last === undefined) break
    from = arrivalInKey(page.last) + 1
    for (const { id, arrival, stored } of page.found) {
      lastArrival = arrival
      const head = stored && decodeHead(id, stored)
      if (head?.ok !== true || head.value.arrival !== arrival) continue
      chunks++
      bytes += head.value.byteLength
    }
  }
  const counters = { lastArrival, chunks, bytes }
  await level.commit(transaction => transaction.put(COUNTERS_KEY, encodeCounters(counters)))
  return counters
}

/** The batch in the store's own bytes: the caller may reuse its arrays as soon as `apply` returned its promise. */
interface PreparedBatch {
  readonly put: readonly {
    readonly chunk: Omit<NewChunk, 'bytes'>
    readonly byteLength: number
    readonly head: Buffer
    readonly bytes: Uint8Array | undefined
  }[]
  readonly remove: readonly ChunkId[]
  readonly setLive: readonly { readonly id: ChunkId; readonly live: boolean }[]
  readonly empty: readonly ChunkId[]
  readonly records: readonly (readonly [key: Uint8Array, value: Uint8Array | undefined])[]
}

function prepareBatch({ put = [], remove = [], setLive = [], empty = [], records = new Map() }: ChunkBatch): PreparedBatch {
  const lastOfEach = put.length < 2 ? put : [...new Map(put.map(chunk => [chunk.id, chunk])).values()]
  return {
    put: lastOfEach.map(chunk => ({
      chunk,
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
function isThere(transaction: Transaction, { chunk, head, bytes }: PreparedBatch['put'][number], stored: Uint8Array): boolean {
  if (!isSameHead(stored, head)) return false
  const large = bytes && transaction.get(bytesKey(chunk.id))
  return bytes === undefined || (large !== undefined && equalBytes(large, bytes))
}

/** Removals first, then puts, then flags, then what is emptied, then records. Returns the counters after it. `known` stands in for damaged counters. */
function write(
  transaction: Transaction,
  { put: all, remove, setLive, empty, records }: PreparedBatch,
  known: Counters,
  { keepsDuplicates, onDamaged }: Required<ChunkStoreOptions> & { readonly onDamaged: OnDamaged },
): Counters {
  const stored = transaction.get(COUNTERS_KEY)
  const before = stored === undefined ? undefined : decodeCounters(stored)
  let { lastArrival, chunks, bytes } = before?.ok === true ? before.value : known
  const take = (id: ChunkId, stored: Uint8Array | undefined): void => {
    if (stored === undefined) return
    chunks--
    transaction.remove(headKey(id))
    transaction.remove(bytesKey(id))
    const head = decodeHead(id, stored)
    if (!head.ok) return onDamaged({ area: 'chunk', key: id }) // pointers to it stay and point to nothing of that arrival
    const { docTag, arrival, offset, byteLength } = head.value
    bytes -= byteLength
    removePointer(transaction, documentKey(docTag, arrival - offset), id)
    removePointer(transaction, arrivalKey(arrival - offset), id)
  }
  for (const id of remove) take(id, transaction.get(headKey(id)))
  const put = all.flatMap(item => {
    const stored = transaction.get(headKey(item.chunk.id))
    return keepsDuplicates && stored !== undefined && isThere(transaction, item, stored) ? [] : [{ ...item, stored }]
  })
  for (let start = 0; start < put.length; start += GROUP_POINTERS) {
    const group = put.slice(start, start + GROUP_POINTERS)
    const first = lastArrival + 1
    const byDocument = new Map<DocTag, Pointer[]>()
    group.forEach(({ chunk, byteLength, head, bytes: large, stored }, offset) => {
      take(chunk.id, stored)
      lastArrival++
      chunks++
      bytes += byteLength
      transaction.put(headKey(chunk.id), finishHead(head, lastArrival, offset))
      if (large !== undefined) transaction.put(bytesKey(chunk.id), large)
      const pointer = { id: chunk.id, offset }
      const siblings = byDocument.get(chunk.docTag)
      if (siblings === undefined) byDocument.set(chunk.docTag, [pointer])
      else siblings.push(pointer)
    })
    for (const [docTag, pointers] of byDocument) transaction.put(documentKey(docTag, first), encodePointers(pointers))
    transaction.put(arrivalKey(first), encodePointers(group.map(({ chunk }, offset) => ({ id: chunk.id, offset }))))
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
  const after = { lastArrival, chunks, bytes }
  if (put.length > 0 || remove.length > 0 || empty.length > 0) transaction.put(COUNTERS_KEY, encodeCounters(after))
  return after
}

function removePointer(transaction: Transaction, key: Uint8Array, id: ChunkId): void {
  const stored = transaction.get(key)
  const pointers = stored && decodePointers(stored)
  if (pointers === undefined) return // damaged: reported by whoever lists it
  const rest = pointers.filter(pointer => pointer.id !== id)
  if (rest.length === 0) transaction.remove(key)
  else transaction.put(key, encodePointers(rest))
}

function chunkOf(head: StoredHead, bytes: Uint8Array): StoredChunk {
  return { ...recordOf(head), bytes: new Uint8Array(bytes) }
}

function recordOf({ class: kind, epoch, docTag, id, sequence, live, arrival, byteLength, isEmptied }: StoredHead): ChunkRecord {
  return { class: kind, epoch, docTag, id, sequence, live, arrival, byteLength, ...(isEmptied === true ? { isEmptied } : {}) }
}
