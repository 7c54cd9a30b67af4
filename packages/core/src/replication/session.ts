/**
 * One link's side of the conversation that wire/sync-messages.ts describes: what comes and what goes; how the two agree is in
 * meeting.ts. Small frames go on the live channel, whatever may be large on the bulk one, in a chain, each frame after the channel took
 * the last.
 */
import { CHUNK_ID_BYTES, DOC_TAG_BYTES, GROUP_DOC_TAG, hexId, idBytes, type ChunkId, type DocTag } from '../lib/ids.ts'
import { unreachable } from '../lib/assert.ts'
import { parseChunk } from '../crypto/seal.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import type { Channel } from '../wire/channels.ts'
import type { CloseCode } from '../wire/close-codes.ts'
import { MAX_FRAME_BYTES } from '../wire/limits.ts'
import {
  decodeSyncMessage,
  encodeSyncMessage,
  MAX_DROP_TAGS,
  MAX_STORED_IDS,
  MAX_WANT_IDS,
  type SyncMessage,
} from '../wire/sync-messages.ts'
import { packIds, packOffers, slicesOf, unpackDocSums, unpackIds, unpackOffers, type Offer } from './sync-records.ts'
import { isLetter } from './pace.ts'
import { FRESH_DELAY_MS, LIVE_WINDOW_BYTES, MAX_FRESH_RECORDS, MAX_FRESH_WAITING, MAX_PUSH_BYTES, MAX_UNREAD_BYTES } from './pace.ts'
import { createBulkQueue } from './bulk-queue.ts'
import { createAssembler } from './parts.ts'
import { createDelay } from './delay.ts'
import { createExceptions } from './exceptions.ts'
import { droppedSince } from './dropped.ts'
import { createOffers } from './offers.ts'
import { lackedOf } from './lacking.ts'
import { createMeeting } from './meeting.ts'
import { answerProofs, createProofs } from './proofs.ts'
import { createRetiring } from './retiring.ts'
import type { Session, SessionHost } from './session-host.ts'
import { createServing } from './serving.ts'
import { boundFor } from './small-catch-ups.ts'
import { createThrottle } from './throttle.ts'
import { DROP_VERSION, DROPPED_VERSION, EXCEPT_VERSION, PROVE_VERSION } from './versions.ts'

