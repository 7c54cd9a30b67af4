/** Deleting on this device only, and bringing back. here-contract.ts says what it promises, SPEC.md the rules (X12...). */
import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import type { Documents, DocumentIndex } from '../documents/index.ts'
import { createCloseables } from '../lib/closeables.ts'
import { SegueError } from '../lib/errors.ts'
import type { DocTag, GroupId, SessionId } from '../lib/ids.ts'
import { createSubject } from '../lib/observable.ts'
import { SECOND_MS } from '../lib/units.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { Replica } from '../replication/index.ts'
import { documentIdOf } from '../session/session-ids.ts'
import { MAX_EXCEPT_TAGS } from '../wire/hello.ts'
import type { DeletionTarget, Deletions } from './contract.ts'
import type { LocalDeletions, NotHere } from './here-contract.ts'
import { planHere, wantedOut, type HereTarget } from './here-plan.ts'
import { decodeHere, encodeHere, type HereEntry, type LeftDocument } from './here-record.ts'
import { createSessionLists, type SessionList } from './session-lists.ts'
import { knowledgeOf, type Knowledge } from './versions.ts'

export interface LocalDeletionsParts {
  readonly group: GroupId
  readonly replica: Pick<
    Replica,
    'leaveOut' | 'takeBack' | 'leftOut' | 'want' | 'unwant' | 'subscribe' | 'peers' | 'confirmations' | 'confirmedAt' | 'settled'
  >
  readonly chunkStore: Pick<ChunkStore, 'listDocument'>
  readonly records: RecordStore
  readonly documents: Pick<Documents, 'read' | 'forget' | 'flush' | 'docTagOf' | 'whenContains'>
  /** Without what was deleted everywhere. */
  readonly index: Pick<DocumentIndex, 'documents' | 'sessions' | 'whenRead'>
  readonly deletions: Pick<Deletions, 'isDeleted' | 'version'>
  readonly clock: Clock
  readonly logger: Logger
  /** Before these documents are taken away: whoever has one of these sessions open lets go. */
  readonly onLeaving?: (sessions: readonly DocumentId[]) => Promise<void>
  /** After: the disk may give the space back. */
  readonly onLeft?: () => Promise<void>
}

