/** What fragments really contain, by decoding them in the worker. */
import type { ChunkId } from '../lib/ids.ts'
import type { BundleContents, DocumentWorker } from '../ports/worker.ts'
import type { FragmentCover } from '../replication/index.ts'
import { MAX_INFLATED_BYTES } from '../wire/limits.ts'
import { commitContentKey } from './content-keys.ts'
import type { Sealer } from './sealer.ts'

/** Rejects when the bytes are no bundle, or one beyond the limits. */
export function readFragment(worker: DocumentWorker, bundle: Uint8Array): Promise<BundleContents> {
  return worker.readBundle(bundle, { maxInflatedBytes: MAX_INFLATED_BYTES })
}

/** The chunk ids of the commits a fragment contains. */
export function coverOf(sealer: Sealer, documentId: Uint8Array, contents: BundleContents): FragmentCover {
  const covers = contents.members.map(hash => sealer.chunkIdOf('commit', documentId, commitContentKey(hash)))
  return { level: contents.level, covers }
}

export type CoverCache = Pick<Map<ChunkId, FragmentCover>, 'get' | 'set'>

/** Remembers about as many covers as hold `maxIds` commit ids, the oldest leave first. */
export function createCoverCache(maxIds: number): CoverCache {
  const covers = new Map<ChunkId, FragmentCover>()
  let ids = 0
  return {
    get: id => covers.get(id),
    set(id, cover) {
      if (covers.has(id)) return covers
      covers.set(id, cover)
      ids += cover.covers.length
      for (const [oldest, old] of covers) {
        if (ids <= maxIds || oldest === id) break
        covers.delete(oldest)
        ids -= old.covers.length
      }
      return covers
    },
  }
}
