/** A peer did not take a chunk: it has no room, the document was deleted, or what is held here is not what its id says. */
import { equalBytes } from '../lib/bytes.ts'
import type { ChunkId, DeviceId } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Inspector } from '../ports/inspector.ts'
import type { Logger } from '../ports/logger.ts'
import { REJECTED_AS_DROPPED, REJECTED_AS_FULL } from '../wire/sync-messages.ts'
import { createDoubts } from './doubts.ts'
import type { Journal } from './journal-types.ts'
import type { Session, SessionHost } from './session-host.ts'

export interface RejectionsParts {
  readonly store: ChunkStore
  readonly hasher: Hasher
  readonly inspector: Inspector
  readonly journal: Pick<Journal, 'doubt' | 'drop'>
  readonly isKeyless: boolean
  readonly doubted: ReadonlyMap<ChunkId, Uint8Array>
  readonly sessions: ReadonlySet<Session>
  readonly logger: Logger | undefined
  readonly onFull: (id: ChunkId, peer: DeviceId) => void
  readonly onDropped: (id: ChunkId, peer: DeviceId) => Promise<void>
}

export function createRejections(parts: RejectionsParts): SessionHost['onReject'] {
  const { store, hasher, inspector, journal, logger } = parts
  const doubt = createDoubts(parts)

  return async (id, bytesHash, { peer }, why) => {
    if (why === REJECTED_AS_FULL) return parts.onFull(id, peer)
    if (why === REJECTED_AS_DROPPED) return parts.onDropped(id, peer)
    const stored = await store.get(id)
    if (stored === undefined || !equalBytes(hasher.sha256(stored.bytes), bytesHash)) return
    if (parts.isKeyless) return doubt(stored, bytesHash, peer)
    const verdict = await inspector.inspect(stored)
    logger?.warn('chunk-rejected-by-peer', { chunk: id, peer, verdict: verdict.kind })
    if (verdict.kind === 'bad') await journal.drop([stored])
  }
}
