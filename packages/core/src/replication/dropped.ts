/**
 * Documents that the group deleted: what is held of them counts no more, is offered to nobody and goes after RETIRED_KEPT_MS; what comes
 * of them later is refused, for good.
 *
 *     dropped/<docTag>                            milliseconds since 1970 here, u64; the last arrival then, u64
 *     dropping/<docTag>                           0, the last arrival that was dropped, u64; or 1: it is being brought back
 *     retired/<docTag>/<milliseconds>/<first id>  as in retired.ts, contained in nothing
 *
 * A replica without keys does it when a member of its mailbox says so: it cannot know documents, nor whether one was deleted. So a
 * member could have it drop what nobody deleted; that is why nothing goes at once, why a device believes nobody, and why devices are told
 * what was dropped: one that knows of no deletion takes it back.
 */
import { concatBytes, fromHex } from '../lib/bytes.ts'
import type { DocTag } from '../lib/ids.ts'
import type { ChunkRecord, ChunkStore } from '../ports/chunk-store.ts'
import { fragmentsMarker } from './covers.ts'
import { decodeRetired, encodeRetired, RETIRED_KEPT_MS, retiredKey, retiredPrefix, type RetireDraft } from './retired.ts'
import { snapshotKey } from './serving.ts'
import { slicesOf } from './sync-records.ts'

export type DropDraft = Pick<RetireDraft, 'records' | 'delta' | 'live'>

/** Since when it is: milliseconds since 1970, and the last arrival then. */
export interface DroppedSince {
  readonly at: number
  readonly arrival: number
}

export async function openDropped(store: ChunkStore): Promise<Map<DocTag, DroppedSince>> {
  const dropped = new Map<DocTag, DroppedSince>()
  for await (const [key, value] of store.listRecords(DROPPED_PREFIX)) {
    dropped.set(key.slice(DROPPED_PREFIX.length) as DocTag, { at: numberIn(value, 0), arrival: numberIn(value, 8) })
  }
  return dropped
}

/**
 * Those that a peer who had everything up to `arrival` has not been told of, while they can still be brought back. What was dropped right
 * there it had: it offers that, or has dropped it too.
 */
export function droppedSince(dropped: ReadonlyMap<DocTag, DroppedSince>, arrival: number, now: number): readonly DocTag[] {
  return [...dropped].flatMap(([docTag, since]) => (since.arrival > arrival && since.at > now - RETIRED_KEPT_MS ? [docTag] : []))
}

/** For a batch with nothing else in it. A document may be longer than one batch should be: then it is to be done again (see `isMoving`). */
export async function dropIn(batch: DropDraft, store: ChunkStore, docTag: DocTag, { at, arrival }: DroppedSince): Promise<void> {
  batch.records.set(DROPPED_PREFIX + docTag, packNumbers(at, arrival))
  batch.records.set(snapshotKey(docTag), undefined)
  batch.records.set(fragmentsMarker(docTag), undefined)
  const begun = await store.getRecord(MOVING_PREFIX + docTag)
  let last = begun === undefined || begun[0] !== DROPPING ? 0 : numberIn(begun, 1)
  let isMore = false
  const held: ChunkRecord[] = []
  for await (const record of store.document(docTag, last)) {
    if (!record.live || record.class === 'log') continue
    isMore = batch.live.size >= MAX_AT_ONCE
    if (isMore) break
    last = record.arrival
    held.push(record)
    batch.live.set(record.id, { record, live: false })
    batch.delta.remove(record)
  }
  for (const chunks of slicesOf(held, MAX_IN_RECORD)) {
    const retired = { at, keep: [], chunks }
    batch.records.set(retiredKey(docTag, retired), encodeRetired(retired))
  }
  batch.records.set(MOVING_PREFIX + docTag, isMore ? concatBytes(new Uint8Array([DROPPING]), packNumbers(last)) : undefined)
}

/** Brings back what is still there of it; as `dropIn`. */
export async function undropIn(batch: DropDraft, store: ChunkStore, docTag: DocTag): Promise<void> {
  let hasFragments = false
  let isMore = false
  for await (const [key, value] of store.listRecords(retiredPrefix(docTag))) {
    const retired = decodeRetired(value)
    if (retired === undefined || retired.keep.length > 0) continue // contained in fragments: that is another matter
    isMore = batch.live.size >= MAX_AT_ONCE
    if (isMore) break
    batch.records.set(key, undefined)
    for (const { id, arrival } of retired.chunks) {
      const head = await store.head(id)
      if (head === undefined || head.live || head.arrival !== arrival) continue
      hasFragments ||= head.class === 'fragment'
      batch.live.set(id, { record: head, live: true })
      batch.delta.add(head)
    }
  }
  if (hasFragments) batch.records.set(fragmentsMarker(docTag), new Uint8Array([1]))
  if (!isMore) batch.records.set(DROPPED_PREFIX + docTag, undefined)
  batch.records.set(MOVING_PREFIX + docTag, isMore ? new Uint8Array([UNDROPPING]) : undefined)
}

/** Which of these are only half dropped, or half brought back. */
export async function stillMoving(store: Pick<ChunkStore, 'getRecord'>, docTags: readonly DocTag[], way: Way): Promise<readonly DocTag[]> {
  const moving: DocTag[] = []
  for (const docTag of docTags) if ((await store.getRecord(MOVING_PREFIX + docTag))?.[0] === CODES[way]) moving.push(docTag)
  return moving
}

/** What a run before did not come to the end of. */
export async function leftMoving(store: Pick<ChunkStore, 'listRecords'>, way: Way): Promise<readonly DocTag[]> {
  const moving: DocTag[] = []
  for await (const [key, value] of store.listRecords(MOVING_PREFIX))
    if (value[0] === CODES[way]) moving.push(key.slice(MOVING_PREFIX.length) as DocTag)
  return moving
}

export type Way = 'drop' | 'undrop'

/** 0 where an earlier version wrote nothing. */
function numberIn(value: Uint8Array, at: number): number {
  return value.length < at + 8 ? 0 : Number(new DataView(value.buffer, value.byteOffset).getBigUint64(at))
}

function packNumbers(...numbers: readonly number[]): Uint8Array {
  return fromHex(numbers.map(number => number.toString(16).padStart(16, '0')).join(''))
}

const DROPPED_PREFIX = 'dropped/'
const MOVING_PREFIX = 'dropping/'
const [DROPPING, UNDROPPING] = [0, 1]
const CODES: Readonly<Record<Way, number>> = { drop: DROPPING, undrop: UNDROPPING }
const MAX_IN_RECORD = 8_192
/** Chunks in one batch, of all documents in it. */
export const MAX_AT_ONCE = 4_096
