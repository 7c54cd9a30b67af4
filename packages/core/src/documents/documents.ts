/** The documents layer put together: which documents are in memory, and who waits for which. SPEC.md has the rules (D1...). */
import * as A from '@automerge/automerge'
import { interpretAsDocumentId, documentIdToBinary, type DocHandle, type DocumentId } from '@automerge/automerge-repo'
import type { BinaryDocumentId } from '@automerge/automerge-repo'
import { docTagOf } from '../crypto/index.ts'
import { createCloseables } from '../lib/closeables.ts'
import { SegueError } from '../lib/errors.ts'
import type { DocTag } from '../lib/ids.ts'
import { createSubject, type Observable, type Subject } from '../lib/observable.ts'
import { MINUTE_MS, SECOND_MS } from '../lib/units.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { readAuthors } from './authors.ts'
import { makeRoomInMemory } from './automerge-memory.ts'
import { applyContents, type OpenedContent } from './apply-contents.ts'
import { compactDocument } from './compaction.ts'
import type { DocumentsComponents, DocumentsContext } from './context.ts'
import type { DocumentState, Documents, Genesis } from './documents-interface.ts'
import { importTextInto } from './import-text.ts'
import { createLateGate } from './late/late-edits.ts'
import { createLiveDocument, type LiveDocument } from './live-document.ts'
import { createSealer } from './sealer.ts'
import { SegueRepo } from './segue-repo.ts'
import { freshActor, readStored, withStored, type DocumentName } from './stored-document.ts'
import type { AnyDoc } from './any-doc.ts'

