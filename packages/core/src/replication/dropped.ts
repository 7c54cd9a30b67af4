/**
 * Documents that the group deleted: what is held of them counts no more, is offered to nobody and goes after RETIRED_KEPT_MS; what comes
 * of them later is refused, for good.
 *
 *     dropped/<docTag>                            milliseconds since 1970 here, u64; the last arrival then, u64
 *     retired/<docTag>/<milliseconds>/<first id>  as in retired.ts, contained in nothing
 *
 * A replica without keys does it when a member of its mailbox says so: it cannot know documents, nor whether one was deleted. So a
 * member could have it drop what nobody deleted; that is why nothing goes at once, why a device believes nobody, and why devices are told
 * what was dropped: one that knows of no deletion takes it back.
 */
import { fromHex } from '../lib/bytes.ts'
import type { DocTag } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
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

/** For a batch with nothing else in it. */
export async function dropIn(batch: DropDraft, store: ChunkStore, docTag: DocTag, { at, arrival }: DroppedSince): Promise<void> {
  batch.records.set(DROPPED_PREFIX + docTag, fromHex([at, arrival].map(number => number.toString(16).padStart(16, '0')).join('')))
  batch.records.set(snapshotKey(docTag), undefined)
  batch.records.set(fragmentsMarker(docTag), undefined)
  const held = (await store.listDocument(docTag)).filter(record => record.live && record.class !== 'log')
  for (const record of held) {
    batch.live.set(record.id, { record, live: false })
    batch.delta.remove(record)
  }
  for (const chunks of slicesOf(held, MAX_IN_RECORD)) {
    const retired = { at, keep: [], chunks }
    batch.records.set(retiredKey(docTag, retired), encodeRetired(retired))
  }
}

/** Brings back what is still there of it. */
export async function undropIn(batch: DropDraft, store: ChunkStore, docTag: DocTag): Promise<void> {
  batch.records.set(DROPPED_PREFIX + docTag, undefined)
  let hasFragments = false
  for await (const [key, value] of store.listRecords(retiredPrefix(docTag))) {
    const retired = decodeRetired(value)
    if (retired === undefined || retired.keep.length > 0) continue // contained in fragments: that is another matter
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
}

/** 0 where an earlier version wrote nothing. */
function numberIn(value: Uint8Array, at: number): number {
  return value.length < at + 8 ? 0 : Number(new DataView(value.buffer, value.byteOffset).getBigUint64(at))
}

const DROPPED_PREFIX = 'dropped/'
const MAX_IN_RECORD = 8_192
