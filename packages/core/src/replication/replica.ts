/** Puts the parts of a replica together, and carries what happens in one of them to the others. */
import { toHex } from '../lib/bytes.ts'
import { createCloseables } from '../lib/closeables.ts'
import { SegueError } from '../lib/errors.ts'
import { pushTo } from '../lib/groups.ts'
import { GROUP_DOC_TAG, type ChunkId, type DeviceId, type DocTag } from '../lib/ids.ts'
import { createSubject } from '../lib/observable.ts'
import { allOf, type Pending } from '../lib/pending.ts'
import { portableHasher } from '../crypto/hash.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { MAX_CHUNK_BYTES } from '../wire/limits.ts'
import { slicesOf, sumHex, type Offer } from './sync-records.ts'
import { containedAt } from './contained.ts'
import { createCovers, NO_COVERS } from './covers.ts'
import { createDocumentSums } from './document-sums.ts'
import { openDropped } from './dropped.ts'
import { openDoubted } from './doubts.ts'
import { createDropWords } from './drop-words.ts'
import { openHistory } from './history.ts'
import { createIntake } from './intake.ts'
import { createLeaving } from './leaving.ts'
import { openLeftOut } from './left-out.ts'
import { createLogRoom } from './log-room.ts'
import { createJournal } from './journal.ts'
import type { Applied, JournalItem } from './journal-types.ts'
import { FEW } from './pace.ts'
import { createPeerStates } from './peer-states.ts'
import { createPeerReceipts, type PeerReceipts } from './receipts.ts'
import type { Durability, FragmentCover, PeerSync, Replica, ReplicaComponents, ReplicaListener, Shown } from './replica-types.ts'
import { arrivingHere, type Arriving } from './arriving.ts'
import type { Session, SessionHost } from './session-host.ts'
import { snapshotKey } from './serving.ts'
import { ENDLESS_ROOM } from './room.ts'
import { createSession } from './session.ts'
import { createRejections } from './rejections.ts'
import { expiredKeys } from './retired.ts'
import { createSnapshotRequests } from './snapshot-requests.ts'
import { openSummary } from './summary.ts'
import { createLateKeys } from './late-keys.ts'
import { openUnchecked } from './unchecked.ts'
import { createTurns } from './turns.ts'
import { createWants } from './wants.ts'

