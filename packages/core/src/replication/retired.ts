/**
 * What a relay keeps of what it was told it need not keep: out of the summary, never offered, gone after RETIRED_KEPT_MS, and
 * brought back when a fragment that was said to contain it turns out not to be one.
 *
 *     retired/<docTag>/<milliseconds>/<first id>  CBOR {at, keep: 32 each, chunks: (id 32, arrival 8) each}
 *     doubted/<chunk id>                          SHA-256 of the variant that a peer could not open, then that of the peer's id while
 *                                                 nobody else said so
 *
 * The arrival number tells a chunk that came again from the one that was retired.
 */
import * as v from 'valibot'
import { concatBytes, equalBytes, utf8 } from '../lib/bytes.ts'
import { bytesUpTo, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { CHUNK_ID_BYTES, idBytes, type ChunkId, type DeviceId, type DocTag } from '../lib/ids.ts'
import { DAY_MS, MIB } from '../lib/units.ts'
import type { ChunkRecord, ChunkStore, NewChunk } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { ChunkHeader } from '../ports/sealed-chunk.ts'
import { recordsAmong } from './document-reading.ts'
import type { SummaryDelta } from './summary.ts'
import { packIds, unpackIds } from './sync-records.ts'

export const RETIRED_KEPT_MS: number = 30 * DAY_MS
export const DOUBTED_PREFIX = 'doubted/'

export interface Retired {
  /** Milliseconds since 1970 on the relay's clock. */
  readonly at: number
  /** The fragments that were said to contain it. */
  readonly keep: readonly ChunkId[]
  readonly chunks: readonly { readonly id: ChunkId; readonly arrival: number }[]
}

export interface RetireRequest {
  readonly docTag: DocTag
  readonly ids: readonly ChunkId[]
  readonly keep: readonly ChunkId[]
  /** Milliseconds since 1970. */
  readonly at: number
}

/** The part of a batch that this is about. */
export interface RetireDraft {
  readonly put: ReadonlyMap<ChunkId, NewChunk>
  readonly remove: Map<ChunkId, ChunkRecord>
  readonly records: Map<string, Uint8Array | undefined>
  readonly delta: Pick<SummaryDelta, 'add' | 'remove'>
  /** What changes of stored chunks: whether they count. */
  readonly live: Map<ChunkId, { readonly record: ChunkRecord; readonly live: boolean }>
  /** Variants that a peer could not open, as of doubtOf; `undefined`: no more. */
  readonly doubts: Map<ChunkId, Uint8Array | undefined>
}

/** Believed only while every fragment of `keep` is here, counts and is not doubted. */
export async function retireIn(
  batch: RetireDraft,
  store: ChunkStore,
  { docTag, ids, keep, at }: RetireRequest,
  isDoubted: (id: ChunkId) => boolean,
): Promise<void> {
  const held = await recordsAmong(store, docTag, [...ids, ...keep])
  const isKept = (id: ChunkId): boolean => {
    const chunk = batch.put.get(id) ?? held.get(id)
    return chunk?.class === 'fragment' && chunk.docTag === docTag && chunk.live && !isDoubted(id)
  }
  if (keep.length === 0 || !keep.every(isKept)) return
  const kept = new Set(keep)
  const chunks = [...new Set(ids)].flatMap(id => {
    const record = held.get(id)
    const isFree = record !== undefined && !batch.put.has(id) && !batch.remove.has(id) && !batch.live.has(id)
    const isContent = (record?.class === 'commit' || record?.class === 'fragment') && record.docTag === docTag
    return isFree && isContent && record.live && !kept.has(id) ? [record] : []
  })
  if (chunks.length === 0) return
  for (const record of chunks) {
    batch.live.set(record.id, { record, live: false })
    batch.delta.remove(record)
  }
  const retired = { at, keep, chunks }
  batch.records.set(retiredKey(docTag, retired), encodeRetired(retired))
}

/** Notes the variant, and brings back what it was said to contain. */
export async function doubtIn(batch: RetireDraft, store: ChunkStore, chunk: ChunkHeader, doubt: Uint8Array): Promise<void> {
  if (batch.put.has(chunk.id)) return // other bytes are on their way to disk with this very batch
  batch.doubts.set(chunk.id, doubt)
  batch.records.set(DOUBTED_PREFIX + chunk.id, doubt)
  if (chunk.class !== 'fragment') return
  for await (const [key, value] of store.listRecords(retiredPrefix(chunk.docTag))) {
    const retired = decodeRetired(value)
    if (retired === undefined || !retired.keep.includes(chunk.id)) continue
    batch.records.set(key, undefined)
    for (const { id, arrival } of retired.chunks) {
      const head = await store.head(id)
      if (head === undefined || !isStillRetired(head, arrival) || batch.put.has(id) || batch.remove.has(id)) continue
      batch.live.set(id, { record: head, live: true })
      batch.delta.add(head)
    }
  }
}

/** What is noted of a variant: who alone says that it does not open may not say what does. */
export function doubtOf(bytesHash: Uint8Array, peer: DeviceId, hasher: Hasher): Uint8Array {
  return concatBytes(bytesHash, hasher.sha256(utf8(peer)))
}

/** What is noted once another says so too; `undefined` when that changes nothing. */
export function doubtAgain(doubt: Uint8Array, peer: DeviceId, hasher: Hasher): Uint8Array | undefined {
  return isDoubtOf(peer, hasher)(doubt) || doubt.length === HASH_BYTES ? undefined : doubt.slice(0, HASH_BYTES)
}

export function isDoubtedVariant(doubt: Uint8Array, bytes: Uint8Array, hasher: Hasher): boolean {
  return equalBytes(doubt.subarray(0, HASH_BYTES), hasher.sha256(bytes))
}

/** Whether nobody but this peer says so. */
export function isDoubtOf(peer: DeviceId, hasher: Hasher): (doubt: Uint8Array) => boolean {
  const name = hasher.sha256(utf8(peer))
  return doubt => doubt.length > HASH_BYTES && equalBytes(doubt.subarray(HASH_BYTES), name)
}

export function retiredPrefix(docTag: DocTag): string {
  return `${RETIRED_PREFIX}${docTag}/`
}

export function retiredKey(docTag: DocTag, { at, chunks }: Retired): string {
  return `${retiredPrefix(docTag)}${String(at).padStart(15, '0')}/${chunks[0]?.id ?? ''}`
}

export function encodeRetired({ at, keep, chunks }: Retired): Uint8Array {
  return encodeCbor({ at, keep: packIds(keep), chunks: concatBytes(...chunks.map(packChunk)) })
}

/** `undefined` for what is none: a record of a later version stays as it is. */
export function decodeRetired(bytes: Uint8Array): Retired | undefined {
  const read = decodeCbor(RETIRED, bytes, MIB)
  if (!read.ok) return undefined
  const view = new DataView(read.value.chunks.buffer, read.value.chunks.byteOffset, read.value.chunks.length)
  const chunks = unpackIds<ChunkId>(read.value.chunks, CHUNK_BYTES).map((packed, i) => ({
    id: packed.slice(0, 2 * CHUNK_ID_BYTES) as ChunkId,
    arrival: Number(view.getBigUint64(i * CHUNK_BYTES + CHUNK_ID_BYTES)),
  }))
  return { at: read.value.at, keep: unpackIds<ChunkId>(read.value.keep, CHUNK_ID_BYTES), chunks }
}

/** The records of what was retired before `before`. */
export async function expiredKeys(store: ChunkStore, before: number): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const [key] of store.listRecords(RETIRED_PREFIX)) {
    const at = Number.parseInt(key.split('/')[2] ?? '', 10)
    if (at < before) keys.push(key)
  }
  return keys
}

