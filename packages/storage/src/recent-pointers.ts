/**
 * Which chunks of a document arrived last. On disk they are in the order of arrival only (`a`), and here by document, until there are
 * RECENT_POINTERS of them; then each document gets one index entry (`d`) for all of its own. A document's entry for each batch would
 * cost a chunk as much again as the chunk itself does.
 *
 * A pointer counts when the head it points to has the same arrival, so what is here may be more than what is stored: it is noted while a
 * write is prepared, and one that fails leaves pointers to nothing.
 */
import type { ChunkId, DocTag } from '@segue/core/sealed'
import type { Counters } from './chunk-value.ts'
import type { OnDamaged } from './damage.ts'
import { arrivalInKey, arrivalsFrom } from './key-layout.ts'
import type { LevelStore } from './level/level-store.ts'
import { decodeArrivals } from './pointers.ts'

export interface RecentPointer {
  readonly id: ChunkId
  readonly arrival: number
}

export interface RecentPointers {
  /** In order of arrival. A copy: it stays what it is while a snapshot is read. */
  of(docTag: DocTag): readonly RecentPointer[]
  /** Sorted. */
  docTags(): readonly DocTag[]
  add(docTag: DocTag, pointer: RecentPointer): void
  /** What came after `arrival` was never stored. */
  truncate(arrival: number): void
  /** Its removal is prepared; it may fail. */
  doubt(arrival: number): void
  isDoubted(arrival: number): boolean
  /** It is removed. */
  remove(docTag: DocTag, arrival: number): void
  entries(): Iterable<readonly [DocTag, readonly RecentPointer[]]>
  /** Up to here the documents' own entries are on disk. */
  forget(arrival: number): void
}

/** So many arrivals are without an index entry of their document at most; a reader of the store opens with as many. */
export const RECENT_POINTERS = 512

/** Those of a store that was closed, or ended by a crash. */
export async function openRecentPointers(
  level: LevelStore,
  { indexed, lastArrival }: Counters,
  onDamaged: OnDamaged,
): Promise<RecentPointers> {
  const recent = createRecentPointers()
  if (indexed === lastArrival) return recent
  for (const [key, stored] of await level.read(view => view.entries(arrivalsFrom(indexed + 1)))) {
    const [first, pointers] = [arrivalInKey(key), decodeArrivals(stored)]
    if (pointers === undefined) onDamaged({ area: 'chunk-index', key: String(first) })
    for (const { id, offset, docTag } of pointers ?? []) if (docTag !== undefined) recent.add(docTag, { id, arrival: first + offset })
  }
  return recent
}

export function createRecentPointers(): RecentPointers {
  const byDocument = new Map<DocTag, RecentPointer[]>()
  const doubted = new Set<number>()
  let [first, last] = [0, 0]

  const keep = (isKept: (pointer: RecentPointer) => boolean): void => {
    for (const [docTag, pointers] of byDocument) {
      const kept = pointers.filter(isKept)
      if (kept.length === 0) byDocument.delete(docTag)
      else if (kept.length < pointers.length) byDocument.set(docTag, kept)
    }
  }
  return {
    of: docTag => byDocument.get(docTag)?.slice() ?? [],
    docTags: () => [...byDocument.keys()].sort(),
    add(docTag, pointer) {
      last = pointer.arrival
      const pointers = byDocument.get(docTag)
      if (pointers === undefined) byDocument.set(docTag, [pointer])
      else pointers.push(pointer)
    },
    truncate(arrival) {
      if (last <= arrival) return
      last = arrival
      keep(pointer => pointer.arrival <= arrival)
    },
    doubt: arrival => void doubted.add(arrival),
    isDoubted: arrival => doubted.has(arrival),
    remove(docTag, arrival) {
      doubted.delete(arrival)
      const left = byDocument.get(docTag)?.filter(pointer => pointer.arrival !== arrival)
      if (left?.length === 0) byDocument.delete(docTag)
      else if (left !== undefined) byDocument.set(docTag, left)
    },
    entries: () => byDocument,
    forget(arrival) {
      if (arrival <= first) return
      first = arrival
      keep(pointer => pointer.arrival > arrival)
      for (const each of doubted) if (each <= arrival) doubted.delete(each)
    },
  }
}
