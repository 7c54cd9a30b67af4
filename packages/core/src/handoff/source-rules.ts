/** What each event means to the device that gives the session. Pure; transition.table.ts says which rule applies when. */
import { ERROR_TABLE, type ErrorCode, type Retry } from '../lib/errors.ts'
import type { AbortReason } from '../wire/control-messages.ts'
import { abortReasonOf, outcomeOfAbort } from './aborts.ts'
import { MILESTONES, type HandoffOutcome } from './outcome.ts'
import type { Effect, SourceEvent, SourceEventType, SourceRecord, SourceState, Transition } from './state.ts'

type Of<Type extends SourceEventType> = Extract<SourceEvent, { type: Type }>
type Next = Transition<SourceRecord>

/** After so many manifests the source stops chasing its own typing: it lets go and names what came late. */
export const MAX_REVISIONS = 6

/** What a state asks for, again and again, until it is left. */
export const SOURCE_PURSUITS: Readonly<Record<SourceState, (record: SourceRecord) => readonly Effect[]>> = {
  preparing: () => [{ type: 'run', step: 'prepare' }],
  offered: record => [{ type: 'send', message: 'offer' }, ...(record.standing ? [{ type: 'run', step: 'publish' } as const] : [])],
  granted: () => [{ type: 'send', message: 'offer' }],
  checking: () => [{ type: 'run', step: 'recheck' }],
  committing: () => [{ type: 'run', step: 'write-claim' }],
  withdrawing: () => [{ type: 'run', step: 'withdraw' }],
  committed: () => [],
  ended: () => [],
}

export function ignore(record: SourceRecord): Next {
  return { record, effects: [] }
}

export function pursue(record: SourceRecord): Next {
  return { record, effects: SOURCE_PURSUITS[record.state](record) }
}

export function offer(record: SourceRecord, { manifest, checkpoint, held, standing }: Of<'prepared'>): Next {
  const offered = enter(record, 'offered', {
    manifest,
    held,
    revision: record.revision + 1,
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(standing === undefined ? {} : { standing, authority: 'standing' as const }),
  })
  if (standing === undefined) return offered
  return { ...offered, effects: [...offered.effects, { type: 'settle', outcome: { kind: 'queued', expiresAt: record.expiresAt } }] }
}

export function deny(record: SourceRecord, { reason }: Of<'denied'>): Next {
  return end(record, { kind: 'refused', reason }, [{ type: 'abort', reason, attempt: record.attempt }])
}

export function grant(record: SourceRecord, { attempt, nonce }: Of<'accept'>): Next {
  if (attempt !== record.attempt) return ignore(record)
  const isFirst = record.milestone === 'authentication'
  const granted = { ...record, state: 'granted', nonce, milestone: isFirst ? 'transfer' : record.milestone } as const
  const reached: readonly Effect[] = isFirst ? [{ type: 'reached', milestone: 'authentication' }] : []
  return { record: granted, effects: [...reached, { type: 'send', message: 'grant' }] }
}

/** Milestones only move forward: an echo from before a reconnect changes nothing. */
export function follow(record: SourceRecord, { attempt, milestone, bytes }: Of<'progress'>): Next {
  if (attempt !== record.attempt) return ignore(record)
  const followed = { ...record, state: 'granted', bytes: Math.max(record.bytes, bytes) } as const
  return advance(followed, MILESTONES.indexOf(milestone))
}

export function check(record: SourceRecord, { attempt, revision, bytes, conflicts }: Of<'verified'>): Next {
  if (attempt !== record.attempt) return ignore(record)
  if (revision !== record.revision) return { record, effects: [{ type: 'send', message: 'offer' }] }
  const advanced = advance({ ...record, bytes: Math.max(record.bytes, bytes), conflicts }, MILESTONES.indexOf('verification'))
  const next = enter(advanced.record, 'checking')
  return { record: next.record, effects: [...advanced.effects, ...next.effects] }
}

/** What the target verified must be what is here now, or it verifies once more. By a standing offer it holds the session already. */
export function decide(record: SourceRecord, { manifest, changed }: Of<'rechecked'>): Next {
  const isFinal = changed === 0 || record.revision >= MAX_REVISIONS || record.authority === 'standing'
  if (isFinal) return enter(record, 'committing', { late: changed })
  return enter(record, 'granted', { manifest, revision: record.revision + 1 })
}

export function commit(record: SourceRecord, { claim, confirmed }: Of<'lease-written'>): Next {
  const moved = {
    holder: record.target,
    confirmed,
    late: record.late,
    bytes: record.bytes,
    canRollBack: record.checkpoint !== undefined,
  }
  const { conflicts } = record
  const outcome: HandoffOutcome = conflicts > 0 ? { kind: 'needs-review', conflicts, ...moved } : { kind: 'done', ...moved }
  const committed = { ...record, state: 'committed', outcome, ...(claim === undefined ? {} : { claim }) } as const
  return {
    record: committed,
    effects: [
      { type: 'reached', milestone: 'verification' },
      { type: 'send', message: 'commit' },
      { type: 'settle', outcome },
    ],
  }
}

