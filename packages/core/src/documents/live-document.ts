/**
 * One document in memory: its handle, kept equal with its chunks. Local changes go out through the chunker as they happen;
 * chunks from others come in through the materialiser.
 */
import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import type { ChunkId } from '../lib/ids.ts'
import { createSubject, type Observable } from '../lib/observable.ts'
import { SECOND_MS } from '../lib/units.ts'
import type { ChunkRecord } from '../ports/chunk-store.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { applyContents, type OpenedContent } from './apply-contents.ts'
import { createChunker } from './chunker.ts'
import { createClaims } from './claims.ts'
import type { DocumentsContext } from './context.ts'
import type { DocumentState } from './documents-interface.ts'
import { createMaterialiser } from './materialiser.ts'
import { createPreparation } from './preparation.ts'
import { sealSnapshot } from './snapshot.ts'
import { isContent, readStored, withStored, type DocumentName } from './stored-document.ts'
import type { AnyDoc } from './any-doc.ts'

export interface LiveDocument {
  readonly name: DocumentName
  readonly handle: DocHandle<unknown>
  readonly state: Observable<DocumentState>
  /** Counts up whenever the heads changed. */
  readonly version: Observable<number>
  /** Monotonic time of the last change or call of `touch`. */
  readonly usedAt: () => number
  touch(): void
  /** Reads what the store has into the handle, once; what arrives meanwhile waits. Rejects when the store cannot be read. */
  load(): Promise<void>
  /** The store again, for chunks whose key was missing. */
  reread(): Promise<void>
  receive(chunks: readonly SealedChunk[]): void
  /** These are being checked: applied to a copy, which counts for nothing before they come by `receive`. */
  prepare(chunks: readonly SealedChunk[]): void
  /** Looks again at what is held back, once loaded. */
  judge(): Promise<void>
  /** Whether a stored chunk is in the document already. */
  has(record: Pick<ChunkRecord, 'id' | 'arrival'>): boolean
  /** Undefined while nothing is there. */
  doc(): AnyDoc | undefined
  /** Chunks that this device made of the document as it stands (fragments). */
  noteContained(ids: readonly ChunkId[]): void
  flush(): Promise<void>
  /** Writes a snapshot when opening would otherwise have to open many chunks. */
  snapshot(): Promise<void>
  /** Detaches from the handle and unloads it. Nothing is captured after this. */
  close(): void
  /** Commits captured or arrived since `compacted` was called last. */
  readonly loose: () => number
  compacted(): void
}

