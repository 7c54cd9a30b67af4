/**
 * Content that a removed device may have written after this device learned of its removal: kept out of documents until something that is
 * trusted builds on it, looked at again whenever something came, and shown to a person when nothing does. SPEC.md: D34 and on.
 */
import * as A from '@automerge/automerge'
import { documentIdToBinary, interpretAsDocumentId, type BinaryDocumentId } from '@automerge/automerge-repo'
import { SegueError } from '../../lib/errors.ts'
import type { DeviceId, DocTag } from '../../lib/ids.ts'
import { createSubject } from '../../lib/observable.ts'
import { SECOND_MS } from '../../lib/units.ts'
import type { ChunkRecord } from '../../ports/chunk-store.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import type { SealedChunk } from '../../ports/sealed-chunk.ts'
import type { AnyDoc } from '../any-doc.ts'
import { commitContentKey } from '../content-keys.ts'
import type { DocumentsContext } from '../context.ts'
import { isContent, type DocumentName } from '../stored-document.ts'
import type { LateDecision, LateEdits, LateTrust } from './contract.ts'
import { readEvidence, type Evidence } from './evidence.ts'
import { createJudging, type Judgement, type Judging } from './judging.ts'
import { isNews, type Unsettled } from './arrivals.ts'
import { openHorizons, type HorizonParts, type Horizons } from './horizons.ts'
import { createKeepWriter } from './keep-writer.ts'
import { openLateRecords, type LateRecords } from './late-records.ts'
import { createReviewList } from './review-list.ts'
import { reviewOf } from './review.ts'

/** What `createDocuments` is given; `openLate` reads it. */
export interface Late {
  readonly trust: LateTrust
  readonly horizons: Horizons
  readonly found: LateRecords
  /** Hex hashes of genesis literals: the same everywhere, whoever stored them. */
  readonly pinned: ReadonlySet<string>
}

export async function openLate(
  parts: HorizonParts & { readonly records: RecordStore; readonly pinned?: readonly string[] },
): Promise<Late> {
  const { trust, records, pinned = [] } = parts
  return { trust, horizons: await openHorizons(parts), found: await openLateRecords(records, trust.id), pinned: new Set(pinned) }
}

export interface LateGate extends Pick<Judging, 'isHeldBack' | 'judge'> {
  readonly edits: LateEdits
  /** Whether this is not to be applied as it arrives. Then its document is looked at soon. */
  passesOver(chunk: Pick<SealedChunk, 'epoch' | 'docTag'>): boolean
  /** After its contents were put in: `doc` has them. */
  judged(name: DocumentName, doc: AnyDoc, judgement: Judgement): Promise<void>
  /** Before a fragment is stored that may be late: what it contains of what is held must be vouched for, for the rest of it goes. */
  beforeFragment(chunk: Pick<SealedChunk, 'epoch' | 'docTag'>, documentId: Uint8Array): Promise<void> | undefined
  onChecked(chunks: readonly SealedChunk[]): void
  onArrived(chunks: readonly SealedChunk[]): void
  close(): Promise<void>
}

export interface LateHost {
  /** Open documents, those used last first. */
  live(): readonly DocumentName[]
  /** Whether somebody works on it, or waits for it. */
  isLive(tag: DocTag): boolean
  /** The document as it is in memory, if it is open and read. */
  doc(tag: DocTag): AnyDoc | undefined
  /** Whether an open document has it already. */
  isIn(record: ChunkRecord): boolean
  /** Judges and applies, in the open document or in a closed one. */
  look(name: DocumentName): Promise<void>
  /** What the store gives without what is held back. */
  stored(name: DocumentName): Promise<AnyDoc>
}

