/**
 * What a replica is to the rest of Segue: sealed chunks in, sealed chunks out, everywhere the same in the end. It holds no
 * keys and knows no Automerge; devices, pages and relays use the same one. SPEC.md has its rules (R1...).
 */
import type { ChunkId, DeviceId, DocTag, Incarnation } from '../lib/ids.ts'
import type { Closeable } from '../lib/closeables.ts'
import type { Observable } from '../lib/observable.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { DeviceLink, DeviceLinkHandler } from '../ports/device-link.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Inspector } from '../ports/inspector.ts'
import type { Logger } from '../ports/logger.ts'
import type { Random } from '../ports/random.ts'
import type { ChunkHeader, SealedChunk } from '../ports/sealed-chunk.ts'
import type { Room } from './room.ts'

export interface ReplicaComponents {
  /** Owned by the caller: `close()` of the replica leaves it open. Nobody else may write to it meanwhile. */
  readonly store: ChunkStore
  readonly inspector: Inspector
  readonly clock: Clock
  readonly random: Random
  readonly logger?: Logger
  /** Default: the portable one. */
  readonly hasher?: Hasher
  /** True on a relay: what arrives is passed on whole at once, because two of its peers may have no link of their own. */
  readonly keyless?: boolean
  /** Shared with other replicas, for what peers make them keep. Default: without end. */
  readonly room?: Room
  /** Of the group's log, from others. Default: three times what a log keeps. */
  readonly maxLogChunks?: number
  /** True where what is held may be let go without asking anybody, as on a relay that keeps only what some device lacks. */
  readonly keepsNothing?: boolean
}

/** What a fragment contains, known to whoever made it. Without it the inspector is asked. */
export interface FragmentCover {
  readonly level: number
  /** The chunk ids of the commits in it. */
  readonly covers: readonly ChunkId[]
}

export interface Replica extends Closeable {
  /** 16 random bytes, hex: made with the store, the same in every run. */
  readonly id: string
  /** New in every run. */
  readonly incarnation: Incarnation

  /** Speaks to the peer on `link` until either side closes. Feed what arrives on its sync channels to the returned session. */
  attach(link: DeviceLink, options?: AttachOptions): ReplicaSession

  /**
   * Chunks made on this device. They go to every live link and to the store at the same time; resolves when they are durable.
   * While the store fails they stay in memory and are tried again (see `durability`); only `close()` rejects, with CLOSED.
   */
  add(chunks: readonly SealedChunk[], options?: AddOptions): Promise<void>

  /** These documents come before others from now on (open documents, a handoff's manifest). Asks every peer for them at once. */
  want(docTags: readonly DocTag[]): void
  /** No longer before others. */
  unwant(docTags: readonly DocTag[]): void

  /** Hears of every chunk from others once it is checked and durable, in batches, any class. Returns the unsubscribe function. */
  subscribe(listener: ReplicaListener): () => void

  /** Resolves when everything added here or given to `onChecked` before the call is durable. */
  settled(): Promise<void>

  /** A key arrived: everything stored unread is inspected again. Resolves when done. */
  onKeysChanged(): Promise<void>

  /**
   * Without keys: takes out for good what peers said before `before` (milliseconds since 1970) it need not keep. RETIRED_KEPT_MS is how
   * long that should be possible to undo.
   */
  dropRetired(before: number): Promise<void>

  /**
   * The group deleted these documents. What is here of them counts no more and goes with `dropRetired`; what comes is refused, for good;
   * replicas without keys do the same when they are told, at once or when they next offer something of it. Devices believe no peer about
   * it: each hears of a deletion in the group's own documents. Idempotent.
   */
  drop(docTags: readonly DocTag[]): Promise<void>
  /** Whether `drop` was for it: nothing of it counts here. */
  isDropped(docTag: DocTag): boolean
  /** Brings back what is still here of them. Replicas without keys are not told. */
  undrop(docTags: readonly DocTag[]): Promise<void>
  /** Says to `peer`, which has no keys and said that it dropped these, that they were not deleted: it takes and gives them again. */
  takeBackDrop(peer: DeviceId, docTags: readonly DocTag[]): void

  /**
   * These are not kept here any more, though others keep them: they are out of the store, in one batch, when it resolves with nothing. What
   * comes of them later is not taken, peers are told, and neither side counts them in a comparison. Unless `isForced`, each needs somebody who
   * is linked and in sync, has all that is here of it and keeps it; those without are returned, and then nothing was let go. Nothing of
   * them may be made here meanwhile. Idempotent. Rejects with NOT_HERE_LIMIT beyond MAX_EXCEPT_TAGS.
   */
  leaveOut(docTags: readonly DocTag[], options?: { readonly isForced?: boolean }): Promise<readonly DocTag[]>
  /** They are kept again: fetched from whoever holds them. */
  takeBack(docTags: readonly DocTag[]): Promise<void>
  readonly leftOut: ReadonlySet<DocTag>

