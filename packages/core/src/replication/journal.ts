/**
 * The one writer of the chunk store. Whatever waits while a batch is on its way to disk becomes the next batch, so a lone edit
 * is written at once and ten thousand chunks in a few batches. Each batch carries the chunks, what they make superfluous, and
 * the summary's buckets together. When the store fails, everything stays here and is tried again.
 */
import { compareBytes } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import { GROUP_DOC_TAG, type ChunkId, type DocTag } from '../lib/ids.ts'
import { SECOND_MS } from '../lib/units.ts'
import type { ChunkHeader } from '../ports/sealed-chunk.ts'
import type { ChunkRecord, NewChunk } from '../ports/chunk-store.ts'
import { dropIn, undropIn } from './dropped.ts'
import { documentCover, fragmentsMarker, type DocumentCover } from './covers.ts'
import { leavingIn } from './left-out.ts'
import type { Fragment } from './live.ts'
import type { Fate, Journal, JournalItem, JournalParts } from './journal-types.ts'
import { HURRIED_BATCH_ITEMS, MAX_BATCH_ITEMS } from './pace.ts'
import { NO_TASK, isBulk, takeBatch, type Task } from './journal-tasks.ts'
import { doubtIn, expireIn, isDoubtedVariant, isDoubtOf, retiredOf, retireIn } from './retired.ts'
import { DOUBTED_PREFIX, type RetireDraft } from './retired.ts'
import type { SummaryDelta } from './summary.ts'
import { UNCHECKED_PREFIX } from './unchecked.ts'