export function createLiveDocument(
  context: DocumentsContext,
  name: DocumentName,
  handle: DocHandle<unknown>,
  options: { readonly onIdle: () => void },
): LiveDocument {
  const { replica, chunkStore, keyring, sealer, clock, random, logger, hasher } = context
  const state = createSubject<DocumentState>('closed')
  const version = createSubject(0)
  /** In the document, arrived or made since `arrival`. */
  const contained = new Set<ChunkId>()
  let arrival = 0
  let opened = 0
  let loose = 0
  let usedAt = clock.monotonic()
  let loading: Promise<void> | undefined
  let isClosed = false
  let cancelIdle: (() => void) | undefined

  const doc = (): AnyDoc | undefined => (handle.isReady() ? handle.doc() : undefined)
  /** As it was put into the handle last: also while there is only what waits for its dependencies, and the handle is not ready. */
  let latest: AnyDoc | undefined
  const claims = createClaims(context, name)
  const chunker = createChunker({
    documentId: name.bytes,
    sealer,
    logger,
    hasher,
    add: chunks => replica.add(chunks),
    onCaptured(commit, id, actor) {
      contained.add(id)
      loose++
      claims.note(commit, actor)
    },
  })

  const touch = (): void => {
    usedAt = clock.monotonic()
    cancelIdle?.()
    cancelIdle = clock.after(IDLE_MS, options.onIdle)
  }
  const noteProgress = (): void => {
    const present = doc()
    if (present !== undefined && A.getHeads(present).length > 0 && !isClosed) state.set('open')
    version.set(version.peek() + 1)
  }
  const onHeadsChanged = ({ doc: changed }: { readonly doc: AnyDoc }): void => {
    try {
      chunker.capture(changed)
    } catch (error) {
      logger.error('capture-failed', { reason: String(error) }) // tried again with the next change and by flush
    }
    touch()
    queueMicrotask(noteProgress) // the handle is ready only after this event
  }
  /** A change made by a listener while another is applied runs after it, so what is local is captured first, always. */
  const update = (next: (present: AnyDoc) => AnyDoc): void => {
    handle.update(present => {
      chunker.capture(present)
      const after = next(present)
      chunker.passOver(A.getHeads(after))
      latest = after
      return after
    })
  }

  const openContents = (chunks: readonly SealedChunk[]): readonly OpenedContent[] => {
    const contents: OpenedContent[] = []
    for (const chunk of chunks) {
      if (!isContent(chunk) || contained.has(chunk.id) || context.gate?.passesOver(chunk) === true) continue
      const content = sealer.open(chunk)
      if (content?.ok) contents.push({ id: chunk.id, class: chunk.class as OpenedContent['class'], bytes: content.value.content })
      else if (content !== undefined) logger.warn('arrived-chunk-unusable', { chunk: chunk.id, reason: content.error })
    }
    return contents
  }
  const preparation = createPreparation()
  const materialiser = createMaterialiser({
    clock,
    apply(chunks) {
      const contents = openContents(chunks)
      if (contents.length === 0 || isClosed) return
      const asides = new Set<ChunkId>()
      try {
        update(present => {
          const prepared = preparation.take(present, contents.filter(isBundle))
          const rest = prepared === undefined ? contents : contents.filter(content => !isBundle(content))
          return applyContents(prepared ?? present, rest, (content, reason) => {
            asides.add(content.id)
            logger.warn('chunk-set-aside', { chunk: content.id, reason: String(reason) })
          })
        })
        for (const { id } of contents) if (!asides.has(id)) contained.add(id)
        loose += contents.length
      } catch (error) {
        logger.error('apply-failed', { reason: String(error) })
        readAgain().catch((reason: unknown) => logger.error('document-not-rebuilt', { reason: String(reason) }))
      }
    },
  })
  materialiser.pause()
  handle.on('heads-changed', onHeadsChanged)
  touch()

  const load = async (): Promise<void> => {
    if (doc() === undefined) state.set('opening')
    replica.want([name.tag])
    await read()
    await judge(false)
    if (isClosed) return
    materialiser.resume()
    materialiser.drain()
    noteProgress()
    if (state.peek() !== 'open') state.set('arriving')
  }
  const read = async (): Promise<void> => {
    const stored = await readStored(context, name)
    if (isClosed) return
    arrival = stored.arrival
    opened = stored.contents.length
    for (const { id } of stored.contents) contained.add(id)
    const hasNothingNew = stored.saved === undefined && stored.contents.length === 0
    if (!hasNothingNew || doc() === undefined) update(present => withStored(context, present, stored))
    loose = Math.max(loose, opened)
  }
  const has: LiveDocument['has'] = record => record.arrival <= arrival || contained.has(record.id)
  const judge = async (inAnyCase: boolean): Promise<void> => {
    if (context.gate === undefined || isClosed) return
    const judgement = await context.gate.judge(name, doc() ?? latest ?? A.init(), has, inAnyCase)
    if (judgement === undefined || isClosed) return
    const { contents, whole } = judgement
    try {
      const setAside = (content: OpenedContent, reason: unknown): void =>
        logger.warn('chunk-set-aside', { chunk: content.id, reason: String(reason) })
      if (contents.length > 0) update(present => applyContents(present, contents, setAside))
      for (const id of whole) contained.add(id)
      loose += contents.length
      await context.gate.judged(name, doc() ?? latest ?? A.init(), judgement)
    } catch (error) {
      logger.error('apply-failed', { reason: String(error) })
      await context.gate.judged(name, A.init(), judgement) // what is taken is read again like anything else
      await readAgain()
    }
    noteProgress()
  }
  /** The document in memory is of no use any more. What was changed here was captured before, so the store has all of it once it is written. */
  const readAgain = async (): Promise<void> => {
    const before = loose
    await chunker.flush()
    await replica.settled() // what others made is shown before it is on disk
    const stored = await readStored(context, name)
    if (isClosed) return
    if (loose !== before) return readAgain() // changed here meanwhile
    const rebuilt = withStored(context, undefined, stored)
    arrival = stored.arrival
    opened = stored.contents.length
    chunker.passOver(A.getHeads(rebuilt))
    handle.update(() => rebuilt)
    version.set(version.peek() + 1)
  }
  const flush = async (): Promise<void> => {
    const present = doc()
    if (present !== undefined && !isClosed) chunker.capture(present)
    await chunker.flush()
  }

  return {
    name,
    handle,
    state,
    version,
    usedAt: () => usedAt,
    touch,
    load: () =>
      (loading ??= load().catch((error: unknown) => {
        loading = undefined // the next who asks tries again
        throw error
      })),
    async reread() {
      await loading
      if (!isClosed) await read()
    },
    receive: chunks => materialiser.push(chunks),
    prepare(chunks) {
      const present = doc()
      if (present !== undefined && !isClosed) preparation.begin(present, openContents(chunks).filter(isBundle))
    },
    async judge() {
      await loading
      await judge(true)
    },
    has,
    doc,
    noteContained(ids) {
      for (const id of ids) contained.add(id)
    },
    async flush() {
      await flush()
      await claims.settle()
    },
    async snapshot() {
      const present = doc()
      if (present === undefined || contained.size + opened < SNAPSHOT_CHUNKS || A.getMissingDeps(present, []).length > 0) return
      await flush()
      const records = (await chunkStore.listDocument(name.tag)).filter(isContent)
      const after = doc()
      if (after === undefined) return
      const missing = records.find(record => record.arrival > arrival && !contained.has(record.id))
      const upTo = (missing?.arrival ?? (records.at(-1)?.arrival ?? 0) + 1) - 1
      if (upTo <= arrival && opened === 0) return
      const saved = A.save(after)
      await replica.putSnapshot(
        name.tag,
        sealSnapshot({ documentId: name.bytes, replica: replica.id, arrival: upTo, saved }, keyring, random),
      )
      for (const record of records) if (record.arrival <= upTo) contained.delete(record.id)
      arrival = upTo
      opened = 0
    },
    close() {
      if (isClosed) return
      isClosed = true
      cancelIdle?.()
      materialiser.close()
      preparation.giveUp()
      claims.close()
      handle.removeAllListeners()
      if (!handle.isDeleted()) handle.unload()
      replica.unwant([name.tag])
      state.set('closed')
    },
    loose: () => loose,
    compacted() {
      loose = 0
    },
  }
}

/** Compaction and a snapshot wait until a document was left alone for this long. */
const IDLE_MS: number = 10 * SECOND_MS
/** Fewer chunks than this open as quickly by themselves. */
const SNAPSHOT_CHUNKS = 64

function isBundle(content: OpenedContent): boolean {
  return content.class === 'fragment'
}