/** Reads what this device remembers; what is still on its way back goes on coming. */
export async function createLocalDeletions(
  parts: LocalDeletionsParts,
): Promise<LocalDeletions & { knownOf(documentId: DocumentId): Knowledge | undefined }> {
  const { replica, chunkStore, records, documents, index, deletions, clock, logger } = parts
  const recordKey = `not-here/${parts.group}`
  const lists = createSessionLists(documents, index)
  const onListenerError = (error: unknown): void => logger.error('listener-failed', { error: String(error) })
  const list = createSubject<readonly NotHere[]>([], onListenerError)
  const closing = new AbortController()
  const opened = createCloseables()
  const entries = new Map<string, HereEntry>()
  const left = new Map<DocumentId, LeftDocument>()
  /** About to go: nothing is opened or made of them any more. */
  const barred = new Set<DocumentId>()
  const returning = new Map<string, Promise<void>>()
  let work: Promise<void> = Promise.resolve()
  /** As they were read last. */
  let known: ReadonlyMap<SessionId, SessionList> = new Map()
  let isLookDue = false
  /** Until when what could not go waits. */
  let cancelLater: (() => void) | undefined

  const tagOf = (id: DocumentId): DocTag => documents.docTagOf(id)
  const isOut = (id: DocumentId): boolean => replica.leftOut.size > 0 && replica.leftOut.has(tagOf(id))
  const save = (): Promise<void> => {
    const value = entries.size === 0 ? undefined : encodeHere({ entries: [...entries.values()], left })
    return records.write(new Map([[recordKey, value]]))
  }
  const show = (): void => {
    const shown = [...entries.values()].flatMap(({ state: stored, documents: all, ...entry }): NotHere[] => {
      const state = STATES[stored]
      return state === 'here' ? [] : [{ ...entry, state, documents: entry.document === undefined ? all.length : 1 }]
    })
    list.set(shown.toSorted((a, b) => b.at - a.at || keyOf(a).localeCompare(keyOf(b))))
  }
  const inTurn = <T>(step: () => Promise<T>): Promise<T> => {
    const done = work.then(() => {
      closing.signal.throwIfAborted()
      return step()
    })
    work = done.then(
      () => undefined,
      () => undefined, // the caller hears of it
    )
    return done
  }

  const isLinked = (): boolean => [...replica.peers.peek().values()].some(({ state }) => state !== 'away')
  /** Something is on its way to somebody. */
  const mayStillConfirm = (): boolean =>
    [...replica.peers.peek().values()].some(({ state, unconfirmed }) => state !== 'away' && (state !== 'in-sync' || unconfirmed > 0))
  /** Somebody who is linked and in sync has all of it, as far as its receipts say. */
  const isElsewhere = async (id: DocumentId): Promise<boolean> => {
    if ((await chunkStore.listDocument(tagOf(id))).length === 0) return true
    return [...replica.peers.peek()].some(([peer, { state }]) => state === 'in-sync' && replica.confirmedAt(peer, tagOf(id)))
  }
  const loneAmong = async (ids: readonly DocumentId[]): Promise<readonly DocumentId[]> => {
    const lone: DocumentId[] = []
    for (const id of ids) if (!(await isElsewhere(id))) lone.push(id)
    return lone
  }
  /** What was typed a moment ago is on its way: a little patience while anybody is linked. */
  const whenElsewhere = async (ids: readonly DocumentId[], signal: AbortSignal | undefined): Promise<readonly DocumentId[]> => {
    await documents.flush()
    await replica.settled()
    let lone = await loneAmong(ids)
    for (let tries = 0; tries < TRIES && lone.length > 0; tries++) {
      if (!mayStillConfirm()) return lone
      await clock.sleep(SECOND_MS, { signal: anyOf(signal, closing.signal) })
      lone = await loneAmong(lone)
    }
    return lone
  }
  /** All of them, or none: gives those that nobody else keeps. */
  const letGo = async (ids: readonly DocumentId[], isForced: boolean, tries = TRIES): Promise<readonly DocumentId[]> => {
    const due = ids.filter(id => !isOut(id))
    const before = due.map(id => [id, left.get(id)] as const)
    let isGone = false
    for (const id of due) barred.add(id)
    try {
      await parts.onLeaving?.(sessionsOf(due))
      for (let isQuiet = false; !isQuiet;) {
        const looked = new Map<DocumentId, readonly string[]>()
        for (const id of due) {
          const doc = await documents.read(id)
          const heads = A.getHeads(doc)
          looked.set(id, heads)
          left.set(id, { heads: [...new Set([...(left.get(id)?.heads ?? []), ...heads])].toSorted(), known: knowledgeOf(doc) })
        }
        isQuiet = due.map(id => documents.forget(id, looked.get(id) ?? [])).every(isForgotten => isForgotten)
      }
      await save()
      let alone: readonly DocTag[] = due.map(tagOf)
      for (let tried = 0; tried < tries && alone.length > 0; tried++) {
        if (tried > 0) await clock.sleep(SECOND_MS, { signal: closing.signal })
        alone = await replica.leaveOut(due.map(tagOf), { isForced })
        if (isForced || !isLinked()) break
      }
      isGone = alone.length === 0
      return due.filter(id => alone.includes(tagOf(id)))
    } finally {
      for (const [id, was] of isGone ? [] : before) {
        if (was === undefined) left.delete(id)
        else left.set(id, was)
      }
      for (const id of due) barred.delete(id)
    }
  }
  const sessionsOf = (ids: readonly DocumentId[]): readonly DocumentId[] => {
    const going = new Set(ids)
    return [...known].flatMap(([session, { companions }]) => (companions.some(id => going.has(id)) ? [documentIdOf(session)] : []))
  }

  /** Brings what is left out to what the entries and the sessions' lists say. */
  const look = async (): Promise<void> => {
    if (entries.size === 0 && replica.leftOut.size === 0) return
    if (entries.size > 0) known = await lists.read()
    let isChanged = false
    for (const [key, entry] of entries) {
      const id = entry.document ?? documentIdOf(entry.session as SessionId)
      if (deletions.isDeleted(id)) {
        entries.delete(key)
        isChanged = true
      }
    }
    for (const [key, entry] of entries) {
      const now = entry.session === undefined ? undefined : known.get(entry.session)
      const all = now && [...now.companions, ...now.members, ...now.former]
      if (all === undefined || all.join() === entry.documents.join()) continue
      entries.set(key, { ...entry, documents: all })
      isChanged = true
    }
    const wanted = wantedOut(entries.values(), known, deletions.isDeleted)
    const tags = new Set([...wanted].map(tagOf))
    const back = [...replica.leftOut].filter(docTag => !tags.has(docTag))
    if (back.length > 0) await replica.takeBack(back)
    let mayLeaveMore = false
    for (const id of wanted) {
      if (isOut(id) || replica.leftOut.size >= MAX_EXCEPT_TAGS) continue
      isChanged = true
      if ((await loneAmong([id])).length > 0 || (await letGo([id], false, 1)).length > 0) mayLeaveMore = true // its sender is not linked now
      else await parts.onLeft?.()
    }
    const needed = new Set(
      [...entries.values()].flatMap(entry => [...entry.documents, ...(entry.document === undefined ? [] : [entry.document])]),
    )
    for (const id of left.keys()) if (!needed.has(id)) isChanged = left.delete(id)
    if (isChanged) await save()
    show()
    cancelLater?.()
    cancelLater = mayLeaveMore && !closing.signal.aborted ? clock.after(RETRY_MS, lookSoon) : undefined
  }
  const lookSoon = (): void => {
    if (isLookDue || closing.signal.aborted) return
    isLookDue = true
    inTurn(() => {
      isLookDue = false
      return look()
    }).catch((error: unknown) => {
      if (!closing.signal.aborted) logger.warn('not-here-not-followed', { error: String(error) })
    })
  }

  /** In the background, through this run and later ones. */
  const comeBack = (key: string): Promise<void> => {
    const running = returning.get(key) ?? wait(key).finally(() => returning.delete(key))
    returning.set(key, running)
    return running
  }
  const wait = async (key: string): Promise<void> => {
    const entry = entries.get(key)
    if (entry?.state !== 'back') return
    const all = entry.document === undefined ? entry.documents : [entry.document]
    replica.want(all.map(tagOf))
    try {
      for (const id of all) {
        const heads = left.get(id)?.heads ?? []
        // What was never here may be on its way for long: it comes as anything new does.
        if (heads.length > 0 && !deletions.isDeleted(id) && !isOut(id)) await documents.whenContains(id, heads, { signal: closing.signal })
      }
    } finally {
      replica.unwant(all.map(tagOf))
    }
    await inTurn(async () => {
      if (entries.get(key)?.state !== 'back') return // deleted here again meanwhile
      entries.delete(key)
      for (const id of all) if (!isOut(id)) left.delete(id)
      await save()
      show()
    })
  }
  const comeBackSoon = (key: string): void => {
    comeBack(key).catch((error: unknown) => {
      if (closing.signal.aborted) return
      logger.warn('not-brought-back', { error: String(error) })
      const again = clock.sleep(RETRY_MS, { signal: closing.signal }).then(() => comeBackSoon(key))
      again.catch(() => undefined) // closing
    })
  }

  const planned = async (targets: readonly DeletionTarget[], signal?: AbortSignal): Promise<ReturnType<typeof planHere>> => {
    lists.forget()
    known = await lists.read()
    signal?.throwIfAborted()
    return planHere(targets, { index, lists: known, entries: [...entries.values()], isDeleted: deletions.isDeleted })
  }
  const entryOf = ({ target, title, documents: all }: HereTarget): HereEntry => ({
    session: 'session' in target ? target.session : undefined,
    document: 'document' in target ? target.document : undefined,
    title,
    at: Math.max(0, Math.trunc(clock.now())),
    state: 'leaving',
    documents: 'session' in target ? all : [],
  })
  const deleteNow: LocalDeletions['delete'] = async (targets, { confirmed = false, force = false, signal } = {}) => {
    const { plan, targets: due } = await planned(targets, signal)
    const keys = due.map(({ target }) => keyOf(target))
    if (plan.isLarge && !confirmed) throw new SegueError('DELETION_LARGE', { count: plan.count, total: plan.total })
    const asked = due.filter(({ target }) => entries.get(keyOf(target))?.state !== 'gone')
    const before = new Map(asked.map(({ target }) => [keyOf(target), entries.get(keyOf(target))]))
    const going = plan.parts.flatMap(part => part.documents.map(({ documentId }) => documentId))
    const lone = force ? [] : await whenElsewhere(going, signal)
    signal?.throwIfAborted()
    if (lone.length > 0) throw new SegueError('KEPT_NOWHERE_ELSE', { count: lone.length })
    for (const each of asked) entries.set(keyOf(each.target), entryOf(each))
    const undo = async (): Promise<void> => {
      for (const [key, entry] of before) {
        if (entry === undefined) entries.delete(key)
        else entries.set(key, entry)
      }
      await save()
    }
    try {
      const alone = await letGo(going, force)
      if (alone.length > 0) throw new SegueError('KEPT_NOWHERE_ELSE', { count: alone.length })
    } catch (error) {
      await undo()
      throw error
    }
    for (const key of before.keys()) entries.set(key, { ...(entries.get(key) as HereEntry), state: 'gone' })
    await save()
    await parts.onLeft?.()
    show()
    return list.peek().filter(each => keys.includes(keyOf(each)))
  }

  const startBack = (targets: readonly DeletionTarget[], signal: AbortSignal | undefined): Promise<readonly string[]> =>
    inTurn(async () => {
      const { targets: wanted } = await planned(targets, signal)
      // With a session come those of its documents that were deleted here one by one.
      const asked = new Set(wanted.flatMap(({ target, documents: all }) => [keyOf(target), ...all]))
      const back = [...asked].filter(key => entries.has(key))
      const isOfSession = wanted.some(({ target }) => 'document' in target && !entries.has(target.document) && isOut(target.document))
      if (isOfSession) throw new SegueError('DOCUMENT_NOT_HERE') // it comes with its session
      for (const key of back) entries.set(key, { ...(entries.get(key) as HereEntry), state: 'back' })
      if (back.length > 0) await save()
      await look()
      for (const key of back) comeBackSoon(key)
      return back
    })

  const stateOf: LocalDeletions['stateOf'] = session => STATES[entries.get(session)?.state ?? 'leaving']

  const stored = await records.get(recordKey)
  const record = stored === undefined ? undefined : decodeHere(stored)
  for (const [id, each] of record?.left ?? []) left.set(id, each)
  for (const entry of record?.entries ?? []) {
    // One batch took all of it out, or nothing.
    const all = entry.document === undefined ? entry.documents : [entry.document]
    if (entry.state === 'leaving' && !all.some(isOut)) continue
    entries.set(keyOf(entry), entry.state === 'leaving' ? { ...entry, state: 'gone' } : entry)
  }
  show()
  opened.add(
    replica.subscribe({
      onArrived(chunks) {
        if (entries.size > 0 && lists.changed(new Set(chunks.map(({ docTag }) => docTag)))) lookSoon()
      },
    }),
  )
  for (const source of [index.sessions, deletions.version] as const) {
    opened.add(source.subscribe(() => (entries.size > 0 ? lookSoon() : undefined)))
  }
  opened.add(async () => {
    closing.abort(new SegueError('CLOSED'))
    cancelLater?.()
    await work
    await Promise.allSettled(returning.values())
  })
  lookSoon()
  for (const [key, { state }] of entries) if (state === 'back') comeBackSoon(key)

  return {
    list,
    isNotHere: id => barred.has(id) || isOut(id),
    stateOf,
    lacks: session => stateOf(session) !== 'here' || (replica.leftOut.size > 0 && (known.get(session)?.members ?? []).some(isOut)),
    plan: (targets, { signal } = {}) => inTurn(async () => (await planned(targets, signal)).plan),
    delete: (targets, options) => inTurn(() => deleteNow(targets, options)),
    async bringBack(targets, { signal } = {}) {
      const keys = await startBack(targets, signal)
      await unlessAborted(Promise.all(keys.map(comeBack)), signal)
    },
    async keepAgain(targets) {
      await startBack(targets, undefined)
    },
    settled: () => inTurn(look),
    knownOf: id => (isOut(id) ? left.get(id)?.known : undefined),
    close: opened.close,
    [Symbol.asyncDispose]: opened.close,
  }
}

const STATES = { leaving: 'here', gone: 'not-here', back: 'coming-back' } as const
/** Seconds that peers are given to confirm, and to answer. */
const TRIES = 5
const RETRY_MS: number = 10 * SECOND_MS

function keyOf(target: Partial<Pick<NotHere, 'session' | 'document'>> | DeletionTarget): string {
  const { session, document } = target as Partial<Pick<NotHere, 'session' | 'document'>>
  return session ?? document ?? ''
}

function anyOf(signal: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  return signal === undefined ? other : AbortSignal.any([signal, other])
}

async function unlessAborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return void (await work)
  work.catch(() => undefined) // goes on without whoever asked
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(() => resolve(), reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
