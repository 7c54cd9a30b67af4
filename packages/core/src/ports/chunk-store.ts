/**
 * Sealed chunks at rest, with the small records a replica keeps about them. Knows no keys and no Automerge; devices and
 * relays use the same one. One writer: the replica that owns it.
 *
 * Promises:
 * - `apply` is atomic (all of the batch or none, across a crash) and durable (fsynced) when it resolves. Concurrent calls may
 *   share one fsync; they resolve in the order they were made.
 * - After `apply` rejects, none of its batch is there; the store stays usable for reading and for later tries.
 * - Reads see everything applied before they were called.
 * - Bytes handed in are not changed or kept by reference longer than the call; bytes handed out are plain Uint8Arrays.
 * - A value that fails its checksum is reported by `onDamaged` (if given to the factory) and read as absent.
 */
import type { ChunkId, DocTag } from '../lib/ids.ts'
import type { ChunkHeader, SealedChunk } from './sealed-chunk.ts'

export interface ChunkStore {
  apply(batch: ChunkBatch): Promise<void>

  /** Absent means: never stored, removed, or damaged. */
  get(id: ChunkId): Promise<StoredChunk | undefined>
  /** In the order of `ids`; absent ones are left out. */
  getMany(ids: readonly ChunkId[]): Promise<readonly StoredChunk[]>
  /** Header and flags without the bytes; cheap. */
  head(id: ChunkId): Promise<ChunkRecord | undefined>
  /** `head` of each, at the cost of one call. What an `apply` right after it puts need not be looked up again. */
  heads(ids: readonly ChunkId[]): Promise<readonly (ChunkRecord | undefined)[]>

  /** All chunks of one document, in order of arrival, without their bytes. Exactly this tag, not tags it prefixes. */
  listDocument(docTag: DocTag): Promise<readonly ChunkRecord[]>
  /**
   * The same, a page at a time, those that arrived after `after`: a document may be longer than memory. What is written meanwhile may be
   * in it or not; what was there all the while is in it once.
   */
  document(docTag: DocTag, after?: number): AsyncIterable<ChunkRecord>
  /** Every docTag with at least one chunk, once, sorted; those from `from` on. */
  docTags(options?: { readonly from?: DocTag; readonly limit?: number }): AsyncIterable<DocTag>
  /** Everything that arrived after `arrival`, in order of arrival, without bytes. Removed chunks are not in it. */
  since(arrival: number, options?: { readonly limit?: number }): AsyncIterable<ChunkRecord>
  /** The greatest arrival number ever given, 0 for an empty store. Never goes back, even when chunks are removed. */
  lastArrival(): number

  /** Small records that belong to the chunks (the summary's buckets, cursors, snapshots' headers): written in the same batches. */
  getRecord(key: string): Promise<Uint8Array | undefined>
  /** Records whose key starts with `prefix` (note: 'a' also matches 'ab'), sorted by key. */
  listRecords(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>

  /** Number of chunks and of sealed bytes, kept up to date by the store. */
  size(): { readonly chunks: number; readonly bytes: number }
  close(): Promise<void>
}

export interface ChunkBatch {
  /** An id already there is replaced (registers, a better variant) and gets a new arrival number. */
  readonly put?: readonly NewChunk[]
  readonly remove?: readonly ChunkId[]
  /** `live` of chunks already stored. */
  readonly setLive?: readonly { readonly id: ChunkId; readonly live: boolean }[]
  /**
   * Of these only the head stays: they are listed with no bytes and keep their arrival, and read as absent. Put again, they are whole
   * again. For relays that let go what everybody has.
   */
  readonly empty?: readonly ChunkId[]
  /** `undefined` deletes the record. */
  readonly records?: ReadonlyMap<string, Uint8Array | undefined>
}

export interface NewChunk extends SealedChunk {
  /** Part of the summary: not wholly covered by fragments held. Snapshots and log chunks are never live. */
  readonly live: boolean
}

export interface ChunkRecord extends ChunkHeader {
  readonly live: boolean
  /** 1, 2, 3 ... in the order of `apply`; gapless per store at the time of writing. */
  readonly arrival: number
  readonly byteLength: number
  /** Its bytes were let go; absent otherwise. */
  readonly isEmptied?: boolean
}

export interface StoredChunk extends ChunkRecord, SealedChunk {}
