/** What each event means to the device that receives the session. Pure; transition.table.ts says which rule applies when. */
import { ERROR_TABLE, type ErrorCode, type Retry } from '../lib/errors.ts'
import { abortReasonOf, outcomeOfAbort } from './aborts.ts'
import type { HandoffOutcome, Milestone } from './outcome.ts'
import type { Effect, TargetEvent, TargetEventType, TargetRecord, TargetState, Transition } from './state.ts'

type Of<Type extends TargetEventType> = Extract<TargetEvent, { type: Type }>
type Next = Transition<TargetRecord>

/** What a state asks for, again and again, until it is left. */
export const TARGET_PURSUITS: Readonly<Record<TargetState, (record: TargetRecord) => readonly Effect[]>> = {
  requesting: () => [{ type: 'send', message: 'request' }],
  deciding: () => [{ type: 'run', step: 'decide' }],
  accepting: () => [{ type: 'send', message: 'accept' }],
  transferring: () => [
    { type: 'arriving', shown: true },
    { type: 'send', message: 'progress' },
    { type: 'run', step: 'fetch' },
  ],
  merging: () => [{ type: 'run', step: 'merge' }],
  verifying: () => [{ type: 'run', step: 'check' }],
  claiming: () => [{ type: 'run', step: 'write-claim' }],
  'awaiting-commit': () => [{ type: 'send', message: 'verified' }],
  cancelling: () => [CANCELLED],
  restoring: () => [{ type: 'run', step: 'restore' }],
  done: () => [],
  ended: () => [],
}

export function ignore(record: TargetRecord): Next {
  return { record, effects: [] }
}

/** The abort that a cancelling target repeats carries its attempt. */
export function pursue(record: TargetRecord): Next {
  const effects = TARGET_PURSUITS[record.state](record).map(effect =>
    effect === CANCELLED ? { ...CANCELLED, attempt: record.attempt } : effect,
  )
  return { record, effects }
}

export function receive(record: TargetRecord, event: Of<'offer'>): Next {
  if (event.attempt < record.attempt) return ignore(record)
  const { attempt, revision, kinds, manifest, startedAt, expiresAt, standing } = event
  // a target that asked by itself keeps its own deadline; one that is offered something new takes the offer's
  const renewed = record.state === 'requesting' ? {} : { startedAt, expiresAt }
  const { standing: _standing, outcome: _outcome, trouble: _trouble, ...rest } = record
  const offered = {
    ...rest,
    ...renewed,
    attempt,
    revision,
    kinds,
    manifest,
    verified: false,
    milestone: 'authentication',
    authority: 'live',
  } as const
  return enter(standing === undefined ? offered : { ...offered, standing, authority: 'standing' }, 'deciding')
}

/** Before the grant a newer manifest simply replaces the older one. */
export function replace(record: TargetRecord, event: Of<'offer'>): Next {
  if (event.attempt > record.attempt) return receive(record, event)
  if (event.attempt < record.attempt || event.revision <= record.revision) return ignore(record)
  return { record: { ...record, revision: event.revision, manifest: event.manifest }, effects: [] }
}

/** Later it is fetched and verified again from the start; milestones reached stay reached. */
export function update(record: TargetRecord, event: Of<'offer'>): Next {
  if (event.attempt > record.attempt) return receive(record, event)
  if (event.attempt < record.attempt || event.revision <= record.revision) return ignore(record)
  return enter({ ...record, revision: event.revision, manifest: event.manifest, verified: false }, 'transferring')
}

/** An offer that is repeated while we wait means that the source did not hear us. */
export function updateOrRepeat(record: TargetRecord, event: Of<'offer'>): Next {
  return event.attempt === record.attempt && event.revision <= record.revision ? pursue(record) : update(record, event)
}

export function answerCancelled(record: TargetRecord, { attempt }: Of<'offer'>): Next {
  return { record, effects: [{ ...CANCELLED, attempt }] }
}

/** It came through already, by our own claim: the source hears so again. A new attempt has a new manifest and starts over. */
export function answerVerified(record: TargetRecord, event: Of<'offer'>): Next {
  if (event.attempt > record.attempt && record.state === 'done') return receive(record, event)
  if (event.attempt !== record.attempt || event.revision > record.revision) return ignore(record)
  return { record, effects: [{ type: 'send', message: 'verified' }] }
}

