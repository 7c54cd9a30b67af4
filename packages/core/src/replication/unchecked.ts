/** What is stored and of an epoch not held yet: `unchecked/<chunk id>`, its docTag. */
import type { ChunkId, DocTag } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'

export const UNCHECKED_PREFIX = 'unchecked/'

export async function openUnchecked(store: Pick<ChunkStore, 'listRecords'>): Promise<Map<ChunkId, DocTag>> {
  const unchecked = new Map<ChunkId, DocTag>()
  for await (const [key, value] of store.listRecords(UNCHECKED_PREFIX)) {
    unchecked.set(key.slice(UNCHECKED_PREFIX.length) as ChunkId, new TextDecoder().decode(value) as DocTag)
  }
  return unchecked
}
