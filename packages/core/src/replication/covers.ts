/**
 * The fragments of each document and what they cover, kept for the documents lately written to. A marker record says whether a
 * document has fragments at all, so that for the many small documents without any, one point read is the whole cost.
 */
import type { ChunkId, DocTag } from '../lib/ids.ts'
import type { ChunkRecord, ChunkStore } from '../ports/chunk-store.ts'
import type { Inspector } from '../ports/inspector.ts'
import { coverOf, type Cover, type Fragment } from './live.ts'

export interface Covers {
  /** `undefined`: the document holds no checked fragment. */
  of(docTag: DocTag): Promise<DocumentCover | undefined>
  /** After a durable batch; or with `undefined` to have it read again. */
  replace(docTag: DocTag, cover: DocumentCover | undefined): void
  /** It is read again. */
  forget(docTag: DocTag): void
}

export interface DocumentCover extends Cover {
  readonly fragments: readonly Fragment[]
}

export function fragmentsMarker(docTag: DocTag): string {
  return `fragments/${docTag}`
}

export function documentCover(fragments: readonly Fragment[]): DocumentCover {
  return { fragments, ...coverOf(fragments) }
}

/** Without keys: it is never known what a fragment contains. */
export const NO_COVERS: Covers = { of: async () => undefined, replace: () => undefined, forget: () => undefined }

export function createCovers(store: ChunkStore, inspector: Inspector, isUnchecked: (id: ChunkId) => boolean): Covers {
  /** Least recently used first. `undefined` is an answer too. */
  const cache = new Map<DocTag, DocumentCover | undefined>()
  let cachedIds = 0
  const costOf = (cover: DocumentCover | undefined): number => 1 + (cover?.covered.size ?? 0)
  const forget = (docTag: DocTag): void => {
    if (!cache.has(docTag)) return
    cachedIds -= costOf(cache.get(docTag))
    cache.delete(docTag)
  }
  const keep = (docTag: DocTag, cover: DocumentCover | undefined): void => {
    forget(docTag)
    cache.set(docTag, cover)
    cachedIds += costOf(cover)
    for (const oldest of cache.keys()) {
      if (cachedIds <= MAX_CACHED_IDS || oldest === docTag) break
      forget(oldest)
    }
  }
  const load = async (docTag: DocTag): Promise<DocumentCover | undefined> => {
    if ((await store.getRecord(fragmentsMarker(docTag))) === undefined) return undefined
    const isFragment = (record: ChunkRecord): boolean => record.class === 'fragment' && !isUnchecked(record.id)
    const ids = (await store.listDocument(docTag)).filter(isFragment).map(record => record.id)
    if (ids.length === 0) return undefined
    const contents = await inspector.covers(docTag, ids)
    return documentCover(ids.map(id => ({ id, level: contents.get(id)?.level ?? 0, covers: contents.get(id)?.covers ?? [] })))
  }
  return {
    async of(docTag) {
      if (cache.has(docTag)) {
        const cover = cache.get(docTag)
        cache.delete(docTag)
        cache.set(docTag, cover)
        return cover
      }
      const cover = await load(docTag)
      keep(docTag, cover)
      return cover
    },
    replace: keep,
    forget,
  }
}

/** About 20 MB of ids at most. */
const MAX_CACHED_IDS = 200_000
