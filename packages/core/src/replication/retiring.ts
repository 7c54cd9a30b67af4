/**
 * Telling a peer without keys what it need not keep. Whatever it holds that fragments here contain is named to it together with
 * those fragments: what a compaction made superfluous here, and what the peer offered since. Nothing has to be remembered: what is
 * lost on the way is offered by the peer in the next comparison.
 */
import { idBytes, type ChunkId, type DocTag } from '../lib/ids.ts'
import { SECOND_MS } from '../lib/units.ts'
import type { ChunkHeader } from '../ports/sealed-chunk.ts'
import type { Clock } from '../ports/clock.ts'
import { MAX_KEEP_IDS, MAX_RETIRE_IDS, type SyncMessage } from '../wire/sync-messages.ts'
import type { Covers, DocumentCover } from './covers.ts'
import type { PeerReceipts } from './receipts.ts'
import { packIds, slicesOf } from './sync-records.ts'

export type Contained = Pick<ChunkHeader, 'class' | 'id' | 'docTag'>

export interface Retiring {
  /** The peer has no keys. Until then `supersede` does nothing. */
  begin(): void
  /** Fragments held here contain these. */
  supersede(chunks: readonly Contained[]): void
  end(): void
}

export interface RetiringParts {
  readonly clock: Clock
  readonly covers: Covers
  readonly receipts: PeerReceipts
  readonly send: (message: Extract<SyncMessage, { type: 'retire' }>) => void
  readonly onFailure: (error: unknown) => void
}

export function createRetiring({ clock, covers, receipts, send, onFailure }: RetiringParts): Retiring {
  let isNeeded = false
  let pending = new Map<DocTag, Map<ChunkId, Contained>>()
  let count = 0
  let cancel: (() => void) | undefined

  const flush = async (): Promise<void> => {
    const due = pending
    pending = new Map()
    count = 0
    for (const [docTag, chunks] of due) {
      const cover = await covers.of(docTag)
      if (!isNeeded) return
      if (cover === undefined) continue
      const contained = [...chunks.values()].filter(chunk => isContained(cover, chunk)).map(({ id }) => id)
      const keep = containersOf(cover, contained)
      // Without fragments that are still on their way the peer would not believe it; the next comparison comes back to it.
      if (keep.length === 0 || keep.length > MAX_KEEP_IDS || keep.some(receipts.isOwed)) continue
      for (const slice of slicesOf(contained, MAX_RETIRE_IDS)) {
        send({ type: 'retire', tag: idBytes(docTag), ids: packIds(slice), keep: packIds(keep) })
      }
    }
  }

  return {
    begin() {
      isNeeded = true
    },
    supersede(chunks) {
      if (!isNeeded) return
      for (const chunk of chunks) {
        if (count >= MAX_PENDING) break
        const ofDocument = pending.get(chunk.docTag) ?? new Map<ChunkId, Contained>()
        if (!ofDocument.has(chunk.id)) count++
        pending.set(chunk.docTag, ofDocument.set(chunk.id, chunk))
      }
      if (count === 0) return
      cancel ??= clock.after(DELAY_MS, () => {
        cancel = undefined
        void flush().catch(onFailure)
      })
    },
    end() {
      isNeeded = false
      cancel?.()
      pending = new Map()
    },
  }
}

function isContained({ covered, liveFragments }: DocumentCover, chunk: Contained): boolean {
  return chunk.class === 'commit' ? covered.has(chunk.id) : chunk.class === 'fragment' && !liveFragments.has(chunk.id)
}

/** The live fragments that contain commits among `ids`; of lesser fragments it is not known any more what they contained: all of them. */
function containersOf({ fragments, liveFragments, covered }: DocumentCover, ids: readonly ChunkId[]): readonly ChunkId[] {
  const wanted = new Set(ids)
  const isAll = ids.some(id => !covered.has(id))
  return fragments.filter(({ id, covers }) => liveFragments.has(id) && (isAll || covers.some(each => wanted.has(each)))).map(({ id }) => id)
}

/** New fragments are usually at the peer by then. */
const DELAY_MS: number = 2 * SECOND_MS
/** Beyond this the next comparison names them again. */
const MAX_PENDING = 200_000
