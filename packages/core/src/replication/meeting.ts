/**
 * How two replicas come to agree on one link: they greet, bring each other the whole log, compare, and are in sync once their roots are
 * equal; from then on, when it has been quiet for a while after changes, one asks whether they still are. What moves meanwhile is
 * session.ts's business.
 */
import { equalBytes, toHex } from '../lib/bytes.ts'
import { hexId, type DeviceId, type DocTag, type Incarnation } from '../lib/ids.ts'
import { SECOND_MS } from '../lib/units.ts'
import type { CloseCode } from '../wire/close-codes.ts'
import { negotiateVersion, type Hello } from '../wire/hello.ts'
import type { SyncMessage } from '../wire/sync-messages.ts'
import { createAlarm } from './alarm.ts'
import type { BulkQueue } from './bulk-queue.ts'
import type { Exceptions } from './exceptions.ts'
import { commonScope, helloOf, sameLog } from './greeting.ts'
import type { Offers } from './offers.ts'
import { QUIET_MS, STALL_MS, UNREST_MS } from './pace.ts'
import type { Session, SessionHost } from './session-host.ts'
import { sumBytes } from './sync-records.ts'

export type Phase = ReturnType<Session['phase']>

export interface Meeting {
  phase(): Phase
  /** What this side says first. */
  readonly hello: Hello
  /** What the other side said. */
  theirs(): Hello | undefined
  /** Up to which arrival here the other side has everything; 0 when that is not known. */
  theirCursor(): number
  /** Resolves with the other's hello, or with the end. */
  readonly greeting: Promise<void>
  /** The documents both scopes have in common; `undefined`: everything. */
  common(): ReadonlySet<DocTag> | undefined
  /** Both have the whole log: everything may move. */
  isLive(): boolean
  /** Comparisons ended and the roots still differ: what is held may have to be looked at again. */
  hasMismatched(): boolean
  onHello(hello: Hello): void
  /** The other side has the whole log. */
  onReady(): void
  /** The other side compares by summary; its own is answered apart. */
  onSummary(isAnswer: boolean): void
  onRoot(root: Root): void
  /** The other side has offered all that this comparison brings. */
  onOffered(): void
  /** Looks whether what this side waits for is complete, and goes on. */
  advance(): void
  /** The summary changed here. */
  onChanged(): void
  /** Something that was left out is looked for again. */
  lookAgain(): void
  end(): void
}

export type Root = Extract<SyncMessage, { type: 'root' }>

export interface MeetingParts {
  readonly host: SessionHost
  readonly peer: DeviceId
  readonly scope: readonly DocTag[] | undefined
  readonly exceptions: Exceptions
  readonly session: () => Session
  readonly offers: () => Offers
  readonly onBulk: BulkQueue
  /** At once. */
  readonly send: (message: Root) => void
  /** In its turn; resolves when the bulk channel took it. */
  readonly sendReady: () => Promise<void>
  readonly close: (code: CloseCode) => void
  /** The other side is known by its hello. */
  readonly onGreeted: (hello: Hello) => void
  /** What both said of what they hold was compared. */
  readonly onCompared: () => void
  /** Called again and again while changes leave no time for a comparison. */
  readonly onUnrest: () => void
  /** Everything may move now; the comparison follows. */
  readonly onBegin: () => void
}