export function createLateGate(context: DocumentsContext, late: Late, host: LateHost): LateGate {
  const { chunkStore, sealer, clock, logger, replica } = context
  const { horizons, found, trust, pinned } = late
  const dirty = new Set<DocTag>()
  /** A look at them failed. Until one does not, what came of them is not noted down as looked at. */
  const failed = new Set<DocTag>()
  /** Hashes of what waits, of documents where something does, once they were looked at. */
  const outside = new Map<DocTag, ReadonlySet<string>>()
  const ending = new AbortController()
  const work = createSubject(0)
  let secured = new Set<DocTag>()
  let isSweepDue = horizons.all().some(({ removal }) => !found.isKept(removal.entry))
  let cancelSweep: (() => void) | undefined
  let cancelRetry: (() => void) | undefined
  let isSeen = false
  let cancel: (() => void) | undefined
  let running: Promise<void> | undefined
  let isLooking = false

  const keeper = createKeepWriter(context, { horizons, headsOf: name => headsOf(name), lackHeld: (...asked) => lackHeld(...asked) })
  const { isHeldBack, judge, headsOf, lackHeld } = createJudging(context, { ...late, ...host, keep: keeper.keep })
  const shown = createReviewList(clock, tag => mark(tag))

  const nameOf = async (tag: DocTag): Promise<DocumentName | undefined> => {
    const bytes = found.documents.get(tag)?.document ?? (await documentIn(tag))
    return bytes === undefined ? undefined : { id: interpretAsDocumentId(bytes as BinaryDocumentId), bytes, tag }
  }
  const documentIn = async (tag: DocTag): Promise<Uint8Array | undefined> => {
    for (const { id } of await chunkStore.listDocument(tag)) {
      const chunk = await chunkStore.get(id)
      const opened = chunk === undefined ? undefined : sealer.open(chunk)
      if (opened?.ok) return opened.value.documentId
    }
    return undefined
  }
  const judged: LateGate['judged'] = async (name, doc, judgement) => {
    const { evidence, suspects, taken, waiting, upTo, rests } = judgement
    const before = found.documents.get(name.tag)
    if (waiting.size > 0 || before !== undefined || upTo > found.settledTo()) {
      await found.put(name.tag, { document: name.bytes, upTo: Math.max(upTo, before?.upTo ?? 0), waiting })
    }
    const epochs = new Map((await chunkStore.listDocument(name.tag)).map(({ id, epoch }) => [id, epoch]))
    const mayBeBy = (hash: string, device: DeviceId): boolean => {
      const epoch = epochs.get(sealer.chunkIdOf('commit', name.bytes, commitContentKey(hash)))
      return epoch === undefined || trust.epochsKnownTo(device).has(epoch) // undefined: it is in a fragment, which another may have made
    }
    const left = new Set([...suspects.keys()].filter(hash => !taken.has(hash) && !A.hasHeads(doc, [hash])))
    outside.set(name.tag, left)
    shown.set(name.tag, reviewOf({ name, doc, evidence, suspects, waiting: left, horizons, pinned, mayBeBy }))
    if (!isUnsettled(name.tag)) outside.delete(name.tag)
    if (!rests) return
    // What was said by a device that is removed now may be overwritten by it: from here on this device vouches for what came of it.
    const heads = await headsOf(name)
    const removals = horizons.all().flatMap(({ removal }) => (isSaidBy(evidence, removal.target) ? [removal.entry] : []))
    await keeper.write(name, keep => ({
      ...keep,
      kept: new Map([...keep.kept, ...removals.map(entry => [entry, union(keep.kept.get(entry) ?? [], heads)] as const)]),
    }))
  }
  const unsettled = (tag: DocTag): Unsettled | undefined => {
    if (!isUnsettled(tag)) return undefined
    return { waiting: outside.get(tag), hasUnclaimed: shown.of(tag).some(({ author }) => author === undefined) }
  }
  const isUnsettled = (tag: DocTag): boolean => (found.documents.get(tag)?.waiting.size ?? 0) > 0 || shown.of(tag).length > 0
  const mark = (tag: DocTag): void => {
    dirty.add(tag)
    schedule()
  }
  const schedule = (): void => {
    if (running !== undefined || ending.signal.aborted || cancel !== undefined) return
    cancel = clock.after(LOOK_AFTER_MS, () => {
      cancel = undefined
      running = run().finally(() => {
        running = undefined
        work.set(work.peek() + 1)
        if (hasWork()) schedule()
      })
    })
  }
  const hasWork = (): boolean => dirty.size > 0 || isSweepDue
  const sweepAfter = (ms: number): void => {
    cancelSweep ??= clock.after(ms, () => {
      cancelSweep = undefined
      isSweepDue = true
      schedule()
    })
  }
  const retry = (): void => {
    if (ending.signal.aborted) return
    cancelRetry ??= clock.after(RETRY_MS, () => {
      cancelRetry = undefined
      for (const tag of failed) dirty.add(tag)
      schedule()
    })
  }
  /** Whether it went well. */
  const attempt = async (task: () => Promise<void>): Promise<boolean> => {
    try {
      await task()
      return true
    } catch (error) {
      if (!ending.signal.aborted) logger.warn('late-edits-not-judged', { reason: String(error) })
      return false
    }
  }
  const run = async (): Promise<void> => {
    await starting
    const upTo = chunkStore.lastArrival()
    const isTold = await attempt(() => replica.settled()) // what has a number by now has been told of then
    if (!isSeen) await attempt(findUnseen)
    isLooking = true
    for (;;) {
      const [tag] = dirty
      if (tag === undefined || ending.signal.aborted) break
      await lookAt(tag)
      await clock.sleep(0)
    }
    isLooking = false
    work.set(work.peek() + 1)
    if (ending.signal.aborted) return
    if (!isTold || !isSeen) retry()
    else if (failed.size === 0) await attempt(() => found.settle(upTo, tag => shown.of(tag).length > 0))
    if (isSweepDue) await attempt(sweep)
  }
  const lookAt = async (tag: DocTag): Promise<void> => {
    dirty.delete(tag)
    if (await attempt(() => look(tag))) return void failed.delete(tag)
    failed.add(tag)
    retry()
  }
  const look = async (tag: DocTag): Promise<void> => {
    const name = await nameOf(tag)
    if (name === undefined) return
    await keeper.compare(name)
    if (await isWorthLooking(name)) await host.look(name)
  }
  /** Reading a closed document costs more than all the rest. An open one takes nothing of the old keys but what a look finds. */
  const isWorthLooking = async (name: DocumentName): Promise<boolean> => {
    if (isUnsettled(name.tag) || host.isLive(name.tag) || found.documents.has(name.tag)) return true
    const records = await chunkStore.listDocument(name.tag)
    if (records.some(record => isContent(record) && isHeldBack(record))) return true
    const { keeps } = await readEvidence(context, name, records)
    return horizons.all().some(({ removal }) => {
      const heads = keeps.flatMap(({ keep }) => keep.kept.get(removal.entry)?.join() ?? [])
      return new Set(heads).size > 1
    })
  }
  /** Every document once: what this device keeps of it. */
  const sweep = async (): Promise<void> => {
    isSweepDue = false
    if (horizons.trustedUntil(context.identity.id) !== Number.POSITIVE_INFINITY) return // it is this device that was removed
    const removals = horizons.all().map(({ removal }) => removal.entry)
    await attempt(() => horizons.settled())
    let isWhole = false
    try {
      isWhole = await sweepAll()
    } finally {
      if (!ending.signal.aborted && !isWhole) sweepAfter(RETRY_MS)
    }
    if (isWhole && !ending.signal.aborted) await found.kept(removals)
  }
  /** Whether nothing failed. */
  const sweepAll = async (): Promise<boolean> => {
    let isWhole = true
    const keepOne = async (tag: DocTag, known?: DocumentName): Promise<void> => {
      if (ending.signal.aborted || dirty.size > 0) await drain()
      if (ending.signal.aborted) return
      const startedAt = clock.monotonic()
      const isDone = await attempt(async () => {
        const name = known ?? (await nameOf(tag))
        if (name !== undefined && (await keeper.keep(name))) mark(tag) // others may have kept less
      })
      isWhole &&= isDone
      const pauseMs = Math.max(SWEEP_PAUSE_MS, 2 * (clock.monotonic() - startedAt))
      await clock.sleep(pauseMs, { signal: ending.signal }).catch(() => undefined)
    }
    for (const name of host.live()) await keepOne(name.tag, name)
    const rest: (readonly [DocTag, number])[] = []
    for await (const tag of chunkStore.docTags()) {
      const records = await chunkStore.listDocument(tag)
      if (keeper.owed(records).length > 0) rest.push([tag, records.at(-1)?.arrival ?? 0])
      if (rest.length % READ_BATCH === 0) await clock.sleep(0)
    }
    for (const [tag] of rest.toSorted(([, a], [, b]) => b - a)) await keepOne(tag)
    return isWhole
  }
  const drain = async (): Promise<void> => {
    isLooking = true
    for (const tag of [...dirty]) if (!ending.signal.aborted) await lookAt(tag)
    isLooking = false
    work.set(work.peek() + 1)
  }

  const onGroup = (): void => {
    const isNew = horizons.refresh()
    if (isNew) {
      secured = new Set()
      // With nobody else to wait for, too.
      const isAlone = trust.state.peek().devices.every(({ id, active }) => !active || id === context.identity.id)
      const isRemover = isAlone || horizons.all().some(({ removal }) => removal.by === context.identity.id && !found.isKept(removal.entry))
      if (isRemover) isSweepDue = true
      else sweepAfter(SWEEP_AFTER_MS)
    }
    for (const [tag, { waiting }] of found.documents) if (waiting.size > 0) dirty.add(tag)
    for (const tag of shown.tags()) dirty.add(tag)
    if (hasWork()) schedule()
  }
  /** What came and was not looked at before this process ended. */
  const findUnseen = async (): Promise<void> => {
    for (const tag of found.documents.keys()) dirty.add(tag)
    if (horizons.all().length > 0) {
      for await (const record of chunkStore.since(found.settledTo())) {
        if (record.class === 'register' || (isContent(record) && isHeldBack(record))) dirty.add(record.docTag)
      }
    }
    isSeen = true
    if (hasWork()) schedule()
  }
  const stopListening = trust.state.subscribe(onGroup)
  let starting: Promise<unknown> | undefined = attempt(findUnseen)
    .then(isDone => void (isDone || retry()))
    .finally(() => (starting = undefined))

  const decide = async (id: string, decision: LateDecision): Promise<void> => {
    const { tag, item } = shown.find(id) ?? {}
    if (tag === undefined || item === undefined) throw new SegueError('CONFLICT_UNKNOWN')
    if (decision === 'discard' && item.kind === 'built-on') throw new RangeError('that is in the document already: it can only be accepted')
    const name = await nameOf(tag)
    if (name === undefined) throw new SegueError('CONFLICT_UNKNOWN')
    const what = decision === 'accept' ? 'accepted' : 'discarded'
    await keeper.write(name, before => ({ ...before, [what]: union(before[what], item.heads) }))
    await host.look(name)
  }
  return {
    edits: {
      list: shown.list,
      decide,
      async vouch(id) {
        const bytes = documentIdToBinary(id)
        if (bytes === undefined) throw new RangeError('not the id of a document')
        const name: DocumentName = { id, bytes, tag: sealer.docTagOf(bytes) }
        const heads = await headsOf(name)
        await keeper.write(name, before => ({ ...before, accepted: union(before.accepted, heads) }))
      },
      async looked({ signal } = {}) {
        await starting
        await work.when(() => !isLooking && dirty.size === 0, signal === undefined ? {} : { signal })
      },
      async settled({ signal } = {}) {
        await starting
        await work.when(() => running === undefined && !hasWork() && cancelSweep === undefined, signal === undefined ? {} : { signal })
      },
    },
    passesOver({ epoch, docTag }) {
      const isLate = horizons.mayBeLate(epoch)
      if (isLate && !dirty.has(docTag)) mark(docTag)
      return isLate
    },
    isHeldBack,
    judge,
    judged,
    beforeFragment({ epoch, docTag }, documentId) {
      if (!horizons.mayBeLate(epoch) || secured.has(docTag)) return undefined
      const now = secured
      const name = { id: interpretAsDocumentId(documentId as BinaryDocumentId), bytes: documentId, tag: docTag }
      return keeper.keep(name).then(() => void now.add(docTag))
    },
    onChecked: chunks => horizons.note(chunks),
    onArrived(chunks) {
      if (horizons.all().length === 0) return
      for (const chunk of chunks) {
        if (!dirty.has(chunk.docTag) && isNews(chunk, unsettled(chunk.docTag), context, horizons)) mark(chunk.docTag)
      }
    },
    async close() {
      stopListening()
      ending.abort(new SegueError('CLOSED'))
      cancel?.()
      cancelSweep?.()
      cancelRetry?.()
      shown.close()
      await starting
      await running
    },
  }
}

const LOOK_AFTER_MS: number = SECOND_MS / 4
/** The remover signs first: of what it keeps just the same, the others need not sign anything. */
const SWEEP_AFTER_MS: number = 3 * SECOND_MS
/** At the least, between the keeps of two documents, or twice as long as one took: whoever types comes first. */
const SWEEP_PAUSE_MS = 5
const RETRY_MS: number = 60 * SECOND_MS
const READ_BATCH = 256

function isSaidBy({ claims, keeps }: Evidence, device: string): boolean {
  return claims.some(said => said.device === device) || keeps.some(said => said.device === device)
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])].toSorted()
}