export function createDocuments(components: DocumentsComponents): Documents {
  const { replica, keyring, clock, random, logger, hasher, maxOpenDocuments = MAX_OPEN_DOCUMENTS } = components
  const { isDeleted = () => false, isNotHere = () => false } = components
  const context: DocumentsContext = { ...components, sealer: createSealer({ keyring, random, hasher }), gate: undefined }
  const live = new Map<DocumentId, LiveDocument>()
  const liveByTag = new Map<DocTag, LiveDocument>()
  /** Of documents that somebody follows, open or not. */
  const states = new Map<DocumentId, Subject<DocumentState>>()
  const claimsOn = new Map<DocumentId, number>()
  const evicting = new Map<DocumentId, Promise<void>>()
  const closing = new AbortController()
  const opened = createCloseables()
  let roomMadeAt = Number.NEGATIVE_INFINITY

  const nameOf = (id: DocumentId): DocumentName => {
    const known = live.get(id)?.name
    if (known !== undefined) return known
    const bytes = documentIdToBinary(id)
    if (bytes === undefined) throw new RangeError('not a document id')
    return { id, bytes, tag: docTagOf(keyring.tagKey, bytes, hasher) }
  }
  const stateOf = (id: DocumentId): Subject<DocumentState> => {
    const present = states.get(id) ?? createSubject<DocumentState>(live.get(id)?.state.peek() ?? 'closed')
    states.set(id, present)
    return present
  }
  const withSignal = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal])
  const inBackground = (work: Promise<unknown>, event: string): void => {
    work.catch((error: unknown) => {
      if (!closing.signal.aborted) logger.warn(event, { reason: String(error) })
    })
  }
  const retain = (id: DocumentId): (() => void) => {
    claimsOn.set(id, (claimsOn.get(id) ?? 0) + 1)
    let isReleased = false
    return () => {
      if (isReleased) return
      isReleased = true
      const left = (claimsOn.get(id) ?? 1) - 1
      if (left > 0) claimsOn.set(id, left)
      else claimsOn.delete(id)
    }
  }

  const attach = (handle: DocHandle<unknown>): LiveDocument => {
    const name = nameOf(handle.documentId)
    makeRoomInMemory(live.size)
    const document = createLiveDocument(context, name, handle, {
      onIdle: () => inBackground(maintain(document), 'maintenance-failed'),
    })
    live.set(name.id, document)
    liveByTag.set(name.tag, document)
    document.state.subscribe(value => states.get(name.id)?.set(value))
    makeRoom()
    return document
  }
  const refuseBarred = (id: DocumentId): void => {
    if (isDeleted(id)) throw new SegueError('DOCUMENT_DELETED')
    if (isNotHere(id)) throw new SegueError('DOCUMENT_NOT_HERE')
  }
  const ensure = (id: DocumentId): LiveDocument => {
    closing.signal.throwIfAborted()
    refuseBarred(id)
    const present = live.get(id) ?? attach(repo.handleFor(id))
    inBackground(present.load(), 'document-not-read')
    return present
  }
  const detach = (document: LiveDocument): void => {
    document.close()
    live.delete(document.name.id)
    liveByTag.delete(document.name.tag)
    repo.forget(document.name.id)
  }

  const open = async (id: DocumentId, signal: AbortSignal | undefined): Promise<LiveDocument> => {
    signal?.throwIfAborted()
    await evicting.get(id)
    const document = ensure(id)
    const release = retain(id)
    try {
      await document.load()
      await document.state.when(state => state === 'open' || isDeleted(id) || isNotHere(id), { signal: withSignal(signal) })
      refuseBarred(id)
      document.touch()
      return document
    } catch (error) {
      // A document that nobody waits for any more and that has nothing is only a timer and a handle.
      if (live.get(id) === document && claimsOn.get(id) === 1 && document.doc() === undefined) detach(document)
      throw error
    } finally {
      release()
    }
  }
  const evictNow = async (id: DocumentId): Promise<void> => {
    const document = live.get(id)
    if (document === undefined) return
    await document.load().catch(() => undefined) // whoever opened it heard; what is here must be durable all the same
    await document.flush()
    await document.snapshot()
    // Nothing may be captured in the gap between the last flush and the end of listening: this part is synchronous.
    for (let isQuiet = false; !isQuiet;) {
      const heads = A.getHeads(document.doc() ?? A.init()).join()
      await document.flush()
      isQuiet = heads === A.getHeads(document.doc() ?? A.init()).join()
    }
    detach(document)
  }
  const forget = (id: DocumentId, heads: readonly string[]): boolean => {
    const document = live.get(id)
    const present = document?.doc()
    if (document === undefined) return true
    if (present !== undefined && A.getHeads(present).toSorted().join() !== heads.toSorted().join()) return false
    document.handle.delete()
    detach(document)
    return true
  }
  const evict = async (id: DocumentId): Promise<void> => {
    if (!claimsOn.has(id)) await closeDocument(id)
  }
  const closeDocument = (id: DocumentId): Promise<void> => {
    const running = evicting.get(id) ?? evictNow(id).finally(() => evicting.delete(id))
    evicting.set(id, running)
    return running
  }
  const makeRoom = (): void => {
    if (live.size <= maxOpenDocuments || clock.monotonic() - roomMadeAt < MAKE_ROOM_EVERY_MS) return
    roomMadeAt = clock.monotonic()
    const idle = [...live.values()].filter(isIdle).toSorted((a, b) => a.usedAt() - b.usedAt())
    for (const document of idle.slice(0, live.size - maxOpenDocuments)) inBackground(evict(document.name.id), 'eviction-failed')
  }
  const isIdle = (document: LiveDocument): boolean =>
    !claimsOn.has(document.name.id) &&
    !evicting.has(document.name.id) &&
    document.state.peek() === 'open' &&
    clock.monotonic() - document.usedAt() >= IDLE_BEFORE_EVICTION_MS &&
    document.handle.listenerCount('change') === 0 &&
    document.handle.listenerCount('heads-changed') <= 1
  const maintain = async (document: LiveDocument): Promise<void> => {
    if (live.get(document.name.id) !== document) return
    if (document.loose() >= LOOSE_COMMITS) await compactLive(document)
    await document.snapshot()
    makeRoom()
  }
  const compactLive = async (document: LiveDocument): Promise<number> => {
    await document.flush()
    const doc = document.doc()
    if (doc === undefined) return 0
    document.compacted()
    const made = await compactDocument(context, document.name, doc)
    document.noteContained(made)
    return made.length
  }

  const newDocumentId = (): DocumentId => interpretAsDocumentId(random.bytes(16) as BinaryDocumentId)
  const flush = async (id?: DocumentId): Promise<void> => {
    const documents = id === undefined ? [...live.values()] : [live.get(id)].filter(document => document !== undefined)
    await Promise.all(documents.map(document => document.flush()))
  }
  const repo: SegueRepo = new SegueRepo({
    open: async (id, { signal }) => (await open(id, signal)).handle,
    adopt(handle) {
      if (live.has(handle.documentId)) return
      const document = attach(handle)
      inBackground(adoptContent(document), 'adoption-failed')
    },
    evict,
    flush,
    newDocumentId,
    newActor: () => freshActor(random),
  })
  const adoptContent = (document: LiveDocument): Promise<void> => {
    const captured = document.flush()
    return Promise.all([captured, document.load()]).then(() => undefined)
  }

  const create = async <T>(init: Genesis<T>, options: { documentId?: DocumentId; signal?: AbortSignal } = {}): Promise<DocHandle<T>> => {
    options.signal?.throwIfAborted()
    const id = options.documentId ?? newDocumentId()
    await evicting.get(id)
    const document = ensure(id)
    await document.load()
    options.signal?.throwIfAborted()
    document.handle.update(present => {
      const isNew = A.getHeads(present).length === 0
      if (!isNew && !(init instanceof Uint8Array)) throw new RangeError('that document exists: only a genesis can be added to it')
      const base = isNew ? A.init<T>({ actor: freshActor(random) }) : (present as A.Doc<T>)
      return init instanceof Uint8Array ? A.loadIncremental(base, init) : A.change(base, init)
    })
    if (A.getHeads(document.doc() ?? A.init()).length === 0) throw new RangeError('a new document needs a first change')
    await document.state.when(state => state === 'open', { signal: withSignal(options.signal) })
    return document.handle as DocHandle<T>
  }
  const storedDocument = async (name: DocumentName, inAnyCase = false): Promise<AnyDoc> => {
    const stored = withStored(context, undefined, await readStored(context, name))
    const { gate } = context
    const judgement = await gate?.judge(name, stored, record => !gate.isHeldBack(record), inAnyCase)
    if (gate === undefined || judgement === undefined) return stored
    const setAside = ({ id }: OpenedContent, reason: unknown): void => logger.warn('chunk-set-aside', { chunk: id, reason: String(reason) })
    const whole = applyContents(stored, judgement.contents, setAside, () => A.clone(stored))
    await gate.judged(name, whole, judgement)
    return whole
  }
  if (components.late !== undefined) {
    context.gate = createLateGate(context, components.late, {
      live: () => [...live.values()].toSorted((a, b) => b.usedAt() - a.usedAt()).map(({ name }) => name),
      isLive: tag => liveByTag.has(tag),
      doc: tag => liveByTag.get(tag)?.doc(),
      isIn: record => liveByTag.get(record.docTag)?.has(record) === true,
      look: async name => {
        const document = live.get(name.id)
        if (document === undefined) await storedDocument(name, true)
        else await document.judge()
      },
      stored: async name => withStored(context, undefined, await readStored(context, name)),
    })
  }
  const held = async (id: DocumentId): Promise<AnyDoc> => {
    const document = live.get(id)
    await document?.load()
    return document?.doc() ?? storedDocument(nameOf(id))
  }
  const whenContains = async (id: DocumentId, heads: readonly string[], signal: AbortSignal | undefined): Promise<void> => {
    const release = retain(id)
    try {
      const document = await open(id, signal)
      // Applied means its history is applied too: Automerge keeps what lacks a dependency out of the document.
      const contains = (): boolean => A.hasHeads(document.doc() ?? A.init(), [...heads])
      await document.version.when(contains, { signal: withSignal(signal) })
      await document.flush()
      await replica.settled()
    } finally {
      release()
    }
  }

  const batchesOf = (chunks: readonly SealedChunk[]): ReadonlyMap<LiveDocument, readonly SealedChunk[]> => {
    const batches = new Map<LiveDocument, SealedChunk[]>()
    for (const chunk of chunks) {
      const document = liveByTag.get(chunk.docTag)
      if (document === undefined) continue
      const batch = batches.get(document)
      if (batch === undefined) batches.set(document, [chunk])
      else batch.push(chunk)
    }
    return batches
  }
  const receive = (chunks: readonly SealedChunk[]): void => {
    for (const [document, batch] of batchesOf(chunks)) document.receive(batch)
  }
  /** A turn later: what the worker checks is on its way to it then. */
  const prepare = async (chunks: readonly SealedChunk[]): Promise<void> => {
    const bundles = chunks.filter(chunk => chunk.class === 'fragment')
    if (batchesOf(bundles).size === 0) return
    await clock.sleep(0)
    for (const [document, batch] of batchesOf(bundles)) document.prepare(batch)
  }
  const rereadAll = async (): Promise<void> => {
    for (const document of [...live.values()]) await document.reread()
  }
  const closeAll = async (): Promise<void> => {
    const deadline = new AbortController()
    const settled = Promise.all([...live.keys()].map(closeDocument)).then(() => undefined)
    const late = clock.sleep(CLOSE_DEADLINE_MS, { signal: deadline.signal }).then(
      () => logger.error('closed-before-durable', { documents: live.size }),
      () => undefined,
    )
    try {
      await Promise.race([settled, late])
    } finally {
      deadline.abort()
      settled.catch(() => undefined) // reported by the race, or given up after the deadline
      closing.abort(new SegueError('CLOSED'))
      for (const document of [...live.values()]) detach(document)
    }
  }
  opened.add(closeAll)
  opened.add(() => context.gate?.close())
  // Shown as soon as it is checked; what was opened only after that hears of it when it is on disk.
  opened.add(
    replica.subscribe({
      onChecking: chunks => inBackground(prepare(chunks), 'preparation-failed'),
      onChecked(chunks) {
        context.gate?.onChecked(chunks)
        receive(chunks)
      },
      onArrived(chunks) {
        receive(chunks)
        context.gate?.onArrived(chunks)
      },
    }),
  )

  return {
    repo,
    warmUp: () => repo.warmUp(),
    create,
    open: async <T>(id: DocumentId, options: { signal?: AbortSignal | undefined } = {}) =>
      (await open(id, options.signal)).handle as DocHandle<T>,
    retain,
    evict,
    importText: (handle, path, text) => importTextInto(handle, path, text, () => clock.sleep(0)),
    held,
    headsOf: async id => A.getHeads(await held(id)).toSorted(),
    async read(id) {
      await flush(id)
      return live.get(id)?.doc() ?? storedDocument(nameOf(id))
    },
    forget,
    isDeleted,
    isAbsent: id => isDeleted(id) || isNotHere(id),
    whenContains: (id, heads, options = {}) => whenContains(id, heads, options.signal),
    authors: async id => readAuthors(context, nameOf(id), live.get(id)?.doc() ?? A.init()),
    docTagOf: id => nameOf(id).tag,
    flush,
    state: (id): Observable<DocumentState> => stateOf(id),
    async compact(id) {
      const document = live.get(id)
      if (document !== undefined) return compactLive(document)
      const name = nameOf(id)
      return (await compactDocument(context, name, await storedDocument(name))).length
    },
    late: context.gate?.edits,
    beforeFragment: (chunk, documentId) => context.gate?.beforeFragment(chunk, documentId),
    onKeysChanged: () => inBackground(rereadAll(), 'reread-failed'),
    close: opened.close,
    [Symbol.asyncDispose]: opened.close,
  }
}

const MAX_OPEN_DOCUMENTS = 256
const IDLE_BEFORE_EVICTION_MS: number = MINUTE_MS
/** Looking for idle documents goes through all that are open. */
const MAKE_ROOM_EVERY_MS: number = SECOND_MS
/** One fragment begins every 256 changes or so. */
const LOOSE_COMMITS = 512
/** A store that cannot be written must not keep anything from closing. */
const CLOSE_DEADLINE_MS: number = 10 * SECOND_MS
