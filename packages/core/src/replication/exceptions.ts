/**
 * What one link leaves out: documents that this side does not keep, and those that the other said it does not. Neither is pushed, offered,
 * asked for or compared; where neither side leaves anything out, nothing here costs anything.
 */
import { DOC_TAG_BYTES, GROUP_DOC_TAG, type DocTag } from '../lib/ids.ts'
import type { Pending } from '../lib/pending.ts'
import type { DocumentSums } from './document-sums.ts'
import { bucketOf, type Summary } from './summary.ts'
import { sumBytes, unpackIds } from './sync-records.ts'
import { concatBytes } from '../lib/bytes.ts'
import { SUMMARY_BUCKETS } from '../wire/sync-messages.ts'

export interface Exceptions {
  /** What the other side said, all of it; absent: nothing. */
  setTheirs(tags: Uint8Array | undefined): void
  theirs(): ReadonlySet<DocTag>
  isAny(): boolean
  has(docTag: DocTag): boolean
  /** The summary without what is left out. */
  root(): Pending<bigint>
  bucket(index: number): Pending<bigint>
  buckets(): Pending<Uint8Array>
}

/** `leftOut`: here, kept up to date by the replica; of these nothing is in the summary anyway. */
export function createExceptions(leftOut: ReadonlySet<DocTag>, sums: DocumentSums, summary: Summary): Exceptions {
  let theirs: ReadonlySet<DocTag> = new Set()

  const without = <T>(docTags: readonly DocTag[], use: (sums: readonly bigint[]) => T): Pending<T> => {
    const found = sums.of(docTags)
    return found instanceof Promise ? found.then(use) : use(found)
  }
  return {
    setTheirs(tags) {
      const named = tags === undefined ? [] : unpackIds<DocTag>(tags, DOC_TAG_BYTES)
      theirs = new Set(named.filter(docTag => docTag !== GROUP_DOC_TAG))
    },
    theirs: () => theirs,
    isAny: () => theirs.size > 0 || leftOut.size > 0,
    has: docTag => theirs.has(docTag) || leftOut.has(docTag),
    root: () =>
      theirs.size === 0 ? summary.root() : without([...theirs], found => wrap(found.reduce((root, sum) => root - sum, summary.root()))),
    bucket(index) {
      const inside = theirs.size === 0 ? [] : [...theirs].filter(docTag => bucketOf(docTag) === index)
      if (inside.length === 0) return summary.bucket(index)
      return without(inside, found => wrap(found.reduce((left, sum) => left - sum, summary.bucket(index))))
    },
    buckets() {
      if (theirs.size === 0) return summary.buckets()
      const tags = [...theirs]
      return without(tags, found => {
        const left = Array.from({ length: SUMMARY_BUCKETS }, (_, index) => summary.bucket(index))
        for (const [i, docTag] of tags.entries()) left[bucketOf(docTag)] = wrap((left[bucketOf(docTag)] as bigint) - (found[i] as bigint))
        return concatBytes(...left.map(sumBytes))
      })
    },
  }
}

function wrap(sum: bigint): bigint {
  return BigInt.asUintN(256, sum)
}
