/**
 * Documents that are not kept on this device while others keep them: their chunks go in the very batch that says so, what comes of them is
 * not taken, and peers are told, so that both leave them out of what they compare. So a crash leaves a document wholly here or wholly left
 * out.
 *
 *     omitted/<docTag>   one byte
 *
 * One that is taken back is like one never seen: it comes whole from others.
 */
import { GROUP_DOC_TAG, type DocTag } from '../lib/ids.ts'
import type { ChunkRecord, ChunkStore } from '../ports/chunk-store.ts'
import { fragmentsMarker } from './covers.ts'
import { snapshotKey } from './serving.ts'

export interface LeavingDraft {
  readonly records: Map<string, Uint8Array | undefined>
}

export async function openLeftOut(store: ChunkStore): Promise<Set<DocTag>> {
  const leftOut = new Set<DocTag>()
  for await (const [key] of store.listRecords(OMITTED_PREFIX)) leftOut.add(key.slice(OMITTED_PREFIX.length) as DocTag)
  return leftOut
}

/** For a batch with nothing else in it. `remove` takes a chunk out of it all: the store, the summary, what is unchecked. */
export async function leavingIn(
  batch: LeavingDraft,
  store: ChunkStore,
  { docTag, isLeftOut }: { readonly docTag: DocTag; readonly isLeftOut: boolean },
  remove: (record: ChunkRecord) => void,
): Promise<void> {
  if (docTag === GROUP_DOC_TAG) return // the log and what is group-wide are no document
  if (!isLeftOut) return void batch.records.set(OMITTED_PREFIX + docTag, undefined)
  batch.records.set(OMITTED_PREFIX + docTag, new Uint8Array([1]))
  batch.records.set(snapshotKey(docTag), undefined)
  batch.records.set(fragmentsMarker(docTag), undefined)
  for (const record of await store.listDocument(docTag)) remove(record)
}

const OMITTED_PREFIX = 'omitted/'