  /** The store found these damaged: fetched again from whoever holds them. */
  refetch(damaged: readonly { readonly id: ChunkId }[]): void
  /** Brings the summary to what is on disk: after damage it may not be. Reads every header once. */
  recount(): Promise<void>

  /** Peers heard of in this run; those without a link stay, as 'away'. */
  readonly peers: Observable<ReadonlyMap<DeviceId, PeerSync>>

  /**
   * Does `peer` hold everything that is durable here of this document, checked and on its disk? Said by its receipts or its
   * summary, in its present incarnation. Follow `confirmations` for when to ask again.
   */
  confirmedAt(peer: DeviceId, docTag: DocTag): boolean
  /** As `confirmedAt`, of everything that is durable here. */
  holdsAll(peer: DeviceId): boolean
  /** Counts up whenever an answer of `confirmedAt` may have changed. */
  readonly confirmations: Observable<number>
  readonly durability: Observable<Durability>

  /** Root of the summary, hex: equal on two replicas exactly when they hold the same live chunks. */
  fingerprint(): string
  /** Number and fingerprint of the group log's chunks. */
  log(): { readonly count: number; readonly fingerprint: string }

  /** A document's `save()`, sealed: a cache for whoever opens or first fetches it. `undefined` removes it. */
  putSnapshot(docTag: DocTag, sealed: Uint8Array | undefined): Promise<void>
  getSnapshot(docTag: DocTag): Promise<Uint8Array | undefined>
  /** From the first linked peer that has one; `undefined` when none has. It is not checked: open it before believing it. */
  requestSnapshot(docTag: DocTag, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array | undefined>
}

export interface AttachOptions {
  /** Only these documents (the group log always); everything without it. Both sides' scopes are intersected. */
  readonly scope?: readonly DocTag[]
}

export interface AddOptions {
  /** For fragments made here. */
  readonly covers?: ReadonlyMap<ChunkId, FragmentCover>
}

export interface ReplicaListener {
  /** These came and are being checked, which takes a while: nothing of them may be shown or kept. */
  onChecking?(chunks: readonly SealedChunk[]): void
  /**
   * Checked, readable, and handed to the store: whatever is added after this is on disk only with or after it. For showing what
   * arrived without waiting for the disk. The same chunks come by `onArrived` once they are durable, unless they are superfluous.
   */
  onChecked?(chunks: readonly SealedChunk[]): void
  /** `from` is undefined for chunks that came earlier and could not be read until now. */
  onArrived(chunks: readonly SealedChunk[], from: DeviceId | undefined): void
  /** `from` says that it holds these, or sent them whole, known here or not; nothing of it is checked. */
  onShown?(from: DeviceId, shown: readonly Shown[], isWhole: boolean): void
  /** `from`, without keys, says that it keeps nothing of these, because a member said that they were deleted. Nothing was dropped here. */
  onDropped?(from: DeviceId, docTags: readonly DocTag[]): void
  /** `from` says that these are on its disk: what it was sent of any class, the group's log too, which counts in no `confirmedAt`. */
  onStored?(from: DeviceId, ids: readonly ChunkId[]): void
  /** Nothing of these documents is held here any more: deleted, or left out. */
  onTakenOut?(docTags: readonly DocTag[]): void
}

export type Shown = Pick<ChunkHeader, 'class' | 'docTag' | 'id' | 'sequence'>

/** Is a DeviceLinkHandler for the sync channels; frames of other channels must not come here. */
export interface ReplicaSession extends DeviceLinkHandler {
  readonly peer: DeviceId
}

export interface PeerSync {
  readonly state: 'away' | 'connecting' | 'catching-up' | 'in-sync'
  /** Chunks it offered that are not durable here yet. */
  readonly behind: number
  /** Chunks durable here that it has not confirmed, as far as known; 0 when in-sync and quiet. */
  readonly unconfirmed: number
  /** Its clock-free identity: changes when it restarts or comes back from a backup. */
  readonly incarnation: Incarnation | undefined
  /** It came with less than it once had, such as a relay that was restored from a backup: what it lacks is given to it again. */
  readonly hasGoneBack: boolean
  /** How often, in this run. */
  readonly timesGoneBack: number
  /** It had more of this store than there is: this store was put back to an earlier state, or is a copy of one that went on. */
  readonly hasMoreOfUs: boolean
  /** A relay whose room for this group is used up: it turned away what it was given last. It takes that as soon as there is room. */
  readonly isFull: boolean
  /** Documents that it says it does not keep, though the group has them. */
  readonly leavesOut: number
  /** Since when the present link is there, by the monotonic clock; absent without one. */
  readonly linkedAt?: number | undefined
}

export interface Durability {
  readonly state: 'good' | 'failing'
  /** Chunks made here that wait in memory; 0 while the store works. */
  readonly pending: number
}
