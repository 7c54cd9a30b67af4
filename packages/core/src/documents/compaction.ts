/**
 * Compaction: 20,000 one-letter changes are 2.2 MB of commits, or 76 fragments of 20 KB and 300 loose commits. Fragments are
 * made in the worker, of what is not in one yet; replication then drops the commits they cover.
 */
import * as A from '@automerge/automerge'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { KnownFragments } from '../ports/worker.ts'
import type { FragmentCover } from '../replication/index.ts'
import type { ChunkId } from '../lib/ids.ts'
import type { DocumentsContext } from './context.ts'
import { fragmentContentKey, fragmentKey } from './content-keys.ts'
import { coverOf, readFragment } from './fragments.ts'
import type { DocumentName } from './stored-document.ts'
import type { AnyDoc } from './any-doc.ts'

/** The ids of the fragments made of `doc`, durable and handed on. */
export async function compactDocument(context: DocumentsContext, name: DocumentName, doc: AnyDoc): Promise<readonly ChunkId[]> {
  const { replica, sealer, worker, logger, hasher } = context
  const saved = A.save(doc)
  const built = await worker.buildFragments(saved, await heldFragments(context, name))
  const chunks: SealedChunk[] = []
  const covers = new Map<ChunkId, FragmentCover>()
  for (const { bundle, ...contents } of built) {
    try {
      const chunk = sealer.seal({
        class: 'fragment',
        documentId: name.bytes,
        contentKey: fragmentContentKey(contents, hasher),
        content: bundle,
      })
      chunks.push(chunk)
      covers.set(chunk.id, coverOf(sealer, name.bytes, contents))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      logger.warn('fragment-too-large', { bytes: bundle.length }) // its commits stay as they are
    }
  }
  if (chunks.length > 0) await replica.add(chunks, { covers })
  return chunks.map(chunk => chunk.id)
}

async function heldFragments(context: DocumentsContext, name: DocumentName): Promise<KnownFragments> {
  const records = await context.chunkStore.listDocument(name.tag)
  const keys: string[] = []
  const tails: string[] = []
  for (const { id } of records.filter(record => record.class === 'fragment')) {
    const chunk = await context.chunkStore.get(id)
    const opened = chunk === undefined ? undefined : context.sealer.open(chunk)
    if (!opened?.ok) continue
    const contents = await readFragment(context.worker, opened.value.content)
    keys.push(fragmentKey(contents))
    if (contents.level === 0) tails.push(...contents.members)
  }
  return { keys, tails }
}
