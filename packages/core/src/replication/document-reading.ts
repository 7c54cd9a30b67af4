/** Reading what is held of a document without having all of it in memory: a document may be as long as an account's quota. */
import type { ChunkId, DocTag } from '../lib/ids.ts'
import type { ChunkRecord, ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import { addUp } from './summary.ts'

export type Reading = Pick<ChunkStore, 'document' | 'head'>

/** The sum of the live ones among a document's chunks. */
export async function sumOfDocument(store: Pick<Reading, 'document'>, docTag: DocTag, hasher: Hasher): Promise<bigint> {
  const total = addUp(hasher)
  for await (const record of store.document(docTag)) if (record.live) total.add(record)
  return total.sum()
}

/** The live chunks of a document, a piece at a time, if their sum is another than that. */
export async function* liveUnless(
  store: Pick<Reading, 'document'>,
  docTag: DocTag,
  sum: bigint,
  hasher: Hasher,
  pieceLength: number = PIECE,
): AsyncIterable<readonly ChunkRecord[]> {
  const total = addUp(hasher)
  const first: ChunkRecord[] = []
  let isMore = false
  for await (const record of store.document(docTag)) {
    if (!record.live) continue
    total.add(record)
    isMore = first.length === pieceLength
    if (!isMore) first.push(record)
  }
  if (total.sum() === sum) return
  if (!isMore) return void (first.length > 0 && (yield first))
  let piece: ChunkRecord[] = []
  for await (const record of store.document(docTag)) {
    if (record.live) piece.push(record)
    if (piece.length < pieceLength) continue
    yield piece
    piece = []
  }
  if (piece.length > 0) yield piece
}

/** Those of the ids that are held: by point reads where they are few, else by one reading of the document. */
export async function recordsAmong(store: Reading, docTag: DocTag, ids: readonly ChunkId[]): Promise<ReadonlyMap<ChunkId, ChunkRecord>> {
  const found = new Map<ChunkId, ChunkRecord>()
  if (ids.length <= FEW) {
    for (const record of await Promise.all(ids.map(id => store.head(id)))) if (record !== undefined) found.set(record.id, record)
    return found
  }
  const wanted = new Set(ids)
  for await (const record of store.document(docTag)) if (wanted.has(record.id)) found.set(record.id, record)
  return found
}

const FEW = 32
const PIECE = 8_192
