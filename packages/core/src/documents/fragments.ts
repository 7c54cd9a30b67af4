/** What fragments really contain, by decoding them in the worker. */
import type { ChunkId } from '../lib/ids.ts'
import type { BundleContents, DocumentWorker, ReadBundle } from '../ports/worker.ts'
import type { FragmentCover } from '../replication/index.ts'
import { MAX_INFLATED_BYTES } from '../wire/limits.ts'
import { commitContentKey } from './content-keys.ts'
import type { Sealer } from './sealer.ts'

/** Rejects when the bytes are no bundle, or one beyond the limits. */
export function readFragment(worker: DocumentWorker, bundle: Uint8Array): Promise<ReadBundle> {
  return worker.readBundle(bundle, { maxInflatedBytes: MAX_INFLATED_BYTES })
}

/**
 * The chunk ids of the commits a fragment contains, worked out when first asked for: ten thousand take 50 ms, and what the fragment brings is
 * on the screen before the journal needs them.
 */
export function coverOf(sealer: Sealer, documentId: Uint8Array, { level, members }: BundleContents): FragmentCover {
  let covers: readonly ChunkId[] | undefined
  return {
    level,
    get covers() {
      return (covers ??= members.map(hash => sealer.chunkIdOf('commit', documentId, commitContentKey(hash))))
    },
  }
}

export interface CoverCache {
  get(id: ChunkId): FragmentCover | undefined
  /** `size`: how many ids it has. */
  set(id: ChunkId, cover: FragmentCover, size: number): void
}

/** Remembers about as many covers as hold `maxIds` commit ids, the oldest leave first. */
export function createCoverCache(maxIds: number): CoverCache {
  const kept = new Map<ChunkId, { readonly cover: FragmentCover; readonly size: number }>()
  let ids = 0
  return {
    get: id => kept.get(id)?.cover,
    set(id, cover, size) {
      if (kept.has(id)) return
      kept.set(id, { cover, size })
      ids += size
      for (const [oldest, old] of kept) {
        if (ids <= maxIds || oldest === id) break
        kept.delete(oldest)
        ids -= old.size
      }
    },
  }
}
