/**
 * Which chunks of a document count. Fragments contain commits and overlap; taken greedily from the greatest (level, id) down,
 * a chunk wholly covered by those already taken is not live. The outcome depends only on which fragments are held, so replicas
 * that hold the same ones agree, whoever made them and in whatever order they came.
 */
import type { ChunkId } from '../lib/ids.ts'

export interface Fragment {
  readonly id: ChunkId
  readonly level: number
  readonly covers: readonly ChunkId[]
}

export interface Cover {
  readonly liveFragments: ReadonlySet<ChunkId>
  /** Every commit that some fragment contains. */
  readonly covered: ReadonlySet<ChunkId>
}

/** A fragment that says it covers nothing is live: nothing else holds what may be in it. */
export function coverOf(fragments: readonly Fragment[]): Cover {
  const liveFragments = new Set<ChunkId>()
  const covered = new Set<ChunkId>()
  for (const fragment of [...fragments].sort(greatestFirst)) {
    const isLive = fragment.covers.length === 0 || fragment.covers.some(id => !covered.has(id))
    if (!isLive) continue
    liveFragments.add(fragment.id)
    for (const id of fragment.covers) covered.add(id)
  }
  return { liveFragments, covered }
}

function greatestFirst(a: Fragment, b: Fragment): number {
  return b.level - a.level || (a.id < b.id ? 1 : -1)
}