export function createSession(host: SessionHost, link: DeviceLink, scope: readonly DocTag[] | undefined): Session {
  const { store, clock, journal, wants, receipts } = host
  const throttle = createThrottle(clock, { burst: 4_000, perSecond: 1_000 })
  const assembler = createAssembler()
  const exceptions = createExceptions(host.leftOut, host.sums, host.summary)
  let backlog: Offer[] = []
  /** What is left out here changed since the hello, and could not be said yet. */
  let owesExcept = false

  const isOpen = (): boolean => meeting.phase() !== 'closed'
  const isCommon: Session['isInScope'] = header => {
    const common = meeting.common()
    return common === undefined || header.class === 'log' || header.docTag === GROUP_DOC_TAG || common.has(header.docTag)
  }
  const isInScope: Session['isInScope'] = header => isCommon(header) && !exceptions.has(header.docTag)

  const send = async (channel: Channel, message: SyncMessage): Promise<void> => {
    if (channel === 'sync-bulk') await host.turns.next()
    if (isOpen()) return link.send(channel, encodeSyncMessage(message))
  }
  /** A dead link says so through onClosed; what was to be sent no longer matters. */
  const sendLive = (message: SyncMessage): void => {
    if (link.pending('sync-live') > MAX_UNREAD_BYTES) return close('too-slow')
    void send('sync-live', message).catch(() => undefined)
  }
  /** Sending on a dead link fails too; that is no failure of ours. */
  const fail = (error: unknown): void => {
    if (!isOpen() || link.closed.aborted) return
    host.onFailure(session, error)
    close('internal-error')
  }
  const onBulk = createBulkQueue({ isOpen, onFailure: error => fail(error), onTooMuch: () => close('too-slow'), room: host.room })
  const close = (code: CloseCode): void => {
    if (!isOpen()) return
    end()
    void link.close(code).catch(() => undefined) // closing a dead link has nothing to say
  }
  const end = (): void => {
    meeting.end()
    backlog = []
    fresh.end()
    wants.drop(session)
    retiring.end()
    host.onClosed(session)
  }

  /** Both have the whole log: from now on everything may move. */
  const onBegin = (): void => {
    // Stored since the greeting: not in what it said, and forgotten if the peer turned out to have been started anew.
    for (const offer of backlog) if (offer.class !== 'log') receipts.owe(offer)
    if (backlog.length > 0) announce(backlog, 'news')
    backlog = []
    if (owesExcept) sendExcept()
    push([...host.arriving.values()].filter(entry => entry.from === undefined))
    for (const ids of slicesOf([...host.doubted.keys()], MAX_WANT_IDS)) session.sendWant(ids)
    if (host.isKeyless) drop(droppedSince(host.dropped, meeting.theirCursor(), clock.now()))
  }

  const push: Session['push'] = entries => {
    if (!meeting.isLive()) return
    const chunks: Uint8Array[] = []
    let room = LIVE_WINDOW_BYTES - link.pending('sync-live')
    for (const { chunk, knownBy } of entries) {
      if (knownBy.has(session) || !isInScope(chunk) || chunk.bytes.length > Math.min(room, MAX_PUSH_BYTES)) continue
      room -= chunk.bytes.length
      knownBy.add(session)
      chunks.push(chunk.bytes)
    }
    if (chunks.length > 0) sendLive({ type: 'chunks', chunks })
  }

  const announce: Session['announce'] = (chunks, as) => {
    const phase = meeting.phase()
    if (phase === 'closed') return
    const inScope = chunks.filter(isInScope)
    const owed = as !== 'news'
    const given = as === 'given' && host.isKeyless && hears(PROVE_VERSION) ? { given: true } : {}
    if (!owed && !meeting.isLive()) {
      if (phase === 'greeting' || phase === 'log') backlog.push(...chunks)
      return
    }
    if (phase === 'greeting') return
    const plain = owed ? inScope.filter(chunk => chunk.class !== 'register') : []
    for (const slice of slicesOf(plain, MAX_STORED_IDS)) sendLive({ type: 'stored', ids: packIds(slice.map(chunk => chunk.id)), ...given })
    const told = owed ? inScope.filter(chunk => chunk.class === 'register') : inScope
    for (const slice of slicesOf(told, MAX_FRESH_RECORDS))
      sendLive({ type: 'have', items: packOffers(slice), fresh: true, last: false, ...given })
  }

  /** The peer has it, which may still be on its way to disk here. */
  const note = (id: ChunkId, isProof: boolean, sequence?: number): void => {
    if (isProof) receipts.prove(id, sequence)
    else proofs.onNamed(id, sequence)
    const entry = host.arriving.get(id)
    entry?.knownBy.add(session)
    if (isProof) entry?.confirmedBy.add(link.peer)
  }
  const onStored = (ids: readonly ChunkId[], isProof: boolean): void => {
    for (const id of ids) note(id, isProof)
    host.onStored(ids, session)
    host.onConfirmed()
  }
  const onHave = async (message: Extract<SyncMessage, { type: 'have' }>): Promise<void> => {
    const offered = unpackOffers(message.items)
    if (offered === undefined) return close('malformed-frame')
    const isProof = message.given ?? !needsProofs()
    for (const { id, sequence } of offered) note(id, isProof, sequence)
    host.onOffered(offered, session)
    drop([...new Set(offered.map(({ docTag }) => docTag).filter(docTag => host.dropped.has(docTag)))])
    // What was just stored by a peer is often on its way from its maker too.
    if (message.fresh && host.otherSessions(session) > 0) return fresh.add(offered.filter(isInScope))
    await takeOffer(offered.filter(isInScope), message.fresh)
    if (message.last) {
      // What was given unasked counts as offered: the comparison goes on when the summary has it.
      if ([...host.arriving.values()].some(({ from }) => from === session)) await journal.flush()
      meeting.onOffered()
    }
    meeting.advance()
  }
  const fresh = createDelay<Offer>(clock, {
    ms: FRESH_DELAY_MS,
    maxWaiting: MAX_FRESH_WAITING,
    onDue: due => takeOffer(due, true).catch(fail),
  })
  const takeOffer = async (offered: readonly Offer[], isFresh: boolean): Promise<void> => {
    const { lacking, held, contained } = await lackedOf(host, offered)
    if (!isOpen()) return
    retiring.supersede(contained)
    for (const offer of lacking) wants.announce(session, offer)
    wants.pump(session)
    const receipted = isFresh ? [] : held.filter(offer => !host.unchecked.has(offer.id))
    if (receipted.length > 0) announce(receipted, 'named')
    if (!isFresh && meeting.hasMismatched()) {
      const complete = new Set(offered.map(offer => offer.docTag))
      for (const offer of lacking) complete.delete(offer.docTag)
      await journal.reconsider([...complete])
    }
    host.onProgress(session)
  }

  const onChunks = async (frames: readonly Uint8Array[]): Promise<void> => {
    const chunks: SealedChunk[] = []
    for (const bytes of frames) {
      const parsed = parseChunk(bytes)
      if (!parsed.ok || !isCommon(parsed.value)) return close('malformed-frame')
      if (!exceptions.has(parsed.value.docTag)) chunks.push(parsed.value) // else pushed before it was said
    }
    for (const { id, sequence } of chunks) wants.arrived(id, sequence, session)
    wants.pump(session)
    await host.intake(chunks, session)
  }

  const onPart = async (part: Extract<SyncMessage, { type: 'part' }>): Promise<void> => {
    const whole = assembler.take(part)
    if (whole === undefined) return
    if (whole === 'malformed') return close('malformed-frame')
    if (whole.of === 'snapshot') return host.onSnapshot(hexId<DocTag>(whole.id), whole.bytes, session)
    await onChunks([whole.bytes])
  }

  const handle = (message: SyncMessage): Promise<void> | void => {
    switch (message.type) {
      case 'hello':
        return meeting.theirs() === undefined ? meeting.onHello(message) : close('malformed-frame')
      case 'ready':
        return meeting.onReady()
      case 'summary':
        onBulk(() => offers.answerSummary(message.buckets), message.buckets.length)
        return meeting.onSummary(message.isAnswer)
      case 'docs':
        return onBulk(() => offers.answerDocs([...message.buckets], unpackDocSums(message.docs), message.last), message.docs.length)
      case 'have':
        return onHave(message)
      case 'want':
        return onBulk(() => serving.serve(unpackIds<ChunkId>(message.ids, CHUNK_ID_BYTES)), message.ids.length)
      case 'chunks':
        return onChunks(message.chunks)
      case 'part':
        return onPart(message)
      case 'stored':
        return onStored(unpackIds<ChunkId>(message.ids, CHUNK_ID_BYTES), message.given ?? !needsProofs())
      case 'refused':
        for (const id of unpackIds<ChunkId>(message.ids, CHUNK_ID_BYTES)) wants.fail(id, session)
        wants.pump(session)
        return meeting.advance()
      case 'reject':
        return host.onReject(hexId<ChunkId>(message.id), message.bytesHash, session, message.why)
      case 'retire':
        return host.onRetire(hexId<DocTag>(message.tag), unpackIds(message.ids, CHUNK_ID_BYTES), unpackIds(message.keep, CHUNK_ID_BYTES))
      case 'drop':
        return onBulk(() => onDrop(unpackIds<DocTag>(message.tags, DOC_TAG_BYTES)), message.tags.length)
      case 'except':
        return onExcept(message.tags)
      case 'leave':
        return onBulk(() => onLeave(message.number, unpackIds<DocTag>(message.tags, DOC_TAG_BYTES)), message.tags.length)
      case 'kept':
        return host.onKept(message.number, unpackIds<DocTag>(message.tags, DOC_TAG_BYTES), session)
      case 'dropped':
        return host.dropWords.onDropped(unpackIds<DocTag>(message.tags, DOC_TAG_BYTES), session)
      case 'undrop':
        return host.dropWords.onUndrop(unpackIds<DocTag>(message.tags, DOC_TAG_BYTES), session)
      case 'prove':
        if (!host.isKeyless) return
        return onBulk(
          async () => send('sync-bulk', await answerProofs(store, host.hasher, unpackIds(message.ids, CHUNK_ID_BYTES))),
          message.ids.length,
        )
      case 'holds':
        return onBulk(async () => wantOthers(await proofs.take(message.items)), message.items.length)
      case 'root':
        return meeting.onRoot(message)
      case 'ask':
        return onBulk(() => offers.offerDocuments(message), message.tags.length)
      case 'ask-snapshot':
        return onBulk(() => serving.giveSnapshot(hexId<DocTag>(message.tag)))
      case 'no-snapshot':
        return host.onSnapshot(hexId<DocTag>(message.tag), undefined, session)
      default:
        return unreachable(message)
    }
  }

  /** Names of nothing that is here would fill memory and disk, beside every quota; of what comes later it is told when it offers that. */
  const onDrop = async (docTags: readonly DocTag[]): Promise<void> => {
    if (!host.isKeyless) return
    const held: DocTag[] = []
    for (const docTag of new Set(docTags)) {
      for await (const found of store.docTags({ from: docTag, limit: 1 })) if (found === docTag) held.push(docTag)
    }
    if (held.length > 0) host.dropWords.onDrop(held, session)
  }
  const hears = (version: number): boolean => (meeting.theirs()?.versions.current ?? 0) >= version
  const drop = (docTags: readonly DocTag[]): void => {
    const isRelay = meeting.theirs()?.isKeyless === true
    if (isRelay === host.isKeyless || !hears(isRelay ? DROP_VERSION : DROPPED_VERSION)) return
    for (const tags of slicesOf(docTags, MAX_DROP_TAGS)) sendLive({ type: isRelay ? 'drop' : 'dropped', tags: packIds(tags) })
  }
  const needsProofs = (): boolean => receipts.needsProofs()
  /** Other bytes than those here are looked at as any that come. */
  const wantOthers = (others: readonly ChunkId[]): void => {
    for (const ids of slicesOf(others, MAX_WANT_IDS)) session.sendWant(ids)
  }
  const undrop = (docTags: readonly DocTag[]): void => {
    if (meeting.theirs()?.isKeyless !== true || !hears(DROPPED_VERSION)) return
    for (const tags of slicesOf(docTags, MAX_DROP_TAGS)) sendLive({ type: 'undrop', tags: packIds(tags) })
  }
  const sendExcept = (): void => {
    owesExcept = !meeting.isLive()
    if (!owesExcept && hears(EXCEPT_VERSION)) sendLive({ type: 'except', tags: packIds([...host.leftOut]) })
  }
  const onExcept = (tags: Uint8Array): void => {
    exceptions.setTheirs(tags)
    receipts.leaveOut(exceptions.theirs())
    host.onConfirmed()
  }
  /** Only in sync: then what both say of each other is so. */
  const onLeave = async (number: number, docTags: readonly DocTag[]): Promise<void> => {
    const kept = await host.keeps(docTags)
    const isSure = meeting.phase() === 'in-sync' && meeting.common() === undefined
    sendLive({ type: 'kept', number, tags: packIds(isSure ? kept : []) })
  }
  const ask = (docTags: readonly DocTag[]): void => {
    for (const tags of slicesOf(docTags, MAX_WANT_IDS)) if (meeting.isLive()) void offers.askFor(tags).then(sendLive, fail)
  }

  const meeting = createMeeting({
    host,
    peer: link.peer,
    scope,
    exceptions,
    session: () => session,
    offers: () => offers,
    onBulk,
    send: sendLive,
    sendReady: () => send('sync-bulk', { type: 'ready' }),
    close,
    onGreeted(hello) {
      if (hello.isKeyless !== true || host.isKeyless) return
      retiring.begin()
      if (hears(PROVE_VERSION) && meeting.common() === undefined) onBulk(proofs.begin(meeting.theirCursor()))
    },
    onCompared() {
      if (needsProofs()) onBulk(proofs.ask)
    },
    onUnrest() {
      if (meeting.phase() === 'in-sync') onBulk(proofs.askMeanwhile)
    },
    onBegin,
  })
  const session: Session = {
    peer: link.peer,
    phase: meeting.phase,
    isLive: meeting.isLive,
    isInScope,
    push,
    announce,
    ask,
    mayAsk: boundFor(link, clock, () => wants.pump(session)),
    sendWant: ids => sendLive({ type: 'want', ids: packIds(ids) }),
    askSnapshot: docTag => sendLive({ type: 'ask-snapshot', tag: idBytes(docTag) }),
    supersede: chunks => retiring.supersede(chunks.filter(isInScope)),
    drop,
    mayKeep: docTag => meeting.phase() === 'in-sync' && meeting.common() === undefined && hears(EXCEPT_VERSION) && receipts.holds(docTag),
    sendLeave: (number, docTags) => sendLive({ type: 'leave', number, tags: packIds(docTags) }),
    onLeftOut(isBack) {
      sendExcept()
      if (isBack) meeting.lookAgain()
      else meeting.advance()
    },
    undrop,
    needsProofs,
    sendReject: (id, bytesHash, why) => sendLive({ type: 'reject', id: idBytes(id), bytesHash, why: why.slice(0, 100) }),
    onSettled() {
      wants.pump(session)
      meeting.advance()
    },
    onChanged: meeting.onChanged,
    close,
    async onFrame(channel, frame) {
      if (!isOpen()) return
      if (channel === 'sync-bulk') await host.turns.next()
      if (frame.length > MAX_FRAME_BYTES) return close('frame-too-large')
      const slowed = throttle.take(link.closed)
      if (slowed !== undefined) await slowed
      const message = decodeSyncMessage(frame)
      if (!message.ok) return close('malformed-frame')
      if (channel === 'sync-live' && isLetter(message.value)) host.turns.hurry()
      // The two channels do not wait for each other: what overtook the hello waits for it here.
      if (meeting.theirs() === undefined && message.value.type !== 'hello') await meeting.greeting
      if (isOpen()) await handle(message.value)
    },
    onClosed() {
      if (isOpen()) end()
    },
  }
  const serving = createServing({ store, isOpen, isInScope, send: message => send('sync-bulk', message) })
  const proofs = createProofs({
    ...{ peer: link.peer, store, hasher: host.hasher, receipts, history: host.history, journal, onProven: host.onConfirmed },
    send: message => send('sync-bulk', message),
    give: ids => serving.serve(ids),
  })
  const retiring = createRetiring({
    clock,
    covers: host.covers,
    receipts,
    send: message => onBulk(() => send('sync-bulk', message), message.ids.length),
    onFailure: error => fail(error),
  })
  const offers = createOffers({
    host,
    common: meeting.common,
    exceptions,
    send: message => send('sync-bulk', message),
    give: ids => serving.serve(ids),
    onKnown: host.onConfirmed,
  })
  void send('sync-live', meeting.hello).catch(() => undefined) // see sendLive
  return session
}