export function createJournal(parts: JournalParts): Journal {
  const { store, clock, hasher, covers, summary, unchecked, mending, doubted, dropped, leftOut, isKeyless } = parts
  const ending = new AbortController()
  let queue: Task[] = []
  let records = new Map<string, Uint8Array | undefined>()
  let queuedBytes = 0
  let running: Promise<void> | undefined

  const enqueue = (task: Omit<Task, 'resolve' | 'reject'>): Promise<void> =>
    new Promise((resolve, reject) => {
      if (ending.signal.aborted) return reject(new SegueError('CLOSED'))
      queue.push({ ...task, resolve, reject })
      queuedBytes += task.bytes
      running ??= run()
    })

  const run = async (): Promise<void> => {
    await Promise.resolve() // what is asked for in the same turn shares the batch
    let backoffMs = FIRST_BACKOFF_MS
    let isFailing = false
    while (queue.length > 0) {
      const { taken, rest } = takeBatch(queue, parts.turns.isHurried() ? HURRIED_BATCH_ITEMS : MAX_BATCH_ITEMS)
      queue = rest
      if (isBulk(taken)) await parts.turns.next()
      const withRecords = records
      records = new Map()
      try {
        await applyTasks(taken, withRecords)
      } catch (error) {
        queue = [...taken, ...queue]
        records = new Map([...withRecords, ...records])
        isFailing = true
        parts.onState({ isFailing, error })
        if (ending.signal.aborted) break
        await clock.sleep(backoffMs, { signal: ending.signal }).catch(() => undefined) // closing ends the wait and tries once more
        backoffMs = Math.min(2 * backoffMs, LAST_BACKOFF_MS)
        continue
      }
      for (const task of taken) queuedBytes -= task.bytes
      if (isFailing) parts.onState({ isFailing: false })
      isFailing = false
      backoffMs = FIRST_BACKOFF_MS
      for (const task of taken) task.resolve()
    }
    running = undefined
  }

  const applyTasks = async (tasks: readonly Task[], withRecords: ReadonlyMap<string, Uint8Array | undefined>): Promise<void> => {
    const batch: Draft = {
      put: new Map(),
      remove: new Map(),
      fates: new Map(),
      records: new Map(withRecords),
      covers: new Map(),
      delta: summary.delta(hasher),
      read: [],
      mended: new Set(),
      contained: [],
      live: new Map(),
      doubts: new Map(),
    }
    const items = tasks.flatMap(task => task.items)
    const reconsidered = new Set(isKeyless ? [] : tasks.flatMap(task => task.reconsider))
    for (const item of items) if (item.chunk.class === 'fragment' && !isKeyless) reconsidered.add(item.chunk.docTag)
    const heads = items.length === 0 ? [] : await store.heads(items.map(item => item.chunk.id)) // reading may find damage
    for (const [i, item] of items.entries()) if (isMending(item, heads[i])) batch.mended.add(item)
    for (const [i, item] of items.entries()) {
      if (reconsidered.has(item.chunk.docTag) && item.chunk.class !== 'register' && item.chunk.class !== 'log') continue
      const placing = place(batch, item, heads[i])
      if (placing !== undefined) await placing
    }
    for (const docTag of reconsidered) await placeDocument(batch, docTag, items)
    for (const header of tasks.flatMap(task => task.drop)) await discard(batch, header)
    for (const request of tasks.flatMap(task => task.retire)) await retireIn(batch, store, request, id => doubted.has(id))
    for (const key of tasks.flatMap(task => task.expire)) await expireIn(batch, store, key)
    for (const { chunk, doubt } of tasks.flatMap(task => task.doubt)) await doubtIn(batch, store, chunk, doubt)
    const arrival = store.lastArrival()
    for (const { docTag, at } of tasks.flatMap(task => task.deleted)) {
      if (at === undefined) await undropIn(batch, store, docTag)
      else await dropIn(batch, store, docTag, { at, arrival })
    }
    for (const each of tasks.flatMap(task => task.leaving)) await leavingIn(batch, store, each, record => remove(batch, record))
    if (tasks.some(task => task.recount)) await batch.delta.recount(store)

    for (const [key, value] of batch.delta.records()) batch.records.set(key, value)
    if (batch.put.size > 0 || batch.remove.size > 0 || batch.records.size > 0) {
      const setLive = [...batch.live].map(([id, { live }]) => ({ id, live }))
      await store.apply({ put: [...batch.put.values()], remove: [...batch.remove.keys()], setLive, records: batch.records })
    }
    summary.commit(batch.delta)
    for (const [docTag, cover] of batch.covers) covers.replace(docTag, cover)
    for (const { docTag, at } of tasks.flatMap(task => task.deleted)) {
      covers.forget(docTag)
      if (at === undefined) dropped.delete(docTag)
      else dropped.set(docTag, { at, arrival })
    }
    for (const { docTag, isLeftOut } of tasks.flatMap(task => task.leaving)) {
      covers.forget(docTag)
      leftOut[isLeftOut ? 'add' : 'delete'](docTag)
    }
    for (const id of batch.read) unchecked.delete(id)
    for (const { chunk } of batch.mended) mending.delete(chunk.id)
    for (const [id, doubt] of batch.doubts) {
      if (doubt === undefined) doubted.delete(id)
      else doubted.set(id, doubt)
    }
    for (const id of batch.remove.keys()) unchecked.delete(id)
    for (const { chunk } of items) if (batch.records.get(UNCHECKED_PREFIX + chunk.id) !== undefined) unchecked.set(chunk.id, chunk.docTag)
    parts.onApplied({ fates: batch.fates, removed: [...batch.remove.values(), ...retiredOf(batch)], contained: batch.contained })
  }

  /** A register whose head can be read is replaced as any other. */
  const isMending = ({ chunk, origin }: JournalItem, head: ChunkRecord | undefined): boolean =>
    origin !== 'read' && mending.has(chunk.id) && (chunk.class !== 'register' || head === undefined)

  const isRefused = (docTag: DocTag): boolean => dropped.has(docTag) || leftOut.has(docTag)
  /** At once, but for what has to be looked up first. */
  const place = (batch: Draft, item: JournalItem, head: ChunkRecord | undefined): Promise<void> | undefined => {
    const { chunk } = item
    if (isRefused(chunk.docTag)) {
      batch.fates.set(item, 'older')
    } else if (item.origin === 'read') {
      markRead(batch, chunk.id)
      batch.fates.set(item, 'stored')
    } else if (batch.mended.has(item)) {
      mend(batch, item, head?.live ?? chunk.class !== 'log')
      batch.fates.set(item, 'stored')
    } else if (head !== undefined && doubted.has(chunk.id)) {
      replaceDoubted(batch, item, head)
    } else if (chunk.class === 'register') {
      return placeRegister(batch, item, head)
    } else if (head !== undefined || batch.put.has(chunk.id)) {
      hold(batch, item, head)
    } else if (chunk.class === 'log') {
      putNew(batch, item, false)
    } else if (item.origin === 'arrived' && !isKeyless) {
      return placeUnlessCovered(batch, item)
    } else {
      putNew(batch, item, true)
    }
    return undefined
  }
  const placeUnlessCovered = async (batch: Draft, item: JournalItem): Promise<void> => {
    const { chunk } = item
    if ((await covers.of(chunk.docTag))?.covered.has(chunk.id) === true) batch.fates.set(item, 'covered')
    else putNew(batch, item, true)
  }

  const putNew = (batch: Draft, item: JournalItem, live: boolean): void => {
    const { chunk } = item
    batch.put.set(chunk.id, { ...chunk, live })
    batch.fates.set(item, 'stored')
    if (live) batch.delta.add(chunk)
    else batch.delta.addLog(chunk.id)
    if (item.contents === undefined) markUnread(batch, chunk)
  }

  const mend = (batch: Draft, { chunk, contents }: JournalItem, live: boolean): void => {
    batch.put.set(chunk.id, { ...chunk, live })
    if (contents === undefined) markUnread(batch, chunk)
    else if (isUnread(batch, chunk.id)) markRead(batch, chunk.id)
  }

  /** Something of this id is there. It stays, unless nobody could check it and this was checked. */
  const hold = (batch: Draft, item: JournalItem, head: ChunkRecord | undefined): void => {
    const { chunk, contents } = item
    if (contents === undefined || !isUnread(batch, chunk.id)) return void batch.fates.set(item, 'held')
    batch.put.set(chunk.id, { ...chunk, live: batch.put.get(chunk.id)?.live ?? head?.live ?? chunk.class !== 'log' })
    markRead(batch, chunk.id)
    batch.fates.set(item, 'stored')
  }

  /**
   * Any other bytes are better than those that a peer could not open, of a register even with a lesser sequence. But of content not those
   * that the very peer brings who alone says so: it could put anything in the place of what others left here.
   */
  const replaceDoubted = (batch: Draft, item: JournalItem, head: ChunkRecord): void => {
    const { chunk } = item
    if (batch.put.has(chunk.id)) return void batch.fates.set(item, 'held')
    const doubt = doubted.get(chunk.id) ?? new Uint8Array()
    const isOwnWord = chunk.class !== 'register' && item.from !== undefined && isDoubtOf(item.from, hasher)(doubt)
    const isNoBetter = isOwnWord || isDoubtedVariant(doubt, chunk.bytes, hasher)
    if (isNoBetter) return void batch.fates.set(item, 'older')
    batch.put.set(chunk.id, { ...chunk, live: head.live })
    batch.fates.set(item, 'stored')
    if (head.live) {
      batch.delta.remove(head)
      batch.delta.add(chunk)
    }
    batch.doubts.set(chunk.id, undefined)
    batch.records.set(DOUBTED_PREFIX + chunk.id, undefined)
  }

  /** What was checked stays before what nobody could check, else the greater (sequence, hash of the bytes). */
  const placeRegister = async (batch: Draft, item: JournalItem, head: ChunkRecord | undefined): Promise<void> => {
    const { chunk } = item
    const inBatch = batch.put.get(chunk.id)
    const present = inBatch ?? head
    if (present !== undefined) {
      const wasUnread = isUnread(batch, chunk.id)
      const isUnreadNow = item.contents === undefined
      if (isUnreadNow && !wasUnread) return void batch.fates.set(item, 'older')
      const isFirstChecked = wasUnread && !isUnreadNow
      if (!isFirstChecked && present.sequence > chunk.sequence) return void batch.fates.set(item, 'older')
      if (!isFirstChecked && present.sequence === chunk.sequence) {
        const bytes = inBatch?.bytes ?? (await store.get(chunk.id))?.bytes
        const order = bytes === undefined ? 1 : compareBytes(hasher.sha256(chunk.bytes), hasher.sha256(bytes))
        if (order <= 0) return void batch.fates.set(item, order === 0 ? 'held' : 'older')
      }
      batch.delta.remove(present)
      if (wasUnread) markRead(batch, chunk.id)
    }
    putNew(batch, item, true)
  }

  /** A document that gets a fragment: everything a fragment covers goes, in the very batch that writes the fragment. */
  const placeDocument = async (batch: Draft, docTag: DocTag, all: readonly JournalItem[]): Promise<void> => {
    const items = all.filter(({ chunk }) => chunk.docTag === docTag && (chunk.class === 'fragment' || chunk.class === 'commit'))
    if (isRefused(docTag)) return items.forEach(item => batch.fates.set(item, 'older'))
    const held = new Map((await store.listDocument(docTag)).map(record => [record.id, record]))
    const fragments = new Map<ChunkId, Fragment>((await covers.of(docTag))?.fragments.map(fragment => [fragment.id, fragment]))
    for (const { chunk, contents } of items) {
      if (chunk.class === 'fragment' && contents !== undefined) fragments.set(chunk.id, { id: chunk.id, ...contents })
    }
    const cover = documentCover([...fragments.values()])
    const isSuperfluous = (header: ChunkHeader): boolean =>
      header.class === 'commit' ? cover.covered.has(header.id) : fragments.has(header.id) && !cover.liveFragments.has(header.id)
    for (const item of items) {
      const { chunk } = item
      const record = held.get(chunk.id)
      if (item.origin === 'read') markRead(batch, chunk.id)
      if (batch.mended.has(item)) mend(batch, item, record?.live ?? true)
      if (isSuperfluous(chunk)) batch.fates.set(item, 'covered')
      else if (item.origin === 'read' || batch.mended.has(item)) batch.fates.set(item, 'stored')
      else if (record !== undefined && doubted.has(chunk.id)) replaceDoubted(batch, item, record)
      else if (record !== undefined || batch.put.has(chunk.id)) hold(batch, item, record)
      else putNew(batch, item, true)
    }
    for (const record of held.values()) {
      if (record.class !== 'commit' && record.class !== 'fragment') continue
      if (!isSuperfluous(record)) continue
      batch.put.delete(record.id)
      batch.contained.push(record)
      remove(batch, record)
    }
    const remaining = [...fragments.values()].filter(fragment => cover.liveFragments.has(fragment.id))
    batch.covers.set(docTag, remaining.length === 0 ? undefined : documentCover(remaining))
    if (remaining.length > 0) batch.records.set(fragmentsMarker(docTag), new Uint8Array([1]))
  }

  const discard = async (batch: Draft, header: ChunkHeader): Promise<void> => {
    const head = await store.head(header.id)
    if (head === undefined || batch.remove.has(header.id)) return
    remove(batch, head)
    batch.covers.set(header.docTag, undefined)
  }

  const remove = (batch: Draft, record: ChunkRecord): void => {
    batch.remove.set(record.id, record)
    if (record.class === 'log') batch.delta.removeLog(record.id)
    else if (record.live) batch.delta.remove(record)
    if (unchecked.has(record.id)) batch.records.set(UNCHECKED_PREFIX + record.id, undefined)
  }

  const isUnread = (batch: Draft, id: ChunkId): boolean => {
    const key = UNCHECKED_PREFIX + id
    return batch.records.has(key) ? batch.records.get(key) !== undefined : unchecked.has(id)
  }
  const markUnread = (batch: Draft, { id, docTag }: ChunkHeader): void =>
    void batch.records.set(UNCHECKED_PREFIX + id, new TextEncoder().encode(docTag))

  const markRead = (batch: Draft, id: ChunkId): void => {
    batch.records.set(UNCHECKED_PREFIX + id, undefined)
    batch.read.push(id)
  }

  return {
    write: items => enqueue({ ...NO_TASK, items, bytes: items.reduce((sum, item) => sum + item.chunk.bytes.length, 0) }),
    setRecord: (key, value) => void records.set(key, value),
    flush: () => (records.size === 0 && running === undefined ? Promise.resolve() : enqueue(NO_TASK)),
    reconsider: docTags => enqueue({ ...NO_TASK, reconsider: docTags }),
    retire: request => enqueue({ ...NO_TASK, retire: [request] }),
    expire: keys => enqueue({ ...NO_TASK, expire: keys }),
    doubt: (chunk, doubt) => enqueue({ ...NO_TASK, doubt: [{ chunk, doubt }] }),
    dropDocuments(docTags, at) {
      // The log and what is group-wide are no document.
      return enqueue({ ...NO_TASK, deleted: docTags.flatMap(docTag => (docTag === GROUP_DOC_TAG ? [] : [{ docTag, at }])) })
    },
    undropDocuments: docTags => enqueue({ ...NO_TASK, deleted: docTags.map(docTag => ({ docTag, at: undefined })) }),
    leaveOut: (docTags, isLeftOut) => enqueue({ ...NO_TASK, leaving: docTags.map(docTag => ({ docTag, isLeftOut })) }),
    drop: chunks => enqueue({ ...NO_TASK, drop: chunks }),
    recount: () => enqueue({ ...NO_TASK, recount: true }),
    pendingBytes: () => queuedBytes,
    async close() {
      if (records.size > 0) void enqueue(NO_TASK).catch(() => undefined) // cursors: without them the next sync is only slower
      ending.abort(new SegueError('CLOSED'))
      await running
      for (const task of queue) task.reject(new SegueError('CLOSED'))
      queue = []
    },
  }
}

interface Draft extends RetireDraft {
  readonly put: Map<ChunkId, NewChunk>
  readonly remove: Map<ChunkId, ChunkRecord>
  readonly fates: Map<JournalItem, Fate>
  readonly records: Map<string, Uint8Array | undefined>
  readonly covers: Map<DocTag, DocumentCover | undefined>
  readonly delta: SummaryDelta
  readonly read: ChunkId[]
  readonly mended: Set<JournalItem>
  readonly contained: ChunkHeader[]
}

const FIRST_BACKOFF_MS = 250
const LAST_BACKOFF_MS: number = 15 * SECOND_MS