export function offerAfterEnd(record: TargetRecord, event: Of<'offer'>): Next {
  if (event.attempt > record.attempt) return receive(record, event)
  return { record, effects: [{ type: 'abort', reason: abortReasonOf(record.outcome), attempt: event.attempt }] }
}

export function goAlone(record: TargetRecord): Next {
  return enter({ ...record, authority: 'alone' }, 'deciding')
}

export function accept(record: TargetRecord, { checkpoint, manifest, ageMs }: Of<'consented'>): Next {
  const decided = {
    ...record,
    ...(checkpoint && record.checkpoint === undefined ? { checkpoint } : {}),
    ...(manifest ? { manifest } : {}),
    ...(ageMs === undefined ? {} : { ageMs }),
  }
  if (record.authority === 'live') return enter(decided, 'accepting')
  return authenticated(decided)
}

export function deny(record: TargetRecord, { reason }: Of<'denied'>): Next {
  if (record.authority === 'alone') return fail({ ...record, milestone: 'transfer' }, 'UNREACHABLE', 'later')
  return end(record, { kind: 'refused', reason }, [{ type: 'abort', reason, attempt: record.attempt }])
}

export function admit(record: TargetRecord, { attempt }: Of<'grant'>): Next {
  return attempt === record.attempt ? authenticated(record) : ignore(record)
}

export function merge(record: TargetRecord, { bytes }: Of<'transferred'>): Next {
  return reach({ ...record, bytes: Math.max(record.bytes, bytes) }, 'transfer', 'merge', 'merging')
}

export function verify(record: TargetRecord, { conflicts }: Of<'merged'>): Next {
  return reach({ ...record, conflicts }, 'merge', 'verification', 'verifying')
}

export function claim(record: TargetRecord): Next {
  const next = { live: 'awaiting-commit', standing: 'claiming', alone: 'claiming', committed: 'restoring' } as const
  return enter({ ...record, verified: true }, next[record.authority])
}

/** The claim is ours by our own hand; the source is told, and hears it again when it asks. */
export function claimed(record: TargetRecord): Next {
  const restoring = enter(record, 'restoring')
  return { ...restoring, effects: [{ type: 'send', message: 'verified' }, ...restoring.effects] }
}

/** A session that was deleted meanwhile is nobody's, however often the source says that it let go. */
export function commitAfterEnd(record: TargetRecord, event: Of<'commit'>): Next {
  return record.outcome?.kind === 'failed' && record.outcome.code === DELETED ? ignore(record) : commit(record, event)
}

/** The source has let go. What is not verified yet is verified before it is shown as whole. */
export function commit(record: TargetRecord, event: Of<'commit'>): Next {
  const { manifest, kinds, late, claim: committed, expiresAt } = event
  if (record.authority === 'committed' && record.state !== 'ended') return ignore(record)
  const { outcome: _outcome, trouble: _trouble, ...rest } = record
  const held = { ...rest, kinds, late, claim: committed, authority: 'committed', expiresAt: Math.max(record.expiresAt, expiresAt) } as const
  if (record.verified) return enter(held, 'restoring')
  return enter({ ...held, manifest, milestone: 'transfer' }, 'transferring')
}

export function finish(record: TargetRecord, { complete, confirmed }: Of<'restored'>): Next {
  const moved = {
    holder: record.target,
    confirmed,
    restored: complete,
    late: record.late,
    bytes: record.bytes,
    ...(record.authority === 'alone' && record.ageMs !== undefined ? { ageMs: record.ageMs } : {}),
    canRollBack: record.checkpoint !== undefined,
  }
  const { conflicts } = record
  const outcome: HandoffOutcome = conflicts > 0 ? { kind: 'needs-review', conflicts, ...moved } : { kind: 'done', ...moved }
  return {
    record: { ...record, state: 'done', outcome },
    effects: [
      { type: 'reached', milestone: 'verification' },
      { type: 'arriving', shown: false },
      { type: 'settle', outcome },
    ],
  }
}

/** The session is whole and ours; only its views did not come back in time. */
export function finishPlainly(record: TargetRecord): Next {
  return finish(record, { type: 'restored', complete: false, confirmed: record.authority === 'committed' })
}

export function conclude(record: TargetRecord, { attempt, reason }: Of<'abort'>): Next {
  if (attempt < record.attempt || record.authority === 'committed') return ignore(record)
  return end(record, outcomeOfAbort(reason, record.milestone))
}

/** The source says it is over: then our wish came in time. */
export function cancelConfirmed(record: TargetRecord, { attempt }: Of<'abort'>): Next {
  if (attempt < record.attempt) return ignore(record)
  return end(record, { kind: 'cancelled', by: 'this-device' })
}