/** Reads what the store knows of it (a few hundred small records). Throws what the store throws. */
export async function createReplica(components: ReplicaComponents): Promise<Replica> {
  const { store, inspector, clock, random, logger, hasher = portableHasher, keyless = false, room = ENDLESS_ROOM } = components
  const unchecked = await openUnchecked(store)
  const onListenerError = (error: unknown): void => logger?.error('listener-failed', { error: String(error) })
  const summary = await openSummary(store)
  const covers = keyless ? NO_COVERS : createCovers(store, inspector, id => unchecked.has(id))
  const durability = createSubject<Durability>(GOOD, onListenerError)
  const confirmations = createSubject(0, onListenerError)
  const peers = createSubject<ReadonlyMap<DeviceId, PeerSync>>(new Map(), onListenerError)
  const listeners = new Set<ReplicaListener>()
  const sessions = new Set<Session>()
  const receipts = new Map<DeviceId, PeerReceipts>()
  const arriving = new Map<ChunkId, Arriving>()
  const tracked = new Map<JournalItem, Arriving>()
  const mending = new Set<ChunkId>()
  const doubted = await openDoubted(store)
  const dropped = await openDropped(store)
  const leftOut = await openLeftOut(store)
  const sums = createDocumentSums(store, hasher)
  const priorities = new Set<DocTag>()
  const turns = createTurns(clock)
  const linkedAt = new WeakMap<Session, number>()
  let pendingHere = 0
  let isFailing = false
  let isClosed = false

  const onApplied = ({ fates, removed, contained: superfluous }: Applied): void => {
    const contained = containedAt({ fates, removed }, receipts)
    for (const header of removed) {
      sums.changed(header.docTag)
      for (const each of receipts.values()) each.forget(header.id)
    }
    const arrived = new Map<DeviceId | undefined, SealedChunk[]>()
    const unread: ChunkId[] = []
    const toGivers = new Map<Session, Offer[]>()
    const toOwing = new Map<Session, Offer[]>()
    const toOthers = new Map<Session, Offer[]>()
    const settled = new Set<Session>()
    for (const [item, fate] of fates) {
      const { chunk } = item
      const entry = tracked.get(item)
      tracked.delete(item)
      sums.changed(chunk.docTag)
      if (arriving.get(chunk.id) === entry) arriving.delete(chunk.id)
      const sources = wants.settle(chunk.id, chunk.sequence)
      const isHeardOf = sources.length > 0 || sessions.size > 0 || fate === 'covered'
      const knownBy = isHeardOf ? (entry?.knownBy ?? new Set<Session>()) : NOBODY
      for (const source of sources) {
        settled.add(source)
        knownBy.add(source)
        if (!source.needsProofs()) entry?.confirmedBy.add(source.peer)
      }
      if (fate === 'stored' && chunk.class !== 'log') {
        for (const [peer, each] of receipts) {
          if (!entry?.confirmedBy.has(peer) && !contained.get(item)?.has(peer)) each.owe(chunk)
        }
      }
      if (fate === 'stored' && item.origin !== 'made' && item.contents !== undefined) pushTo(arrived, entry?.from?.peer, chunk)
      if (fate === 'stored' && item.origin === 'arrived' && item.contents === undefined && !keyless) unread.push(chunk.id)
      if (fate === 'covered') for (const session of knownBy) session.supersede([chunk])
      if (item.contents === undefined || fate === 'older') continue
      if (item.from !== undefined) receipts.get(item.from)?.prove(chunk.id, chunk.sequence)
      // Others gave the same while it was on its way to disk; of a register they may have an older one.
      for (const peer of (chunk.class !== 'register' && entry?.confirmedBy) || []) receipts.get(peer)?.prove(chunk.id, chunk.sequence)
      if (sessions.size === 0) continue
      const offer = { class: chunk.class, docTag: chunk.docTag, id: chunk.id, sequence: chunk.sequence, byteLength: chunk.bytes.length }
      for (const session of sessions) {
        const isKnown = knownBy.has(session)
        // What was made here and pushed needs no receipt; what came from a peer does.
        const isGiven = fate === 'stored' && entry?.givenBy.has(session) === true
        if (isKnown && item.origin !== 'made') pushTo(isGiven ? toGivers : toOwing, session, offer)
        else if (!isKnown && fate === 'stored') pushTo(toOthers, session, offer)
      }
    }
    for (const [session, offers] of toGivers) session.announce(offers, 'given')
    for (const [session, offers] of toOwing) session.announce(offers, 'named')
    for (const [session, offers] of toOthers) session.announce(offers, 'news')
    lateKeys.onUnread(unread)
    for (const [from, chunks] of arrived) tell(listener => listener.onArrived(chunks, from))
    for (const session of settled) session.onSettled()
    if (superfluous.length > 0) for (const session of sessions) session.supersede(superfluous)
    if (fates.size > 0 || removed.length > 0) {
      for (const session of sessions) session.onChanged()
      confirm()
    }
    publish()
  }
  const tell = (call: (listener: ReplicaListener) => void): void => {
    for (const listener of [...listeners]) {
      try {
        call(listener)
      } catch (error) {
        onListenerError(error)
      }
    }
  }
  const show = (peer: DeviceId, shown: readonly Shown[], isWhole: boolean): void =>
    tell(listener => listener.onShown?.(peer, shown, isWhole))
  const confirm = (): void => {
    confirmations.set(confirmations.peek() + 1)
    publish() // what a peer owes has changed
  }

  const journal = createJournal({
    store,
    ...{ clock, turns, hasher, isKeyless: keyless },
    covers,
    summary,
    unchecked,
    mending,
    doubted,
    dropped,
    leftOut,
    onApplied,
    onState(state) {
      isFailing = state.isFailing
      if (isFailing) logger?.error('store-failed', { error: String(state.error) })
      else logger?.info('store-recovered')
      showDurability()
    },
  })
  const dropWords = createDropWords({
    ...{ store, clock, journal, dropped, sessions, isKeyless: keyless },
    onUndropped(docTags) {
      docTags.forEach(sums.changed)
      confirm()
    },
    onDropped: (peer, docTags) => tell(listener => listener.onDropped?.(peer, docTags)),
  })
  const lateKeys = createLateKeys({ store, inspector, journal, unchecked, clock, logger })
  const history = await openHistory(store, random, journal.setRecord)
  const wants = createWants<Session>(
    clock,
    (session, ids) => session.sendWant(ids),
    (session, bytes) => session.mayAsk(bytes),
    room,
  )
  const snapshots = createSnapshotRequests(() => [...sessions].filter(session => session.isLive() && session.mayAsk(Infinity)))
  const intake = createIntake({
    ...{ inspector, turns, hasher },
    journal,
    wants,
    logRoom: createLogRoom({ store, clock, inspector, journal, summary, maxLogChunks: components.maxLogChunks }),
    arriving,
    dropped,
    logger,
    track: (item, entry) => tracked.set(item, entry),
    onChecking: chunks => tell(listener => listener.onChecking?.(chunks)),
    onChecked(chunks) {
      if (chunks.length > 0) tell(listener => listener.onChecked?.(chunks))
    },
    forward: entries => {
      // What a peer could not open: passed on whole, whoever holds the same says so, is asked for it, and it comes again.
      if (keyless) pushToAll(entries.filter(({ chunk }) => !doubted.has(chunk.id)))
    },
  })

  const pushToAll = (entries: readonly Arriving[]): void => {
    for (const session of sessions) session.push(entries)
  }
  const showDurability = (): void => durability.set(isFailing ? { state: 'failing', pending: pendingHere } : GOOD)
  const publish = createPeerStates({
    receipts,
    sessions,
    behind: session => wants.count(session),
    linkedAt: session => linkedAt.get(session),
    show: next => peers.set(next),
  })
  const receiptsOf = (peer: DeviceId): PeerReceipts => {
    let found = receipts.get(peer)
    if (found === undefined) receipts.set(peer, (found = createPeerReceipts()))
    return found
  }
  const onReject = createRejections({
    ...{ store, hasher, inspector, journal, isKeyless: keyless, doubted, sessions, logger },
    onFull(id, peer) {
      receiptsOf(peer).turnAway(id)
      publish()
    },
    onDropped: dropWords.onRefused,
  })
  const hostFor = (peer: DeviceId): SessionHost => ({
    store,
    ...{ clock, turns, hasher },
    summary,
    covers,
    journal,
    history,
    wants,
    unchecked,
    doubted,
    dropped,
    leftOut,
    sums,
    ...{ isKeyless: keyless, room },
    arriving,
    priorities,
    intake(chunks, from) {
      show(from.peer, chunks, true)
      return intake(chunks, from)
    },
    onOffered(offers, session) {
      show(session.peer, offers, false)
      confirm()
    },
    receipts: receiptsOf(peer),
    onRetire(docTag, ids, keep) {
      if (keyless) void journal.retire({ docTag, ids, keep, at: clock.now() }).catch(() => undefined) // CLOSED: it is said again
    },
    dropWords,
    keeps: docTags => leaving.keeps(docTags),
    onKept: (number, docTags, session) => leaving.onKept(number, docTags, session),
    onProgress: publish,
    onConfirmed: confirm,
    onStored: (ids, { peer }) => tell(listener => listener.onStored?.(peer, ids)),
    onSnapshot: snapshots.answer,
    otherSessions: session => [...sessions].filter(other => other !== session && other.isLive()).length,
    onFailure: (session, error) => logger?.error('session-failed', { peer: session.peer, error: String(error) }),
    onClosed(session) {
      sessions.delete(session)
      snapshots.drop(session)
      leaving.onClosed(session)
      publish()
    },
    onReject,
  })

  /** What was made here is known to be good; only what a fragment contains may have to be asked. */
  const itemOf = (chunk: SealedChunk, cover: FragmentCover | undefined): Pending<JournalItem> =>
    chunk.class !== 'fragment' || cover !== undefined ? { chunk, contents: cover ?? NO_CONTENTS, origin: 'made' } : itemOfFragment(chunk)
  const itemOfFragment = async (chunk: SealedChunk): Promise<JournalItem> => {
    const verdict = await inspector.inspect(chunk)
    if (verdict.kind !== 'good') throw new SegueError('CHUNK_REFUSED', { chunk: chunk.id })
    return { chunk, contents: verdict, origin: 'made' }
  }

  const isRefused = (docTag: DocTag): boolean => dropped.has(docTag) || leftOut.has(docTag)
  const { keepsNothing = false } = components
  const leaving = createLeaving({ store, clock, journal, sessions, arriving, isRefused, leftOut, keepsNothing })
  const onTakenOut = (docTags: readonly DocTag[]): void => {
    for (const source of wants.forget(new Set(docTags))) source.onSettled()
    tell(listener => listener.onTakenOut?.(docTags))
  }

  void dropWords.resume().catch(() => undefined) // CLOSED: in the next run
  const closing = createCloseables()
  closing.add(() => journal.close())
  closing.add(() => {
    isClosed = true
    for (const session of [...sessions]) session.close('shutting-down')
  })

  return {
    id: history.id,
    incarnation: history.incarnation,
    attach(link, { scope } = {}) {
      if (isClosed) throw new SegueError('CLOSED')
      const session = createSession(hostFor(link.peer), link, scope)
      sessions.add(session)
      linkedAt.set(session, clock.monotonic())
      publish()
      return session
    },
    async add(chunks, options = {}) {
      for (const chunk of chunks) if (chunk.bytes.length > MAX_CHUNK_BYTES) throw new RangeError('a chunk over MAX_CHUNK_BYTES')
      const pending = allOf(chunks.map(chunk => itemOf(chunk, options.covers?.get(chunk.id))))
      const items = pending instanceof Promise ? await pending : pending
      const entries = items.map(({ chunk }) => arrivingHere(chunk))
      for (const [i, item] of items.entries()) {
        arriving.set(item.chunk.id, entries[i] as Arriving)
        tracked.set(item, entries[i] as Arriving)
      }
      if (items.length <= FEW) turns.hurry()
      pushToAll(entries)
      pendingHere += items.length
      if (isFailing) showDurability()
      try {
        await journal.write(items)
      } finally {
        pendingHere -= items.length
        if (isFailing) showDurability()
      }
    },
    want(docTags) {
      for (const docTag of docTags) priorities.add(docTag)
      wants.prioritise(docTags)
      for (const session of sessions) session.ask(docTags)
    },
    unwant(docTags) {
      for (const docTag of docTags) priorities.delete(docTag)
      wants.unprioritise(docTags)
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    settled: () => journal.flush(),
    onKeysChanged: lateKeys.onKeysChanged,
    async dropRetired(before) {
      for (const keys of slicesOf(await expiredKeys(store, before), 64)) await journal.expire(keys)
    },
    async drop(docTags) {
      await dropWords.drop(docTags)
      onTakenOut(docTags)
      for (const session of sessions) session.drop(docTags)
    },
    isDropped: docTag => dropped.has(docTag),
    undrop: dropWords.undrop,
    takeBackDrop: dropWords.takeBack,
    async leaveOut(docTags, { isForced = false } = {}) {
      const due = docTags.filter(docTag => !leftOut.has(docTag) && docTag !== GROUP_DOC_TAG)
      const alone = await leaving.leave(due, isForced)
      if (alone.length > 0 || due.length === 0) return alone
      onTakenOut(due)
      for (const session of sessions) session.onLeftOut(false)
      confirm()
      return []
    },
    async takeBack(docTags) {
      const due = docTags.filter(docTag => leftOut.has(docTag))
      if (due.length === 0) return
      history.forgetCursors()
      await journal.leaveOut(due, false)
      history.forgetCursors() // one may have come since
      for (const session of sessions) session.onLeftOut(true)
      await journal.flush()
    },
    leftOut,
    refetch(damaged) {
      for (const { id } of damaged) mending.add(id)
      for (const session of sessions) if (session.isLive() && damaged.length > 0) session.sendWant(damaged.map(({ id }) => id))
    },
    recount: () => journal.recount(),
    peers,
    confirmations,
    durability,
    holdsAll: peer => receipts.get(peer)?.holdsAll() ?? false,
    confirmedAt: (peer, docTag) => receipts.get(peer)?.holds(docTag) ?? false,
    fingerprint: () => sumHex(summary.root()),
    log: () => ({ count: summary.log().count, fingerprint: toHex(summary.log().fingerprint) }),
    async putSnapshot(docTag, sealed) {
      if (sealed !== undefined && sealed.length > MAX_CHUNK_BYTES) throw new RangeError('a snapshot over MAX_CHUNK_BYTES')
      if (sealed === undefined || !isRefused(docTag)) journal.setRecord(snapshotKey(docTag), sealed)
      await journal.flush()
    },
    getSnapshot: docTag => store.getRecord(snapshotKey(docTag)),
    requestSnapshot: (docTag, options) => snapshots.request(docTag, options?.signal),
    close: closing.close,
    [Symbol.asyncDispose]: closing.close,
  }
}

const GOOD: Durability = { state: 'good', pending: 0 }
const NOBODY: Set<Session> = new Set()
const NO_CONTENTS = { level: 0, covers: [] } as const