export function createMeeting(parts: MeetingParts): Meeting {
  const { host, peer, scope, exceptions, session, offers, onBulk, send } = parts
  const { store, clock, summary, history, wants, receipts } = host
  const mine = helloOf(host, peer, scope)
  let phase: Phase = 'greeting'
  let theirs: Hello | undefined
  let common: ReadonlySet<DocTag> | undefined
  let isReady = false
  let peerIsReady = false
  let hasPeerOffered = false
  let isRoundOver = false
  let mismatches = 0
  const check = createAlarm(clock)
  const unrest = createAlarm(clock)
  let lastChange = clock.monotonic()
  let greeted = (): void => undefined
  const greeting = new Promise<void>(resolve => (greeted = resolve))

  const isLive = (): boolean => isReady && peerIsReady && phase !== 'closed'

  const onHello = (hello: Hello): void => {
    if (!negotiateVersion(mine.versions, hello.versions).ok) return parts.close('version-unsupported')
    theirs = hello
    const hasMoreOfUs =
      hello.cursor !== undefined &&
      history.isBehind({ incarnation: hexId<Incarnation>(hello.cursor.incarnation), arrival: hello.cursor.arrival })
    const hasGoneBack = hello.arrival < (history.cursorFor(peer)?.arrival ?? 0)
    receipts.begin(hexId<Incarnation>(hello.incarnation), hasGoneBack, hasMoreOfUs)
    common = commonScope(scope, hello)
    exceptions.setTheirs(hello.except)
    receipts.leaveOut(exceptions.theirs())
    parts.onGreeted(hello)
    phase = 'log'
    greeted()
    if (sameLog(mine.log, hello.log)) {
      isReady = true
      peerIsReady = true
      return begin(hello)
    }
    onBulk(() => offers().offerLog())
    host.onProgress(session())
  }

  const begin = (hello: Hello): void => {
    phase = 'comparing'
    parts.onBegin()
    // By what both said, not by what is here by now: the other side decides by the same two roots, or one waits for ever.
    const isWhole = common === undefined && mine.except === undefined && hello.except === undefined
    if (isWhole && equalBytes(mine.root, hello.root)) {
      if (equalBytes(sumBytes(summary.root()), hello.root)) return enterInSync(hello.unchecked, hello.arrival)
      if (hello.unchecked === 0 && host.unchecked.size === 0) receipts.knowAllBuckets()
      enterInSync(1, hello.arrival) // no receipt: what came meanwhile is still owed
      return onChanged()
    }
    session().ask([...host.priorities])
    onBulk(() => offers().offerFirst(hello))
    if (common === undefined) watchStall()
    host.onProgress(session())
    advance()
  }

  const enterInSync = (unchecked: number, arrival: number): void => {
    const isNews = phase !== 'in-sync'
    phase = 'in-sync'
    mismatches = 0
    isRoundOver = true
    if (unchecked === 0 && common === undefined) {
      receipts.settleAll()
      host.onConfirmed()
    }
    // What nobody could check here stays behind the cursor, to be named again when it can be.
    if (common === undefined && theirs !== undefined && host.unchecked.size === 0) {
      history.setCursor(peer, { incarnation: hexId<Incarnation>(theirs.incarnation), arrival })
    }
    check.cancel()
    unrest.cancel()
    parts.onCompared()
    if (isNews) host.onProgress(session())
  }

  const sendRoot = (isAnswer: boolean): void =>
    withRoot(root =>
      send({
        type: 'root',
        root,
        log: summary.log(),
        unchecked: host.unchecked.size,
        arrival: store.lastArrival(),
        isAnswer,
      }),
    )
  /** At once, unless the other side leaves out what has to be counted first. */
  const withRoot = (use: (root: Uint8Array) => void): void => {
    const root = exceptions.root()
    if (!(root instanceof Promise)) return use(sumBytes(root))
    onBulk(async () => use(sumBytes(await root)))
  }

  const advance = (): void => {
    if (phase === 'closed' || wants.count(session()) > 0 || !hasPeerOffered) return
    if (phase === 'log' && !isReady) {
      isReady = true
      hasPeerOffered = false
      onBulk(parts.sendReady)
      if (peerIsReady && theirs !== undefined) begin(theirs)
    } else if (phase === 'comparing' && !isRoundOver) {
      isRoundOver = true
      if (common !== undefined) enterInSync(1, 0)
      else sendRoot(false)
    }
  }

  /** A new round: both offer by summary. */
  const compareAgain = (isAnswer: boolean): void => {
    phase = 'comparing'
    isRoundOver = false
    hasPeerOffered = false
    onBulk(() => offers().sendSummary(isAnswer))
    watchStall()
    host.onProgress(session())
  }
  /** Rounds that cross can leave one side waiting for an offer that came before it began: then it asks whether there is anything. */
  const watchStall = (): void =>
    check.set(STALL_MS, () => {
      if (phase !== 'comparing') return
      if (wants.count(session()) === 0) sendRoot(false)
      watchStall()
    })
  const onChanged = (): void => {
    lastChange = clock.monotonic()
    if (phase !== 'in-sync' || common !== undefined) return
    if (!check.isSet()) watchQuiet(QUIET_MS)
    if (receipts.needsProofs() && !unrest.isSet()) unrest.set(UNREST_MS, parts.onUnrest)
  }
  /** When it has been quiet for a while after changes, one side asks whether all arrived; the other only if the first did not. */
  const watchQuiet = (ms: number): void =>
    check.set(ms, () => {
      const isFirst = theirs !== undefined && history.id < toHex(theirs.replica)
      const quietMs = (isFirst ? 1 : 2) * QUIET_MS
      const goneMs = clock.monotonic() - lastChange
      if (goneMs < quietMs) watchQuiet(quietMs - goneMs)
      else sendRoot(false)
    })

  return {
    phase: () => phase,
    hello: mine,
    theirs: () => theirs,
    theirCursor() {
      const cursor = theirs?.cursor && { incarnation: hexId<Incarnation>(theirs.cursor.incarnation), arrival: theirs.cursor.arrival }
      return cursor !== undefined && history.hasReached(cursor) ? cursor.arrival : 0
    },
    greeting,
    common: () => common,
    isLive,
    hasMismatched: () => mismatches > 0,
    onHello,
    onReady() {
      peerIsReady = true
      if (isReady && phase === 'log' && theirs !== undefined) begin(theirs)
    },
    onSummary(isAnswer) {
      if (!isAnswer && isLive() && (phase === 'in-sync' || isRoundOver)) compareAgain(true)
    },
    onRoot(root) {
      if (common !== undefined || !isLive()) return
      if (!sameLog(summary.log(), root.log)) onBulk(() => offers().offerLog(false))
      withRoot(mineNow => {
        if (!isLive()) return
        if (equalBytes(root.root, mineNow)) {
          enterInSync(root.unchecked, root.arrival)
          if (!root.isAnswer) sendRoot(true)
        } else if (isRoundOver) {
          mismatches++
          parts.onCompared()
          check.set(Math.min(SECOND_MS * 2 ** Math.min(mismatches, 6), 30 * SECOND_MS), () => compareAgain(false))
        }
      })
    },
    onOffered() {
      hasPeerOffered = true
    },
    advance,
    onChanged,
    lookAgain() {
      if (isLive() && common === undefined) compareAgain(false)
    },
    end() {
      phase = 'closed'
      check.cancel()
      unrest.cancel()
      greeted()
    },
  }
}
