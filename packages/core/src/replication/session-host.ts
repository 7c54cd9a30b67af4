/** What a session needs of the replica it speaks for. */
import type { ChunkId, DeviceId, DocTag } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Covers } from './covers.ts'
import type { ReplicaHistory } from './history.ts'
import type { Journal } from './journal.ts'
import type { PeerReceipts } from './receipts.ts'
import type { Session } from './session.ts'
import type { Summary } from './summary.ts'
import type { Wants } from './wants.ts'

export interface SessionHost {
  readonly store: ChunkStore
  readonly clock: Clock
  readonly hasher: Hasher
  readonly summary: Summary
  readonly covers: Covers
  readonly journal: Journal
  readonly history: ReplicaHistory
  readonly wants: Wants<Session>
  readonly receipts: PeerReceipts
  readonly unchecked: ReadonlyMap<ChunkId, DocTag>
  /** Chunks that came or were made and are not durable yet. */
  readonly arriving: ReadonlyMap<ChunkId, Arriving>
  readonly priorities: ReadonlySet<DocTag>
  /** Checks and stores what came; resolves when there is room for more. */
  intake(chunks: readonly SealedChunk[], from: Session): Promise<void>
  /** The peer says that our variant of this chunk is not what its id says. */
  onReject(id: ChunkId, bytesHash: Uint8Array, session: Session): Promise<void>
  onProgress(session: Session): void
  onConfirmed(): void
  onSnapshot(docTag: DocTag, sealed: Uint8Array | undefined, session: Session): void
  onClosed(session: Session): void
  onFailure(session: Session, error: unknown): void
  readonly otherSessions: (session: Session) => number
}

export interface Arriving {
  readonly chunk: SealedChunk
  readonly from: Session | undefined
  /** Have it, as far as known: no need to tell them of it. */
  readonly knownBy: Set<Session>
  /** Said that they have it, or sent it. */
  readonly confirmedBy: Set<DeviceId>
}
