/** What a session is to its replica, and the replica to its sessions. */
import type { ChunkId, DeviceId, DocTag } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { DeviceLinkHandler } from '../ports/device-link.ts'
import type { ChunkHeader, SealedChunk } from '../ports/sealed-chunk.ts'
import type { CloseCode } from '../wire/close-codes.ts'
import type { Arriving } from './arriving.ts'
import type { Covers } from './covers.ts'
import type { DocumentSums } from './document-sums.ts'
import type { DropWords } from './drop-words.ts'
import type { DroppedSince } from './dropped.ts'
import type { ReplicaHistory } from './history.ts'
import type { Journal } from './journal-types.ts'
import type { PeerReceipts } from './receipts.ts'
import type { Room } from './room.ts'
import type { Contained } from './retiring.ts'
import type { Offer } from './sync-records.ts'
import type { Summary } from './summary.ts'
import type { Turns } from './turns.ts'
import type { Wants } from './wants.ts'

export interface Session extends DeviceLinkHandler {
  readonly peer: DeviceId
  readonly phase: () => 'greeting' | 'log' | 'comparing' | 'in-sync' | 'closed'
  /** Takes live chunks and announcements. */
  readonly isLive: () => boolean
  /** Sends the chunks it does not know of now, if they are few and small; else they are announced once they are durable. */
  readonly push: (entries: readonly Arriving[]) => void
  /** Tells of chunks that are durable here. */
  readonly announce: (chunks: readonly Offer[], as: Announcement) => void
  /** What the peer names counts for nothing: it has no keys. */
  readonly needsProofs: () => boolean
  readonly isInScope: (header: Pick<ChunkHeader, 'class' | 'docTag'>) => boolean
  readonly sendWant: (ids: readonly ChunkId[]) => void
  /** Whether so many more bytes may be asked for on this link now. */
  readonly mayAsk: (bytes: number) => boolean
  readonly ask: (docTags: readonly DocTag[]) => void
  readonly askSnapshot: (docTag: DocTag) => void
  /** Fragments held here contain these: a peer without keys is told. */
  readonly supersede: (chunks: readonly Contained[]) => void
  /** A peer without keys is told that these were deleted; by a replica without keys, a device that it dropped them. */
  readonly drop: (docTags: readonly DocTag[]) => void
  /** As far as receipts tell it holds these, and it can be asked to keep them. */
  readonly mayKeep: (docTag: DocTag) => boolean
  readonly sendLeave: (number: number, docTags: readonly DocTag[]) => void
  /** What is left out here changed. `isBack`: something is kept again, and looked for. */
  readonly onLeftOut: (isBack: boolean) => void
  /** A peer without keys is told that these were not. */
  readonly undrop: (docTags: readonly DocTag[]) => void
  readonly sendReject: (id: ChunkId, bytesHash: Uint8Array, why: string) => void
  /** Something of what it offered was settled. */
  readonly onSettled: () => void
  /** The summary changed here. */
  readonly onChanged: () => void
  readonly close: (code: CloseCode) => void
}

/** news: the peer may lack them. given: it sent just these bytes, and waits for the receipt. named: it sent or offered something of that name. */
export type Announcement = 'news' | 'given' | 'named'

export interface SessionHost {
  readonly store: ChunkStore
  readonly clock: Clock
  readonly turns: Turns
  readonly hasher: Hasher
  readonly summary: Summary
  readonly covers: Covers
  readonly journal: Journal
  readonly history: ReplicaHistory
  readonly wants: Wants<Session>
  readonly receipts: PeerReceipts
  readonly unchecked: ReadonlyMap<ChunkId, DocTag>
  /** Here without keys, and a peer could not open it: any other variant is lacking. */
  readonly doubted: ReadonlyMap<ChunkId, Uint8Array>
  /** Deleted: neither taken nor given. */
  readonly dropped: ReadonlyMap<DocTag, DroppedSince>
  /** Not kept here, while others may. */
  readonly leftOut: ReadonlySet<DocTag>
  readonly sums: DocumentSums
  readonly dropWords: Pick<DropWords, 'onDrop' | 'onUndrop' | 'onDropped'>
  readonly isKeyless: boolean
  readonly room: Room
  /** Chunks that came or were made and are not durable yet. */
  readonly arriving: ReadonlyMap<ChunkId, Arriving>
  readonly priorities: ReadonlySet<DocTag>
  /** Checks and stores what came; resolves when there is room for more. */
  intake(chunks: readonly SealedChunk[], from: Session): Promise<void>
  /** The peer says that our variant of this chunk is not what its id says; or, if it is full, that it does not take it. */
  onReject(id: ChunkId, bytesHash: Uint8Array, session: Session, why: string): Promise<void>
  /** The peer says that the fragments `keep` contain these. */
  onRetire(docTag: DocTag, ids: readonly ChunkId[], keep: readonly ChunkId[]): void
  /** Which of these are kept here, though a peer lets go of them. */
  keeps(docTags: readonly DocTag[]): Promise<readonly DocTag[]>
  /** The peer keeps these, as it was asked to. */
  onKept(number: number, docTags: readonly DocTag[], session: Session): void
  onProgress(session: Session): void
  onConfirmed(): void
  /** The peer says that these are on its disk. */
  onStored(ids: readonly ChunkId[], session: Session): void
  /** The peer says that it holds these. */
  onOffered(offers: readonly Offer[], session: Session): void
  onSnapshot(docTag: DocTag, sealed: Uint8Array | undefined, session: Session): void
  onClosed(session: Session): void
  onFailure(session: Session, error: unknown): void
  readonly otherSessions: (session: Session) => number
}
