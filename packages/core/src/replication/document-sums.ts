/**
 * The sums of single documents, for links whose peer leaves some out: what it does not keep is taken off this side's summary before the
 * two are compared. Only such documents are ever counted here, and again only after they changed.
 */
import type { DocTag } from '../lib/ids.ts'
import type { Pending } from '../lib/pending.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import { MAX_EXCEPT_TAGS } from '../wire/hello.ts'
import { sumOfDocument } from './document-reading.ts'

export interface DocumentSums {
  /** In the order of `docTags`; at once when none of them changed since they were asked for last. */
  of(docTags: readonly DocTag[]): Pending<readonly bigint[]>
  /** Something of it was written or taken out. */
  changed(docTag: DocTag): void
}

export function createDocumentSums(store: Pick<ChunkStore, 'document'>, hasher: Hasher): DocumentSums {
  const entries = new Map<DocTag, Entry>()

  const count = async (docTag: DocTag): Promise<bigint> => {
    if (entries.size >= MAX_COUNTED) entries.clear() // a peer may name others every time
    const entry = entries.get(docTag) ?? { sum: undefined, changes: 0 }
    entries.set(docTag, entry)
    if (entry.sum !== undefined) return entry.sum
    const { changes } = entry
    const sum = await sumOfDocument(store, docTag, hasher)
    if (entry.changes === changes) entry.sum = sum // else a comparison finds a difference, and looks again a little later
    return sum
  }
  return {
    of(docTags) {
      const known = docTags.map(docTag => entries.get(docTag)?.sum)
      return known.every(sum => sum !== undefined) ? known : Promise.all(docTags.map(count))
    },
    changed(docTag) {
      const entry = entries.size === 0 ? undefined : entries.get(docTag)
      if (entry === undefined) return
      entry.sum = undefined
      entry.changes++
    },
  }
}

/** Of a few peers that leave out as much as can be. */
const MAX_COUNTED: number = 4 * MAX_EXCEPT_TAGS

interface Entry {
  sum: bigint | undefined
  changes: number
}
