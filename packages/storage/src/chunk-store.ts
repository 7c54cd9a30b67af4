/** The chunk store port on Level. Rules L1 to L13 in SPEC.md; the keys are in key-layout.ts, the values in chunk-value.ts. */
import { SegueError, type ChunkId, type DocTag } from '@segue/core/sealed'
import type { ChunkRecord, ChunkStore, StoredChunk } from '@segue/core/ports'
import { checked } from './checksum.ts'
import { prepareBatch, writeBatch, type Written } from './chunk-writes.ts'
import { decodeHead, type StoredHead } from './chunk-value.ts'
import { readCounters } from './counters.ts'
import type { OnDamaged } from './damage.ts'
import {
  arrivalInKey,
  arrivalsFrom,
  arrivalsUpTo,
  bytesKey,
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
import type { LevelStore, LevelView } from './level/level-store.ts'
import { decodePointers, GROUP_POINTERS, pointersIn } from './pointers.ts'
import { openRecentPointers, type RecentPointer } from './recent-pointers.ts'

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
  const recent = await openRecentPointers(level, counters, onDamaged)
  /** What `heads` saw, while nothing is written after it: the batch that follows need not look again. */
  let looked: Map<ChunkId, Uint8Array | undefined> | undefined
  let [writing, writes] = [0, 0]
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
  const recordsOf = async (view: LevelView, wanted: readonly RecentPointer[]): Promise<readonly ChunkRecord[]> => {
    const heads = await view.getMany(wanted.map(({ id }) => headKey(id)))
    return wanted.flatMap(({ id, arrival }, i) => {
      const head = headOf(id, heads[i])
      return head?.arrival === arrival ? [recordOf(head)] : []
    })
  }
  /** What index entries point to after `arrival`; what was replaced since is still among it. */
  const pointersOf = (entries: readonly IndexEntry[], after: number): readonly RecentPointer[] =>
    entries.flatMap(([key, value]) => {
      const first = arrivalInKey(key)
      const pointers = decodePointers(value)
      if (pointers === undefined) onDamaged({ area: 'chunk-index', key: String(first) })
      return (pointers ?? []).map(({ id, offset }) => ({ id, arrival: first + offset })).filter(({ arrival }) => arrival > after)
    })
  /** What arrived last of a document, beyond what its entries have: both at one moment, or some of it would be in both. */
  const withRecent = (pointers: readonly RecentPointer[], latest: readonly RecentPointer[], after: number): readonly RecentPointer[] => {
    const last = Math.max(after, pointers.at(-1)?.arrival ?? 0)
    return [...pointers, ...latest.filter(({ arrival }) => arrival > last)]
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
      const seen = looked
      looked = undefined
      writing++
      writes++
      let written: Written = { counters, removed: [] }
      try {
        await level.commit(transaction => {
          written = writeBatch(transaction, prepared, { keepsDuplicates, onDamaged, recent, known: counters, looked: seen })
        })
      } finally {
        writing--
      }
      counters = written.counters
      for (const { docTag, arrival } of written.removed) recent.remove(docTag, arrival)
      recent.forget(counters.indexed)
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
    async heads(ids) {
      if (isClosed) throw new SegueError('CLOSED')
      const before = writing === 0 ? writes : undefined
      const stored = await level.values(ids.map(headKey))
      looked = before === writes ? new Map(ids.map((id, i) => [id, stored[i]])) : undefined
      return ids.map((id, i) => {
        const head = headOf(id, stored[i])
        return head && recordOf(head)
      })
    },
    listDocument: docTag =>
      read(async view => {
        const latest = recent.of(docTag)
        return recordsOf(view, withRecent(pointersOf(await view.entries(documentRange(docTag)), 0), latest, 0))
      }),
    async *document(docTag, after = 0) {
      let range = await read(view => rangeAfter(view, docTag, after))
      for (let from = after; ;) {
        const page = await read(async view => {
          const latest = recent.of(docTag)
          const entries = await view.entries(range, PAGE)
          const indexed = pointersOf(entries, from)
          const pointers = entries.length < PAGE ? withRecent(indexed, latest, from) : indexed
          return { entries: entries.length, last: entries.at(-1)?.[0], pointers, records: await recordsOf(view, pointers) }
        })
        yield* page.records
        if (page.last === undefined || page.entries < PAGE) return
        from = page.pointers.at(-1)?.arrival ?? from
        range = { gte: Uint8Array.from([...page.last, 0]), lt: range.lt }
      }
    },
    async *docTags({ from, limit = Infinity } = {}) {
      let range = documentsFrom(from)
      let before: DocTag | undefined
      for (let given = 0; given < limit;) {
        const { keys, latest } = await read(async view => {
          const tags = recent.docTags()
          return { latest: tags, keys: await view.keys(range, PAGE) }
        })
        const found = keys.map(docTagInKey)
        const last = keys.length < PAGE ? undefined : found.at(-1)
        const isAfter = (docTag: DocTag): boolean => (before === undefined ? from === undefined || docTag >= from : docTag > before)
        const isInPage = (docTag: DocTag): boolean => isAfter(docTag) && (last === undefined || docTag <= last)
        const page = [...new Set([...found, ...latest.filter(isInPage)])].sort()
        yield* page.slice(0, limit - given)
        given += page.length
        if (last === undefined) return
        range = documentsAfter(last) // over the rest of a document with more keys than a page
        before = last
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
          const records = await read(view => recordsOf(view, pointersOf(entries, after)))
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

function chunkOf(head: StoredHead, bytes: Uint8Array): StoredChunk {
  return { ...recordOf(head), bytes: new Uint8Array(bytes) }
}

function recordOf({ class: kind, epoch, docTag, id, sequence, live, arrival, byteLength, isEmptied }: StoredHead): ChunkRecord {
  return { class: kind, epoch, docTag, id, sequence, live, arrival, byteLength, ...(isEmptied === true ? { isEmptied } : {}) }
}