export function cancel(record: TargetRecord): Next {
  if (record.authority === 'committed') return ignore(record)
  return end(record, { kind: 'cancelled', by: 'this-device' }, [{ ...CANCELLED, attempt: record.attempt }])
}

/** Verified was said, so the source may have let go already: ask, do not assume. */
export function askToCancel(record: TargetRecord): Next {
  return enter(record, 'cancelling')
}

export function expire(record: TargetRecord): Next {
  return end(record, { kind: 'expired' }, [{ type: 'abort', reason: 'expired', attempt: record.attempt }])
}

export function unanswered(record: TargetRecord): Next {
  return fail(record, 'UNREACHABLE', 'later')
}

export function giveUp(record: TargetRecord): Next {
  return fail(record, record.trouble ?? 'TIMED_OUT', ERROR_TABLE[record.trouble ?? 'TIMED_OUT'].retry)
}

/** Past the point of no return: whoever waits is told, and the work goes on. */
export function overdue(record: TargetRecord): Next {
  const code = record.trouble ?? 'TIMED_OUT'
  return { record, effects: [{ type: 'settle', outcome: { kind: 'failed', milestone: 'verification', code, retry: 'later' } }] }
}

export function stumble(record: TargetRecord, { code, retry }: Of<'step-failed'>): Next {
  if (retry === 'never' && (record.authority !== 'committed' || code === DELETED)) return fail(record, code, retry)
  return { record: { ...record, trouble: code }, effects: [] }
}

export function persist(record: TargetRecord, { code }: Of<'step-failed'>): Next {
  return { record: { ...record, trouble: code }, effects: [] }
}

export function stumbleAtTheEnd(record: TargetRecord, { code, retry }: Of<'step-failed'>): Next {
  return retry === 'never' ? finishPlainly(record) : { record: { ...record, trouble: code }, effects: [] }
}

export function retry(record: TargetRecord, { startedAt, expiresAt }: Of<'retry'>): Next {
  const { id, session, trace, peer, target, incoming, side, kinds, lifetimeMs, manifest, checkpoint } = record
  const kept = {
    id,
    session,
    trace,
    peer,
    target,
    incoming,
    side,
    kinds,
    lifetimeMs,
    ...(manifest && { manifest }),
    ...(checkpoint && { checkpoint }),
  }
  const blank = { authority: 'live', milestone: 'authentication', revision: 0, bytes: 0, conflicts: 0, late: 0, verified: false } as const
  return enter({ ...kept, ...blank, attempt: record.attempt + 1, startedAt, expiresAt, state: 'requesting' }, 'requesting')
}

const DELETED: ErrorCode = 'DOCUMENT_DELETED'
const CANCELLED: Extract<Effect, { type: 'abort' }> = { type: 'abort', reason: 'cancelled', attempt: 0 }

function enter(record: TargetRecord, state: TargetState): Next {
  return pursue({ ...record, state })
}

function authenticated(record: TargetRecord): Next {
  const isFirst = record.milestone === 'authentication'
  const next = enter({ ...record, milestone: isFirst ? 'transfer' : record.milestone }, 'transferring')
  return isFirst ? { ...next, effects: [{ type: 'reached', milestone: 'authentication' }, ...next.effects] } : next
}

/** `passed` is reached and `underway` begins, unless an earlier manifest got that far already. */
function reach(record: TargetRecord, passed: Milestone, underway: Milestone, state: TargetState): Next {
  const isFirst = record.milestone === passed
  const next = enter({ ...record, milestone: isFirst ? underway : record.milestone }, state)
  const effects: readonly Effect[] = isFirst
    ? [
        { type: 'reached', milestone: passed },
        { type: 'send', message: 'progress' },
      ]
    : []
  return { ...next, effects: [...effects, ...next.effects] }
}

function fail(record: TargetRecord, code: ErrorCode, again: Retry): Next {
  const outcome = { kind: 'failed', milestone: record.milestone, code, retry: again } as const
  return end(record, outcome, [{ type: 'abort', reason: 'failed', attempt: record.attempt }])
}

function end(record: TargetRecord, outcome: HandoffOutcome, effects: readonly Effect[] = []): Next {
  return {
    record: { ...record, state: 'ended', outcome },
    effects: [...effects, { type: 'arriving', shown: false }, { type: 'settle', outcome }],
  }
}
