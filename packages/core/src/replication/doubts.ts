/**
 * Without keys: what a peer says that it cannot open. Everybody else is asked for another variant; until one comes this one stays, for a
 * peer may be wrong. Nobody's word alone fills what is remembered of it.
 */
import type { ChunkId, DeviceId } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Journal } from './journal-types.ts'
import { doubtAgain, doubtOf, DOUBTED_PREFIX, isDoubtOf } from './retired.ts'
import type { Session } from './session-host.ts'

/** Variants that a peer could not open, as retired.ts writes them down. */
export async function openDoubted(store: Pick<ChunkStore, 'listRecords'>): Promise<Map<ChunkId, Uint8Array>> {
  const doubted = new Map<ChunkId, Uint8Array>()
  for await (const [key, doubt] of store.listRecords(DOUBTED_PREFIX)) doubted.set(key.slice(DOUBTED_PREFIX.length) as ChunkId, doubt)
  return doubted
}

export interface DoubtParts {
  readonly journal: Pick<Journal, 'doubt'>
  readonly hasher: Hasher
  readonly doubted: ReadonlyMap<ChunkId, Uint8Array>
  readonly sessions: ReadonlySet<Session>
}

export type Doubt = (stored: SealedChunk, bytesHash: Uint8Array, peer: DeviceId) => Promise<void>

export function createDoubts({ journal, hasher, doubted, sessions }: DoubtParts): Doubt {
  const hasRoomFor = (peer: DeviceId): boolean => {
    if (doubted.size >= MAX_DOUBTED) return false
    if (doubted.size < MAX_DOUBTED_BY_ONE) return true
    const ofPeer = isDoubtOf(peer, hasher)
    let count = 0
    for (const doubt of doubted.values()) if (ofPeer(doubt) && ++count >= MAX_DOUBTED_BY_ONE) return false
    return true
  }
  return async (stored, bytesHash, peer) => {
    const known = doubted.get(stored.id)
    if (known === undefined && !hasRoomFor(peer)) return
    const next = known === undefined ? doubtOf(bytesHash, peer, hasher) : doubtAgain(known, peer, hasher)
    if (next === undefined) return
    await journal.doubt(stored, next)
    for (const session of sessions) if (session.isLive()) session.sendWant([stored.id])
  }
}

const MAX_DOUBTED = 10_000
/** Of those, by the word of one peer alone. */
export const MAX_DOUBTED_BY_ONE = 1_000
