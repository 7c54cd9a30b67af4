/**
 * All handoffs of this device: starts them, hears about them, picks them up after a restart, and gives each message to the one it
 * belongs to. What a handoff does is in transition.ts; how one runs is in runtime.ts.
 */
import { createSubject, type Subject } from '../lib/observable.ts'
import { isSegueError, SegueError, type ErrorCode } from '../lib/errors.ts'
import { equalBytes } from '../lib/bytes.ts'
import { hexId, publicKeyOf, RANDOM_ID_BYTES, type DeviceId, type HandoffId, type SessionId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import { DAY_MS, MINUTE_MS } from '../lib/units.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import { decodeControlMessage, encodeControlMessage, type AbortReason, type ControlMessage } from '../wire/control-messages.ts'
import { createClaimWriter, type ClaimWriter } from './claims.ts'
import type { HandoffComponents } from './collaborators.ts'
import type { Handoff, Handoffs, HandoffSummary, SendOptions, TakeOptions } from './handoffs.ts'
import { manifestBytes } from './manifest.ts'
import { boundedLifetimeMs, composeAbort, eventOf, idsOf, type MessageIds } from './messages.ts'
import { SESSION_KINDS, type HandoffOutcome } from './outcome.ts'
import { decodeRecord, forgettable, HANDOFF_RECORDS, recordKey } from './records.ts'
import { createRuntime, type Runtime } from './runtime.ts'
import { isSettledState, type HandoffRecord } from './state.ts'
import { createSteps, type Steps } from './steps.ts'

export const LIVE_LIFETIME_MS: number = 2 * MINUTE_MS
export const QUEUED_LIFETIME_MS: number = DAY_MS
/** Handoffs underway that one other device may have begun here. */
export const MAX_INCOMING_PER_DEVICE = 16

/** Resumes what was underway when the process last ended. Throws when the records cannot be read. */
export async function createHandoffs(components: HandoffComponents): Promise<Handoffs> {
  const { identity, clock, random, verifier, logger, records, devices, sessions, telemetry } = components
  const claims: ClaimWriter = createClaimWriter(components)
  const steps: Steps = createSteps(components, claims)
  const runtimes = new Map<HandoffId, Runtime>()
  const list: Subject<readonly HandoffSummary[]> = createSubject<readonly HandoffSummary[]>([], error =>
    logger.error('handoff-listener-failed', { detail: String(error) }),
  )
  let closed = false

  const announce = (): void => {
    list.set([...runtimes.values()].map(summaryOf).toSorted((a, b) => b.startedAt - a.startedAt))
  }

  const add = (record: HandoffRecord, isStored: boolean): Runtime => {
    const runtime = createRuntime(components, steps, record, { isStored, onChange: announce })
    runtimes.set(record.id, runtime)
    announce()
    return runtime
  }

  const begin = (record: HandoffRecord): Runtime => {
    const runtime = add(record, false)
    forgetOld()
    return runtime
  }

  const forgetOld = (): void => {
    const old = forgettable(
      [...runtimes.values()].map(runtime => runtime.record()),
      clock.now(),
    )
    if (old.length === 0) return
    for (const { id } of old) {
      runtimes.get(id)?.close()
      runtimes.delete(id)
    }
    records
      .write(new Map(old.map(({ id }) => [recordKey(id), undefined])))
      .catch(error => logger.warn('handoff-not-forgotten', { detail: String(error) }))
  }

  const fresh = (
    ids: Pick<HandoffRecord, 'id' | 'session' | 'trace'>,
    peer: DeviceId,
    lifetimeMs: number,
    kinds: HandoffRecord['kinds'],
  ): Fresh => {
    const startedAt = clock.now()
    const times = { startedAt, expiresAt: startedAt + lifetimeMs, lifetimeMs }
    const counts = { attempt: 1, revision: 0, bytes: 0, conflicts: 0, late: 0 }
    return { ...ids, peer, kinds, ...times, ...counts, authority: 'live', milestone: 'authentication' }
  }
  const sourceRecord = (base: Fresh, incoming: boolean): HandoffRecord => ({
    ...base,
    side: 'source',
    state: 'preparing',
    target: base.peer,
    incoming,
    held: false,
  })
  const targetRecord = (base: Fresh, incoming: boolean): HandoffRecord => ({
    ...base,
    side: 'target',
    state: 'requesting',
    target: identity.id,
    incoming,
    verified: false,
  })

  const newIds = (session: SessionId, id?: HandoffId): Pick<HandoffRecord, 'id' | 'session' | 'trace'> => ({
    id: id ?? hexId(random.bytes(RANDOM_ID_BYTES)),
    session,
    trace: hexId(random.bytes(RANDOM_ID_BYTES)),
  })

  /** The same id again: joined while underway, tried again when it ended without moving. */
  const rejoin = (runtime: Runtime): Handoff => {
    const record = runtime.record()
    if (record.state === 'ended') {
      runtime.renew()
      const startedAt = clock.now()
      void runtime.dispatch({ type: 'retry', startedAt, expiresAt: startedAt + record.lifetimeMs })
    }
    return handleOf(runtime, 'last')
  }

  const send = (session: SessionId, { to, include, expiresInMs, id }: SendOptions): Handoff => {
    assertOpen()
    const known = id === undefined ? undefined : runtimes.get(id)
    if (known !== undefined) return rejoin(known)
    const isLinked = devices.link(to) !== undefined
    const lifetimeMs = boundedLifetimeMs(expiresInMs ?? (isLinked ? LIVE_LIFETIME_MS : QUEUED_LIFETIME_MS))
    const runtime = begin(sourceRecord(fresh(newIds(session, id), to, lifetimeMs, include ?? SESSION_KINDS), false))
    void start(runtime)
    return handleOf(runtime, 'first')
  }

  const take = (session: SessionId, { from, include, expiresInMs, id }: TakeOptions = {}): Handoff => {
    assertOpen()
    const known = id === undefined ? undefined : runtimes.get(id)
    if (known !== undefined) return rejoin(known)
    const ids = newIds(session, id)
    const lifetimeMs = boundedLifetimeMs(expiresInMs ?? LIVE_LIFETIME_MS)
    if (from !== undefined) {
      const runtime = begin(targetRecord(fresh(ids, from, lifetimeMs, include ?? SESSION_KINDS), false))
      void start(runtime)
      return handleOf(runtime, 'first')
    }
    return handleLater(
      ids.id,
      claims.lease(session).then(({ holder }): Runtime | HandoffOutcome => {
        if (holder === undefined) return { kind: 'failed', milestone: 'authentication', code: 'SESSION_UNKNOWN', retry: 'later' }
        const runtime = begin(targetRecord(fresh(ids, holder, lifetimeMs, include ?? SESSION_KINDS), false))
        // Already ours, or of a device that was removed: nobody to ask.
        const isAlone = holder === identity.id || !devices.isActive(holder)
        void start(runtime).then(() => (isAlone ? runtime.dispatch({ type: 'unreachable' }) : undefined))
        return runtime
      }),
    )
  }

  /** Writes the record, then does what its first state asks for. */
  const start = (runtime: Runtime): Promise<void> => runtime.dispatch({ type: 'nudged' })

  /** Its device is gone for good. A source that has let go, or a target that drives by its own claim, goes on to its end. */
  const endWithout = async (runtime: Runtime): Promise<void> => {
    if (isSettledState(runtime.record().state)) return
    await runtime.dispatch({ type: 'step-failed', code: 'PEER_REMOVED', retry: 'never' })
    const { state } = runtime.record()
    // What was verified waits for a word that never comes.
    if (state === 'awaiting-commit' || state === 'cancelling') await runtime.dispatch({ type: 'deadline' })
  }

  const cancel = async (id: HandoffId): Promise<Result<HandoffOutcome, ErrorCode>> => {
    const runtime = runtimes.get(id)
    if (runtime === undefined) return failed('HANDOFF_UNKNOWN')
    const { state, outcome } = runtime.record()
    if (isSettledState(state) && outcome !== undefined) return ok(outcome)
    await runtime.dispatch({ type: 'cancel' })
    return ok(await runtime.promises().last)
  }

  const rollback = async (id: HandoffId): Promise<Result<void, ErrorCode>> => {
    const record = runtimes.get(id)?.record()
    if (record === undefined) return failed('HANDOFF_UNKNOWN')
    if (record.checkpoint === undefined) return failed('CHECKPOINT_UNKNOWN')
    try {
      await sessions.rollback(record.session, record.checkpoint)
    } catch (error) {
      if (isSegueError(error)) return failed(error.code)
      throw error
    }
    const documents = record.manifest?.documents.length ?? 0
    telemetry.record({ type: 'reverted', time: clock.now(), trace: record.trace, session: record.session, documents })
    return ok(undefined)
  }

  const receive = async (peer: DeviceId, message: ControlMessage, link: DeviceLink | undefined): Promise<void> => {
    const ids = idsOf(message)
    const runtime = runtimes.get(ids.handoff) ?? (await welcome(peer, ids, message, link))
    if (runtime === undefined) return
    const record = runtime.record()
    if (record.peer !== peer || record.session !== ids.session) return logger.warn('handoff-message-misplaced', { handoff: ids.handoff })
    const event = eventOf(message, record, { self: identity.id, now: clock.now(), grants: runtime.grants, verifier })
    if (event === undefined) return logger.warn('handoff-grant-invalid', { handoff: ids.handoff })
    if (message.type === 'offer') runtime.memory.hotSet = message.hotSet
    await runtime.dispatch(event)
  }

  /** A handoff that is not known here: begun, or answered that it is not known. */
  const welcome = async (
    peer: DeviceId,
    ids: MessageIds,
    message: ControlMessage,
    link: DeviceLink | undefined,
  ): Promise<Runtime | undefined> => {
    if (message.type !== 'offer' && message.type !== 'request') {
      if (message.type !== 'abort' && message.type !== 'commit') await answer(link, ids, message, 'unknown-handoff')
      return
    }
    const underway = [...runtimes.values()].filter(
      ({ record }) => record().incoming && record().peer === peer && !isSettledState(record().state),
    )
    if (underway.length >= MAX_INCOMING_PER_DEVICE) {
      await answer(link, ids, message, 'busy')
      return
    }
    const base = fresh(
      { id: ids.handoff, session: ids.session, trace: ids.trace },
      peer,
      boundedLifetimeMs(message.expiresInMs),
      message.kinds,
    )
    // one attempt behind, so that the message that follows is news
    const record =
      message.type === 'offer' ? targetRecord(base, true) : sourceRecord({ ...base, attempt: Math.max(0, message.attempt - 1) }, true)
    return begin(record)
  }

  const answer = async (
    link: DeviceLink | undefined,
    { handoff, session, trace }: MessageIds,
    { attempt }: ControlMessage,
    reason: AbortReason,
  ): Promise<void> => {
    const abort = encodeControlMessage(composeAbort({ id: handoff, session, trace }, attempt, reason))
    await link?.send('control', abort).catch(error => logger.debug('handoff-not-answered', { detail: String(error) }))
  }

  const handleOf = (runtime: Runtime, which: 'first' | 'last'): Handoff => ({
    id: runtime.record().id,
    progress: runtime.feed().steps,
    done: runtime.promises()[which],
  })

  const handleLater = (id: HandoffId, pending: Promise<Runtime | HandoffOutcome>): Handoff => {
    const found = pending.catch((error: unknown): HandoffOutcome => {
      const code = isSegueError(error) ? error.code : 'STORE_FAILED'
      return { kind: 'failed', milestone: 'authentication', code, retry: 'later' }
    })
    return {
      id,
      progress: {
        async *[Symbol.asyncIterator]() {
          const runtime = await found
          if (!('kind' in runtime)) yield* runtime.feed().steps
        },
      },
      done: found.then(runtime => ('kind' in runtime ? runtime : runtime.promises().first)),
    }
  }

  const assertOpen = (): void => {
    if (closed) throw new SegueError('CLOSED')
  }

  for await (const [key, bytes] of records.list(HANDOFF_RECORDS)) {
    const record = decodeRecord(bytes)
    if (record === undefined) logger.warn('handoff-record-unreadable', { key })
    else add(record, true)
  }
  forgetOld()
  for (const runtime of runtimes.values()) void runtime.dispatch({ type: 'nudged' })

  const close = (): Promise<void> => {
    closed = true
    for (const runtime of runtimes.values()) runtime.close()
    return Promise.resolve()
  }

  return {
    send,
    take,
    cancel,
    rollback,
    retry(id) {
      const runtime = runtimes.get(id)
      return runtime === undefined ? failed('HANDOFF_UNKNOWN') : ok(rejoin(runtime))
    },
    follow(id) {
      const runtime = runtimes.get(id)
      return runtime && handleOf(runtime, 'last')
    },
    list,
    lease: claims.lease,
    open: claims.open,
    onSessionChanged(session) {
      for (const runtime of runtimes.values()) {
        const { session: its, state, authority } = runtime.record()
        if (its === session && state === 'offered' && authority === 'standing') void runtime.dispatch({ type: 'nudged' })
      }
    },
    onMembersChanged() {
      for (const runtime of runtimes.values()) {
        if (!devices.isActive(runtime.record().peer))
          endWithout(runtime).catch(error => logger.warn('handoff-not-ended', { detail: String(error) }))
      }
    },
    onLink(link) {
      for (const runtime of runtimes.values()) {
        if (runtime.record().peer !== link.peer) continue
        runtime.grants.renew()
        void runtime.dispatch({ type: 'nudged' })
      }
    },
    async onFrame(link, frame) {
      const message = decodeControlMessage(frame)
      if (!message.ok) throw new SegueError(message.error.reason === 'too-large' ? 'FRAME_TOO_LARGE' : 'FRAME_INVALID')
      if (closed || !devices.isActive(link.peer)) return
      if (message.value.type === 'offer' && !equalBytes(message.value.target, publicKeyOf(identity.id))) return
      await receive(link.peer, message.value, link)
    },
    async onCarriedOffer(from, offer) {
      const message = decodeControlMessage(offer)
      if (!message.ok || message.value.type !== 'offer' || message.value.standing === undefined) return
      if (closed || from === identity.id || !devices.isActive(from)) return
      if (!equalBytes(message.value.target, publicKeyOf(identity.id))) return
      await receive(from, message.value, undefined)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** What both sides' first records have in common. */
type Fresh = Omit<Extract<HandoffRecord, { side: 'source' }>, 'side' | 'state' | 'target' | 'incoming' | 'held'>

function summaryOf(runtime: Runtime): HandoffSummary {
  const record = runtime.record()
  const { id, trace, session, peer, side, milestone, kinds, startedAt, expiresAt, outcome, authority } = record
  const isQueued = record.state === 'offered' && authority === 'standing'
  const state = isSettledState(record.state) ? 'ended' : isQueued ? 'queued' : 'underway'
  const bytes = Math.max(record.bytes, runtime.memory.bytes)
  const totalBytes = Math.max(bytes, manifestBytes(record.manifest))
  return { id, trace, session, peer, side, state, milestone, kinds, bytes, totalBytes, startedAt, expiresAt, ...(outcome && { outcome }) }
}
