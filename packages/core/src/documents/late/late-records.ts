/**
 * What this device found about suspect chunks, kept between runs. Up to `settledTo` every suspect chunk was looked at, and all were taken
 * but those that a document's record lists; a document may be further than that. Small: a document without a waiting chunk, of which
 * nothing is listed, soon has no record of its own.
 *
 *     late/<group>/settled      CBOR {v: 1, upTo}
 *     late/<group>/docs/<tag>   CBOR {v: 1, document 16, upTo, waiting: [chunk id 32]}
 *     late/<group>/kept         CBOR {v: 1, removals: [entry id 32]}: every keep for these is written
 */
import * as v from 'valibot'
import { bytesOf, decodeCbor, encodeCbor, wholeNumber } from '../../lib/codec.ts'
import { hexId, idBytes, type ChunkId, type DocTag, type EntryId, type GroupId } from '../../lib/ids.ts'
import type { RecordStore } from '../../ports/record-store.ts'

export interface LateDocument {
  /** 16 raw bytes. */
  readonly document: Uint8Array
  readonly upTo: number
  /** Not taken, or not all that is in them. */
  readonly waiting: ReadonlySet<ChunkId>
}

export interface LateRecords {
  settledTo(): number
  /** Those with a record. */
  readonly documents: ReadonlyMap<DocTag, LateDocument>
  put(tag: DocTag, document: LateDocument): Promise<void>
  /** Everything up to this was looked at; records that say nothing more than that go, but for those of documents of which something is listed. */
  settle(upTo: number, isListed: (tag: DocTag) => boolean): Promise<void>
  isKept(removal: EntryId): boolean
  kept(removals: readonly EntryId[]): Promise<void>
}

export async function openLateRecords(records: RecordStore, group: GroupId): Promise<LateRecords> {
  const prefix = `late/${group}/`
  const settled = decodeCbor(SETTLED, (await records.get(`${prefix}settled`)) ?? NOTHING, MAX_RECORD_BYTES)
  const done = decodeCbor(KEPT, (await records.get(`${prefix}kept`)) ?? NOTHING, MAX_RECORD_BYTES)
  const documents = new Map<DocTag, LateDocument>()
  for await (const [key, value] of records.list(`${prefix}docs/`)) {
    const read = decodeCbor(DOCUMENT, value, MAX_RECORD_BYTES)
    if (!read.ok) continue // damaged: looked at again
    const { document, upTo, waiting } = read.value
    documents.set(key.slice(`${prefix}docs/`.length) as DocTag, {
      document,
      upTo,
      waiting: new Set(waiting.map(id => hexId<ChunkId>(id))),
    })
  }
  let settledTo = settled.ok ? settled.value.upTo : 0
  let keptFor: readonly EntryId[] = done.ok ? done.value.removals.map(id => hexId<EntryId>(id)) : []
  return {
    settledTo: () => settledTo,
    documents,
    async put(tag, { document, upTo, waiting }) {
      documents.set(tag, { document, upTo, waiting })
      const value = encodeCbor({ v: 1, document, upTo, waiting: [...waiting].map(idBytes) })
      await records.write(new Map([[`${prefix}docs/${tag}`, value]]))
    },
    async settle(upTo, isListed) {
      if (upTo <= settledTo) return
      settledTo = upTo
      const changes = new Map<string, Uint8Array | undefined>([[`${prefix}settled`, encodeCbor({ v: 1, upTo })]])
      for (const [tag, document] of documents) {
        if (document.waiting.size > 0 || document.upTo > upTo || isListed(tag)) continue
        documents.delete(tag)
        changes.set(`${prefix}docs/${tag}`, undefined)
      }
      await records.write(changes)
    },
    isKept: removal => keptFor.includes(removal),
    async kept(removals) {
      keptFor = removals
      await records.write(new Map([[`${prefix}kept`, encodeCbor({ v: 1, removals: removals.map(idBytes) })]]))
    },
  }
}

const NOTHING = new Uint8Array()
const MAX_RECORD_BYTES = 2 ** 26
const SETTLED = v.strictObject({ v: v.literal(1), upTo: wholeNumber })
const DOCUMENT = v.strictObject({ v: v.literal(1), document: bytesOf(16), upTo: wholeNumber, waiting: v.array(bytesOf(32)) })
const KEPT = v.strictObject({ v: v.literal(1), removals: v.array(bytesOf(32)) })
