/**
 * One handoff while the process lives: takes events one at a time, puts the record on disk, then does what the transition wants
 * done. Boring on purpose: everything that is decided is decided in transition.ts.
 */
import { ERROR_TABLE, isSegueError, type ErrorCode, type Retry } from '../lib/errors.ts'
import { DAY_MS, SECOND_MS } from '../lib/units.ts'
import { encodeControlMessage, type ControlMessage } from '../wire/control-messages.ts'
import { retryDelayMs } from './backoff.ts'
import type { HandoffComponents } from './collaborators.ts'
import { createGrantDesk, type GrantDesk } from './grant-desk.ts'
import { manifestBytes } from './manifest.ts'
import { composeAbort, composeMessage } from './messages.ts'
import type { HandoffOutcome, Step } from './outcome.ts'
import { createOutcomePromises, type OutcomePromises } from './promises.ts'
import { encodeRecord, recordKey } from './records.ts'
import { isSettledState, type Effect, type HandoffEvent, type HandoffRecord, type StepName } from './state.ts'
import { createStepFeed, type StepFeed } from './step-feed.ts'
import type { StepMemory, Steps } from './steps.ts'
import { transition } from './transition.ts'

export interface Runtime {
  readonly record: () => HandoffRecord
  readonly memory: StepMemory
  /** What this side, as a target, waits to be granted. */
  readonly grants: GrantDesk
  readonly promises: () => OutcomePromises
  readonly feed: () => StepFeed
  /** Resolves when the event is on disk and its effects are under way. */
  dispatch(event: HandoffEvent): Promise<void>
  /** Fresh promises for a new try, when the last try is over. */
  renew(): void
  close(): void
}

/** How long a pull waits for the holder's link before it goes on alone. */
export const TAKE_PATIENCE_MS: number = 3 * SECOND_MS
/** After its deadline a promise settles this much later at the latest, even when the store hangs. */
export const SETTLE_GRACE_MS: number = SECOND_MS
/** Progress goes to the other side when this many bytes came. */
const PROGRESS_BYTES = 64 * 1_024