/** Takes out what one record names, unless it came again since. */
export async function expireIn(batch: RetireDraft, store: ChunkStore, key: string): Promise<void> {
  const value = await store.getRecord(key)
  const retired = value === undefined ? undefined : decodeRetired(value)
  if (retired === undefined) return
  batch.records.set(key, undefined)
  for (const { id, arrival } of retired.chunks) {
    const head = await store.head(id)
    if (head === undefined || !isStillRetired(head, arrival) || batch.put.has(id) || batch.live.has(id)) continue
    batch.remove.set(id, head)
  }
}

/** What this batch retires. */
export function retiredOf({ live }: RetireDraft): readonly ChunkRecord[] {
  return [...live.values()].flatMap(each => (each.live ? [] : [each.record]))
}

function isStillRetired(head: ChunkRecord | undefined, arrival: number): boolean {
  return head !== undefined && !head.live && head.arrival === arrival
}

const RETIRED_PREFIX = 'retired/'
const CHUNK_BYTES: number = CHUNK_ID_BYTES + 8
const HASH_BYTES = 32

const RETIRED = v.object({ at: wholeNumber, keep: bytesUpTo(MIB), chunks: bytesUpTo(MIB) })

function packChunk({ id, arrival }: { readonly id: ChunkId; readonly arrival: number }): Uint8Array {
  const packed = new Uint8Array(CHUNK_BYTES)
  packed.set(idBytes(id))
  new DataView(packed.buffer).setBigUint64(CHUNK_ID_BYTES, BigInt(arrival))
  return packed
}
