/**
 * A document read from the store: its snapshot, then what arrived after it, fragments before commits, in one batch. Chunks
 * that fragments held here cover are not read. The actor is fresh and random each time: a reused (actor, seq) splits a
 * document for good.
 */
import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import { toHex } from '../lib/bytes.ts'
import type { ChunkId, DocTag } from '../lib/ids.ts'
import type { ChunkRecord } from '../ports/chunk-store.ts'
import type { Random } from '../ports/random.ts'
import { applyContents, type OpenedContent } from './apply-contents.ts'
import type { DocumentsContext } from './context.ts'
import { openSnapshot } from './snapshot.ts'
import type { AnyDoc } from './any-doc.ts'

export interface DocumentName {
  readonly id: DocumentId
  /** The 16 raw bytes of `id`. */
  readonly bytes: Uint8Array
  readonly tag: DocTag
}

export interface StoredDocument {
  /** `save()` of the snapshot, and the document it gives, under a fresh actor; neither without a snapshot. */
  readonly saved: Uint8Array | undefined
  readonly base: AnyDoc | undefined
  /** What came after it. */
  readonly contents: readonly OpenedContent[]
  /** Every commit and fragment in the store that arrived up to this number is in the two; later ones that could not be read, or are held back, are not. */
  readonly arrival: number
}

type Context = Pick<DocumentsContext, 'replica' | 'keyring' | 'chunkStore' | 'sealer' | 'random' | 'logger' | 'gate'>

export async function readStored(context: Context, name: DocumentName): Promise<StoredDocument> {
  const { replica, keyring } = context
  const sealed = await replica.getSnapshot(name.tag)
  const snapshot = sealed === undefined ? undefined : openSnapshot(sealed, name.bytes, keyring)
  const base = snapshot?.replica === replica.id ? tryLoad(snapshot.saved, context) : undefined
  const { contents, unread, last } = await readContents(context, name.tag, base === undefined ? 0 : (snapshot?.arrival ?? 0))
  const arrival = unread === undefined ? last : Math.min(last, unread - 1)
  return { saved: base === undefined ? undefined : snapshot?.saved, base, contents, arrival }
}

/**
 * `present` with what was stored, changes that still lack a dependency included (a merge would leave those out): those that wait in
 * `present` as well, for what arrived a moment ago is not in the store yet. A document without any content is continued under a fresh actor.
 */
export function withStored(context: Context, present: AnyDoc | undefined, stored: StoredDocument): AnyDoc {
  const { saved, base, contents } = stored
  const isEmpty = present === undefined || A.getHeads(present).length === 0
  const isNew = present === undefined || (isEmpty && A.getMissingDeps(present, []).length === 0)
  const doc = isNew
    ? (base ?? A.init({ actor: freshActor(context.random) }))
    : saved === undefined
      ? present
      : A.loadIncremental(present, saved)
  const setAside = (content: OpenedContent, reason: unknown): void =>
    context.logger.warn('chunk-set-aside', { chunk: content.id, reason: String(reason) })
  const afresh = (): AnyDoc => (saved === undefined ? undefined : tryLoad(saved, context)) ?? A.init({ actor: freshActor(context.random) })
  return applyContents(doc, contents, setAside, isEmpty ? afresh : undefined)
}

/** 16 random bytes, hex. */
export function freshActor(random: Random): string {
  return toHex(random.bytes(16))
}

const READ_BATCH = 256

function tryLoad(saved: Uint8Array, { random, logger }: Context): AnyDoc | undefined {
  try {
    return A.load(saved, { actor: freshActor(random) })
  } catch (error) {
    logger.warn('snapshot-unusable', { reason: String(error) })
    return undefined
  }
}

interface Contents {
  readonly contents: readonly OpenedContent[]
  /** The least arrival number of a chunk that could not be read yet. */
  readonly unread: number | undefined
  readonly last: number
}

async function readContents(context: Context, tag: DocTag, since: number): Promise<Contents> {
  const contents: OpenedContent[] = []
  const seen = new Set<ChunkId>()
  let unread: number | undefined
  let last = since
  let readCoveredToo = false
  // Compaction may replace chunks between the list and the reading, and what an unreadable fragment covers must be read by
  // itself: so look again until the list has nothing new.
  for (;;) {
    const records = (await context.chunkStore.listDocument(tag)).filter(record => isContent(record) && record.arrival > since)
    const wanted = records.filter(record => !seen.has(record.id) && (record.live || readCoveredToo))
    last = Math.max(last, records.at(-1)?.arrival ?? 0)
    for (const record of wanted.filter(each => context.gate?.isHeldBack(each))) {
      seen.add(record.id)
      unread = Math.min(unread ?? record.arrival, record.arrival)
      readCoveredToo ||= record.class === 'fragment'
    }
    if (wanted.length === 0) return { contents, unread, last }
    for (let at = 0; at < wanted.length; at += READ_BATCH) {
      const batch = wanted.slice(at, at + READ_BATCH).filter(({ id }) => !seen.has(id))
      for (const record of batch) seen.add(record.id)
      const chunks = await context.chunkStore.getMany(batch.map(record => record.id))
      if (chunks.length < batch.length) readCoveredToo = true
      for (const chunk of chunks) {
        const opened = context.sealer.open(chunk)
        if (opened?.ok) {
          contents.push({ id: chunk.id, class: chunk.class as OpenedContent['class'], bytes: opened.value.content })
          continue
        }
        readCoveredToo = true
        unread = Math.min(unread ?? chunk.arrival, chunk.arrival)
        if (opened !== undefined) context.logger.warn('stored-chunk-unusable', { chunk: chunk.id, reason: opened.error })
      }
    }
  }
}

export function isContent(record: Pick<ChunkRecord, 'class'>): boolean {
  return record.class === 'commit' || record.class === 'fragment'
}