/** Another handoff of the same session was faster. */
export function lose(record: SourceRecord): Next {
  return fail(record, 'HANDOFF_REFUSED', 'later')
}

export function conclude(record: SourceRecord, { attempt, reason }: Of<'abort'>): Next {
  if (attempt < record.attempt) return ignore(record)
  return end(record, outcomeOfAbort(reason, record.milestone))
}

export function withdrawn(record: SourceRecord): Next {
  return { record: { ...record, state: 'ended' }, effects: [] }
}

export function expire(record: SourceRecord): Next {
  return end(record, { kind: 'expired' }, [{ type: 'abort', reason: 'expired', attempt: record.attempt }])
}

export function giveUp(record: SourceRecord): Next {
  return fail(record, record.trouble ?? 'TIMED_OUT', ERROR_TABLE[record.trouble ?? 'TIMED_OUT'].retry)
}

/** Past the point of no return: whoever waits is told, and the work goes on. */
export function overdue(record: SourceRecord): Next {
  const code = record.trouble ?? 'TIMED_OUT'
  return { record, effects: [{ type: 'settle', outcome: { kind: 'failed', milestone: 'verification', code, retry: 'later' } }] }
}

export function cancel(record: SourceRecord): Next {
  return end(record, { kind: 'cancelled', by: 'this-device' }, [{ type: 'abort', reason: 'cancelled', attempt: record.attempt }])
}

export function stumble(record: SourceRecord, { code, retry }: Of<'step-failed'>): Next {
  if (retry === 'never') return fail(record, code, retry)
  return { record: { ...record, trouble: code }, effects: [] }
}

/** Beyond the point of no return nothing gives up. */
export function persist(record: SourceRecord, { code }: Of<'step-failed'>): Next {
  return { record: { ...record, trouble: code }, effects: [] }
}

export function answerCommit(record: SourceRecord): Next {
  return { record, effects: [{ type: 'send', message: 'commit' }] }
}

export function answerAbort(record: SourceRecord, { attempt }: { readonly attempt: number }): Next {
  return { record, effects: [{ type: 'abort', reason: abortReasonOf(record.outcome), attempt }] }
}

export function retry(record: SourceRecord, { startedAt, expiresAt }: Of<'retry'>): Next {
  return renew(record, { attempt: record.attempt + 1, startedAt, expiresAt, kinds: record.kinds })
}

/** The target asks (again). A new attempt starts over; an echo gets the present state said again. */
export function request(record: SourceRecord, event: Of<'request'>): Next {
  return event.attempt > record.attempt ? renew(record, event) : pursue(record)
}

export function requestAfterEnd(record: SourceRecord, event: Of<'request'>): Next {
  return event.attempt > record.attempt ? renew(record, event) : answerAbort(record, event)
}

function renew(record: SourceRecord, fresh: Pick<SourceRecord, 'attempt' | 'startedAt' | 'expiresAt' | 'kinds'>): Next {
  const { id, session, trace, peer, target, incoming, side, lifetimeMs, manifest, checkpoint } = record
  const { attempt, startedAt, expiresAt, kinds } = fresh
  const kept = {
    id,
    session,
    trace,
    peer,
    target,
    incoming,
    side,
    lifetimeMs,
    ...(manifest && { manifest }),
    ...(checkpoint && { checkpoint }),
  }
  const blank = { authority: 'live', milestone: 'authentication', revision: 0, bytes: 0, conflicts: 0, late: 0, held: false } as const
  return enter({ ...kept, ...blank, attempt, startedAt, expiresAt, kinds, state: 'preparing' }, 'preparing')
}

function enter(record: SourceRecord, state: SourceState, changes: Partial<SourceRecord> = {}): Next {
  return pursue({ ...record, ...changes, state })
}

/** To the milestone with that index, reporting those passed. */
function advance(record: SourceRecord, to: number): Next {
  const from = MILESTONES.indexOf(record.milestone)
  const milestone = MILESTONES[Math.max(from, to)] ?? record.milestone
  return {
    record: { ...record, milestone },
    effects: MILESTONES.slice(from, Math.max(from, to)).map(passed => ({ type: 'reached', milestone: passed })),
  }
}

function fail(record: SourceRecord, code: ErrorCode, again: Retry): Next {
  const outcome = { kind: 'failed', milestone: record.milestone, code, retry: again } as const
  const reason: AbortReason = code === 'HANDOFF_REFUSED' ? 'busy' : 'failed'
  return end(record, outcome, [{ type: 'abort', reason, attempt: record.attempt }])
}

/** A standing offer may be out there: it is taken back before the handoff is over. */
function end(record: SourceRecord, outcome: HandoffOutcome, effects: readonly Effect[] = []): Next {
  const state = record.authority === 'standing' ? 'withdrawing' : 'ended'
  const ended = pursue({ ...record, state, outcome })
  return { record: ended.record, effects: [...effects, { type: 'settle', outcome }, ...ended.effects] }
}
