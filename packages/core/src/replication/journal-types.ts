/** What the journal is to the rest of a replica. */
import type { ChunkId, DeviceId, DocTag } from '../lib/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { ChunkHeader, SealedChunk } from '../ports/sealed-chunk.ts'
import type { Covers } from './covers.ts'
import type { DroppedSince } from './dropped.ts'
import type { RetireRequest } from './retired.ts'
import type { Summary, SummaryDelta } from './summary.ts'
import type { Turns } from './turns.ts'

export interface JournalItem {
  readonly chunk: SealedChunk
  /** `undefined`: of an epoch not held yet. */
  readonly contents: { readonly level: number; readonly covers: readonly ChunkId[] } | undefined
  /** made: here, so no fragment held can contain it. read: stored earlier and only now checked. */
  readonly origin: 'made' | 'arrived' | 'read'
  /** Who brought it. */
  readonly from?: DeviceId | undefined
}

/** held: it was there. covered: a fragment on disk contains it. older: a greater register is there. */
export type Fate = 'stored' | 'held' | 'covered' | 'older'

export interface Applied {
  readonly fates: ReadonlyMap<JournalItem, Fate>
  /** Made superfluous by what was stored, taken out, or retired. */
  readonly removed: readonly ChunkHeader[]
  /** Of `removed`: what a fragment here contains. */
  readonly contained: readonly ChunkHeader[]
}

export interface Journal {
  /** Resolves when all of them are durable or superfluous. Rejects only with CLOSED. */
  write(items: readonly JournalItem[]): Promise<void>
  /** Goes with the next batch, or by `flush`; `undefined` deletes. */
  setRecord(key: string, value: Uint8Array | undefined): void
  flush(): Promise<void>
  /** Looks again which chunks of these documents a fragment covers. */
  reconsider(docTags: readonly DocTag[]): Promise<void>
  /** Without keys: what a peer says is contained in fragments. Believed while all of those are here. */
  retire(request: RetireRequest): Promise<void>
  /** Takes out for good what these records of retired chunks name. */
  expire(keys: readonly string[]): Promise<void>
  /** The group deleted them: what is here counts no more, what comes is older than that. */
  dropDocuments(docTags: readonly DocTag[], at: number): Promise<void>
  undropDocuments(docTags: readonly DocTag[]): Promise<void>
  /** Not kept here any more, or kept again; all of them in one batch. */
  leaveOut(docTags: readonly DocTag[], isLeftOut: boolean): Promise<void>
  /** Without keys: a peer could not open what is stored. It stays until other bytes come; what it was said to contain comes back. */
  doubt(chunk: ChunkHeader, doubt: Uint8Array): Promise<void>
  /** Takes bad chunks out. */
  drop(chunks: readonly ChunkHeader[]): Promise<void>
  /** Brings the summary to what is on disk. */
  recount(): Promise<void>
  pendingBytes(): number
  /** One last try to write what waits; what cannot be written is rejected. */
  close(): Promise<void>
}

export interface JournalParts {
  readonly store: ChunkStore
  readonly clock: Clock
  readonly turns: Turns
  readonly hasher: Hasher
  readonly isKeyless: boolean
  readonly covers: Covers
  readonly summary: Summary & { delta(hasher: Hasher): SummaryDelta }
  /** Stored and of an epoch not held yet; kept up to date here. */
  readonly unchecked: Map<ChunkId, DocTag>
  /** What is stored under these ids is damaged: it is written again, and was counted before. Those that are whole again leave it. */
  readonly mending: Set<ChunkId>
  /** Without keys: variants that a peer could not open, by their hash; kept up to date here. */
  readonly doubted: Map<ChunkId, Uint8Array>
  /** Deleted documents, and those not kept here; kept up to date here. */
  readonly dropped: Map<DocTag, DroppedSince>
  readonly leftOut: Set<DocTag>
  readonly onApplied: (applied: Applied) => void
  readonly onState: (state: { readonly isFailing: boolean; readonly error?: unknown }) => void
}