/** `isStored`: the record came from disk; else the first event writes it, before anything is done. */
export function createRuntime(
  components: HandoffComponents,
  steps: Steps,
  initial: HandoffRecord,
  { isStored, onChange }: { readonly isStored: boolean; readonly onChange: () => void },
): Runtime {
  const { identity, clock, random, logger, records, devices, sessions, telemetry } = components
  const memory: StepMemory = { hotSet: undefined, hasConsent: false, published: 0, bytes: initial.bytes }
  const grants = createGrantDesk(components)
  const running = new Map<StepName, AbortController>()
  const startedAt = clock.monotonic()
  let record = initial
  let tail: Promise<void> = Promise.resolve()
  let promises = createOutcomePromises()
  let feed = createStepFeed()
  let tries = 0
  let toldBytes = 0
  let cancelTick: (() => void) | undefined
  let cancelDeadline: (() => void) | undefined
  let closed = false
  let isSaved = isStored

  const dispatch = (event: HandoffEvent): Promise<void> => {
    tail = tail.then(() => handle(event)).catch(error => logger.error('handoff-broken', { handoff: record.id, detail: String(error) }))
    return tail
  }

  const handle = async (event: HandoffEvent): Promise<void> => {
    if (closed) return
    const before = record
    const { record: next, effects } = transition(before, event)
    if ((!isSaved || mustPersist(before, next)) && !(await isPersisted(next, event))) return
    if (closed) return
    record = next
    const isNew = before.state !== next.state || before.attempt !== next.attempt || before.revision !== next.revision
    if (isSettledState(before.state) && !isSettledState(next.state) && promises.isOver()) renew()
    if (isNew) {
      stopSteps()
      tries = 0
    }
    if (before.expiresAt !== next.expiresAt || isSettledState(before.state) !== isSettledState(next.state)) armDeadline()
    for (const effect of effects) perform(effect)
    armTick()
    if (before !== next) onChange()
  }

  const isPersisted = async (next: HandoffRecord, event: HandoffEvent): Promise<boolean> => {
    try {
      await records.write(new Map([[recordKey(next.id), encodeRecord(next)]]))
      isSaved = true
      return true
    } catch (error) {
      logger.warn('handoff-not-saved', { handoff: next.id, detail: String(error) })
    }
    if (event.type === 'deadline' || event.type === 'cancel' || event.type === 'retry') {
      settle({ kind: 'failed', milestone: record.milestone, code: 'STORE_FAILED', retry: 'later' })
    }
    // a retry that could not be written has not begun, and is the caller's to begin again
    if (event.type === 'deadline' || event.type === 'cancel') {
      clock.after(retryDelayMs(tries++, random), () => void dispatch(event))
    }
    armTick()
    return false
  }

  const perform = (effect: Effect): void => {
    switch (effect.type) {
      case 'send':
        return send(composeMessage(record, effect.message, here()))
      case 'abort':
        return send(composeAbort(record, effect.attempt, effect.reason))
      case 'run':
        return run(effect.step)
      case 'reached': {
        const ms = clock.monotonic() - startedAt
        const { id: handoff, session, side, trace } = record
        publish('reached', effect.milestone)
        return telemetry.record({
          type: 'handoff-milestone',
          time: clock.now(),
          trace,
          handoff,
          session,
          side,
          milestone: effect.milestone,
          ms,
        })
      }
      case 'arriving': {
        const { hotSet } = memory
        const arriving = effect.shown && hotSet !== undefined && hotSet.length > 0 ? { from: record.peer, hotSet } : undefined
        return sessions.showArriving(record.session, arriving)
      }
      case 'settle':
        return settle(effect.outcome)
    }
  }

  const settle = (outcome: HandoffOutcome): void => {
    const wasOver = promises.isOver()
    promises.settle(outcome)
    if (outcome.kind === 'queued') return
    feed.end()
    if (wasOver) return
    const { id: handoff, session, side, trace } = record
    const ms = clock.monotonic() - startedAt
    telemetry.record({
      type: 'handoff-ended',
      time: clock.now(),
      trace,
      handoff,
      session,
      side,
      outcome: outcome.kind,
      bytes: record.bytes,
      ms,
    })
  }

  const send = (message: ControlMessage | undefined): void => {
    const link = devices.link(record.peer)
    if (message === undefined || link === undefined) return
    // a frame that does not get through is said again by the retry timer or by the next link
    link
      .send('control', encodeControlMessage(message))
      .catch(error => logger.debug('handoff-not-sent', { handoff: record.id, detail: String(error) }))
  }

  const here = (): Parameters<typeof composeMessage>[2] => ({
    self: identity.id,
    signing: identity.signing,
    now: clock.now(),
    hotSet: memory.hotSet ?? new Uint8Array(0),
    bytes: Math.max(memory.bytes, record.bytes),
    grants,
  })

  const run = (step: StepName): void => {
    if (running.has(step)) return
    const controller = new AbortController()
    running.set(step, controller)
    const { signal } = controller
    const isCurrent = (): boolean => running.get(step) === controller
    steps
      .run(step, record, { memory, signal, onBytes: bytes => isCurrent() && onBytes(bytes) })
      .then(
        event => {
          if (!isCurrent()) return
          if (event !== undefined) return dispatch(event).finally(() => isCurrent() && running.delete(step))
          running.delete(step)
        },
        error => {
          if (!isCurrent()) return
          running.delete(step)
          logger.info('handoff-step-failed', { handoff: record.id, step, detail: String(error) })
          return dispatch({ type: 'step-failed', ...troubleOf(error) })
        },
      )
      .catch(error => logger.error('handoff-broken', { handoff: record.id, detail: String(error) }))
  }

  const onBytes = (bytes: number): void => {
    memory.bytes = Math.max(memory.bytes, bytes)
    publish('underway', record.milestone)
    if (memory.bytes - toldBytes < PROGRESS_BYTES) return
    toldBytes = memory.bytes
    send(composeMessage(record, 'progress', here()))
  }

  const publish = (state: Step['state'], milestone: Step['milestone']): void => {
    const bytes = Math.max(memory.bytes, record.bytes)
    feed.publish({
      milestone,
      state,
      ms: clock.monotonic() - startedAt,
      bytes,
      totalBytes: Math.max(bytes, manifestBytes(record.manifest)),
    })
  }

  const armTick = (): void => {
    cancelTick?.()
    cancelTick = undefined
    if (closed || isSettledState(record.state)) return
    cancelTick = clock.after(retryDelayMs(tries, random), () => {
      tries += 1
      const isAlone = record.state === 'requesting' && !record.incoming && devices.link(record.peer) === undefined
      void dispatch({ type: isAlone && clock.monotonic() - startedAt >= TAKE_PATIENCE_MS ? 'unreachable' : 'nudged' })
    })
  }

  const armDeadline = (): void => {
    cancelDeadline?.()
    cancelDeadline = undefined
    if (closed || isSettledState(record.state)) return
    // after a restart the wall clock tells how much is left, and is not believed beyond the whole
    const left = Math.max(0, Math.min(record.expiresAt - clock.now(), Math.max(record.lifetimeMs, record.expiresAt - record.startedAt)))
    if (left > DAY_MS) {
      cancelDeadline = clock.after(DAY_MS, armDeadline)
      return
    }
    cancelDeadline = clock.after(left, () => {
      void dispatch({ type: 'deadline' })
      cancelDeadline = clock.after(SETTLE_GRACE_MS, () => {
        settle({ kind: 'failed', milestone: record.milestone, code: 'TIMED_OUT', retry: 'later' })
      })
    })
  }

  const renew = (): void => {
    promises = createOutcomePromises()
    feed = createStepFeed()
    memory.hasConsent = false
  }

  const stopSteps = (): void => {
    for (const controller of running.values()) controller.abort()
    running.clear()
  }

  if (initial.outcome !== undefined) promises.settle(initial.outcome) // from before a restart
  armDeadline()
  return {
    record: () => record,
    memory,
    grants,
    promises: () => promises,
    feed: () => feed,
    dispatch,
    renew() {
      if (promises.isOver()) renew()
    },
    close() {
      if (closed) return
      closed = true
      stopSteps()
      cancelTick?.()
      cancelDeadline?.()
      promises.settle(record.outcome ?? { kind: 'failed', milestone: record.milestone, code: 'CLOSED', retry: 'later' })
      feed.end()
    },
  }
}

/** Byte counts and passing trouble are not worth a write. */
function mustPersist(before: HandoffRecord, next: HandoffRecord): boolean {
  if (before === next) return false
  const { bytes: _before, trouble: _wasTrouble, ...was } = before
  const { bytes: _next, trouble: _isTrouble, ...is } = next
  const keys = new Set([...Object.keys(was), ...Object.keys(is)]) as Set<keyof typeof is>
  return [...keys].some(key => was[key] !== is[key])
}

function troubleOf(error: unknown): { readonly code: ErrorCode; readonly retry: Retry } {
  return isSegueError(error) ? { code: error.code, retry: ERROR_TABLE[error.code].retry } : { code: 'TIMED_OUT', retry: 'now' }
}
