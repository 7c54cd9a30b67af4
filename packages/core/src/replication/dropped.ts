/**
 * Documents that the group deleted: what is held of them counts no more, is offered to nobody and goes after RETIRED_KEPT_MS; what comes
 * of them later is refused, for good.
 *
 *     dropped/<docTag>                            milliseconds since 1970 here, u64
 *     retired/<docTag>/<milliseconds>/<first id>  as in retired.ts, contained in nothing
 *
 * A replica without keys does it when a member of its mailbox says so: it cannot know documents, nor whether one was deleted. So a
 * member could have it drop what nobody deleted; that is why nothing goes at once, and why a device believes nobody.
 */
import { fromHex } from '../lib/bytes.ts'
import { GROUP_DOC_TAG, type DocTag } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import { fragmentsMarker } from './covers.ts'
import { decodeRetired, encodeRetired, retiredKey, retiredPrefix, type RetireDraft } from './retired.ts'
import { snapshotKey } from './serving.ts'
import { slicesOf } from './sync-records.ts'

export type DropDraft = Pick<RetireDraft, 'records' | 'delta' | 'live'>

export async function openDropped(store: ChunkStore): Promise<Set<DocTag>> {
  const dropped = new Set<DocTag>()
  for await (const [key] of store.listRecords(DROPPED_PREFIX)) dropped.add(key.slice(DROPPED_PREFIX.length) as DocTag)
  return dropped
}

/** For a batch with nothing else in it. */
export async function dropIn(batch: DropDraft, store: ChunkStore, docTag: DocTag, at: number): Promise<void> {
  if (docTag === GROUP_DOC_TAG) return // the log and what is group-wide are no document
  batch.records.set(DROPPED_PREFIX + docTag, fromHex(at.toString(16).padStart(16, '0')))
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

const DROPPED_PREFIX = 'dropped/'
const MAX_IN_RECORD = 8_192
