/**
 * How a replica that cannot read asks somebody who can: is this chunk what its id says? Devices open, compare and recompute;
 * a relay checks headers and sizes only. Never throws for anything in the chunk.
 */
import type { Pending } from '../lib/pending.ts'
import type { ChunkId, DocTag } from '../lib/ids.ts'
import type { SealedChunk } from './sealed-chunk.ts'

export type Verdict =
  /** It is what it says. `covers` are the ids of the commits that a fragment contains (empty for others), `level` its level. */
  | { readonly kind: 'good'; readonly level: number; readonly covers: readonly ChunkId[] }
  /** Sealed under an epoch not held yet: store it, check again when the key arrives, give no receipt before. */
  | { readonly kind: 'unreadable' }
  /** Not what it says. Dropped, its sender noted, its id fetched elsewhere. */
  | { readonly kind: 'bad'; readonly reason: string }

export interface Inspector {
  /** At once where nothing has to be waited for: a keystroke is checked within the event that brought it. */
  inspect(chunk: SealedChunk): Pending<Verdict>
  /** For fragments already stored and checked: what they cover. Cached by the implementation. */
  covers(
    docTag: DocTag,
    fragments: readonly ChunkId[],
  ): Promise<ReadonlyMap<ChunkId, { readonly level: number; readonly covers: readonly ChunkId[] }>>
}
