import { describe, expect, test } from 'vitest'
import { createSigningKeys } from '../crypto/sign.ts'
import { deviceIdOf, type HandoffId, type SessionId, type TraceId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import type { Manifest } from './collaborators.ts'
import { decodeRecord, encodeRecord } from './records.ts'
import {
  isSettledState,
  SOURCE_STATES,
  TARGET_STATES,
  type SourceEvent,
  type SourceEventType,
  type SourceRecord,
  type SourceState,
  type TargetEvent,
  type TargetEventType,
  type TargetRecord,
  type TargetState,
} from './state.ts'
import { transition, transitionSource, transitionTarget } from './transition.ts'

const random = createSeededRandom(1)
const peer = deviceIdOf(createSigningKeys(random).publicKey)
const manifest: Manifest = {
  schemaVersion: 1,
  documents: [{ documentId: new Uint8Array(16), kind: 'session', heads: ['ab'.repeat(32)], bytes: 7 }],
}
const common = {
  id: '01'.repeat(16) as HandoffId,
  session: '02'.repeat(16) as SessionId,
  trace: '03'.repeat(16) as TraceId,
  peer,
  target: peer,
  incoming: false,
  attempt: 1,
  revision: 1,
  kinds: ['documents'],
  authority: 'live',
  startedAt: 0,
  expiresAt: 60,
  lifetimeMs: 60,
  milestone: 'transfer',
  manifest,
  bytes: 0,
  conflicts: 0,
  late: 0,
} as const
const source = (state: SourceState): SourceRecord => ({ ...common, side: 'source', state, held: true })
const target = (state: TargetState): TargetRecord => ({
  ...common,
  side: 'target',
  state,
  verified: state === 'awaiting-commit',
  nonce: new Uint8Array(32),
})
const renewal = { startedAt: 100, expiresAt: 160 }
const claim = { counter: 2, expiresAt: 0, signature: new Uint8Array(64), time: 9 }

const sourceEvents: { readonly [T in SourceEventType]: Extract<SourceEvent, { type: T }> } = {
  request: { type: 'request', attempt: 1, kinds: ['documents'], ...renewal },
  accept: { type: 'accept', attempt: 1, nonce: new Uint8Array(32) },
  progress: { type: 'progress', attempt: 1, milestone: 'merge', bytes: 5 },
  verified: { type: 'verified', attempt: 1, revision: 1, bytes: 7, conflicts: 0 },
  abort: { type: 'abort', attempt: 1, reason: 'cancelled' },
  prepared: { type: 'prepared', manifest, checkpoint: 'c', held: true, standing: undefined },
  denied: { type: 'denied', reason: 'declined' },
  rechecked: { type: 'rechecked', manifest, changed: 0 },
  'lease-written': { type: 'lease-written', claim, confirmed: true },
  'lease-moved': { type: 'lease-moved' },
  'step-failed': { type: 'step-failed', code: 'STORE_FAILED', retry: 'later' },
  nudged: { type: 'nudged' },
  deadline: { type: 'deadline' },
  cancel: { type: 'cancel' },
  retry: { type: 'retry', ...renewal },
}
const targetEvents: { readonly [T in TargetEventType]: Extract<TargetEvent, { type: T }> } = {
  offer: { type: 'offer', attempt: 1, revision: 2, kinds: ['documents'], manifest, standing: undefined, ...renewal },
  grant: { type: 'grant', attempt: 1 },
  commit: { type: 'commit', manifest, kinds: ['documents'], late: 0, claim, expiresAt: 200 },
  abort: { type: 'abort', attempt: 1, reason: 'cancelled' },
  consented: { type: 'consented', checkpoint: 'c', manifest: undefined },
  denied: { type: 'denied', reason: 'declined' },
  transferred: { type: 'transferred', bytes: 7 },
  merged: { type: 'merged', conflicts: 0 },
  checked: { type: 'checked' },
  'lease-written': { type: 'lease-written' },
  restored: { type: 'restored', complete: true, confirmed: true },
  'step-failed': { type: 'step-failed', code: 'STORE_FAILED', retry: 'later' },
  nudged: { type: 'nudged' },
  unreachable: { type: 'unreachable' },
  deadline: { type: 'deadline' },
  cancel: { type: 'cancel' },
  retry: { type: 'retry', ...renewal },
}

/** Where each event leads; what is not named stays. Written apart from the rules, so that one checks the other. */
const sourceMoves: Readonly<Record<SourceState, Partial<Record<SourceEventType, SourceState>>>> = {
  preparing: { abort: 'ended', prepared: 'offered', denied: 'ended', deadline: 'ended', cancel: 'ended' },
  offered: { accept: 'granted', progress: 'granted', verified: 'checking', abort: 'ended', deadline: 'ended', cancel: 'ended' },
  granted: { verified: 'checking', abort: 'ended', deadline: 'ended', cancel: 'ended' },
  checking: { abort: 'ended', rechecked: 'committing', 'lease-moved': 'ended', deadline: 'ended', cancel: 'ended' },
  committing: { 'lease-written': 'committed', 'lease-moved': 'ended' },
  withdrawing: { 'lease-written': 'ended' },
  committed: {},
  ended: { retry: 'preparing' },
}
const targetMoves: Readonly<Record<TargetState, Partial<Record<TargetEventType, TargetState>>>> = {
  requesting: { offer: 'deciding', commit: 'transferring', abort: 'ended', unreachable: 'deciding', deadline: 'ended', cancel: 'ended' },
  deciding: { commit: 'transferring', abort: 'ended', consented: 'accepting', denied: 'ended', deadline: 'ended', cancel: 'ended' },
  accepting: { grant: 'transferring', commit: 'transferring', abort: 'ended', deadline: 'ended', cancel: 'ended' },
  transferring: { abort: 'ended', transferred: 'merging', deadline: 'ended', cancel: 'ended' },
  merging: { offer: 'transferring', commit: 'transferring', abort: 'ended', merged: 'verifying', deadline: 'ended', cancel: 'ended' },
  verifying: {
    offer: 'transferring',
    commit: 'transferring',
    abort: 'ended',
    checked: 'awaiting-commit',
    deadline: 'ended',
    cancel: 'ended',
  },
  claiming: { commit: 'transferring', 'lease-written': 'restoring' },
  'awaiting-commit': { offer: 'transferring', commit: 'restoring', abort: 'ended', deadline: 'ended', cancel: 'cancelling' },
  cancelling: { commit: 'transferring', abort: 'ended', deadline: 'ended' },
  restoring: { restored: 'done', deadline: 'done' },
  done: {},
  ended: { commit: 'transferring', retry: 'requesting' },
}

describe('the table of the source', () => {
  for (const state of SOURCE_STATES) {
    for (const event of Object.values(sourceEvents)) {
      const expected = sourceMoves[state][event.type] ?? state
      test(`[H31] ${state} and ${event.type}: ${expected}`, () => {
        const before = source(state)
        const frozen = structuredClone(before)
        const { record, effects } = transitionSource(before, event)
        expect(record.state).toBe(expected)
        expect(before).toEqual(frozen)
        expect(transitionSource(before, event)).toEqual({ record, effects })
        expect(decodeRecord(encodeRecord(record))).toEqual(record)
        if (isSettledState(record.state) && !isSettledState(state) && state !== 'withdrawing')
          expect(effects.some(({ type }) => type === 'settle')).toBe(true)
      })
    }
  }
})

describe('the table of the target', () => {
  for (const state of TARGET_STATES) {
    for (const event of Object.values(targetEvents)) {
      const expected = targetMoves[state][event.type] ?? state
      test(`[H31] ${state} and ${event.type}: ${expected}`, () => {
        const before = target(state)
        const frozen = structuredClone(before)
        const { record, effects } = transitionTarget(before, event)
        expect(record.state).toBe(expected)
        expect(before).toEqual(frozen)
        expect(transitionTarget(before, event)).toEqual({ record, effects })
        expect(decodeRecord(encodeRecord(record))).toEqual(record)
        if (isSettledState(record.state) && !isSettledState(state)) expect(effects.some(({ type }) => type === 'settle')).toBe(true)
      })
    }
  }
})

describe('the finer rules', () => {
  test('[H31] an event of the other side changes nothing', () => {
    const record = source('offered')
    expect(transition(record, targetEvents.grant)).toEqual({ record, effects: [] })
    expect(transition(target('accepting'), sourceEvents.accept).effects).toEqual([])
  })

  test('[H13] an echo of an attempt before this one changes nothing', () => {
    for (const state of ['offered', 'granted', 'checking'] as const) {
      const record = { ...source(state), attempt: 2 }
      for (const type of ['accept', 'progress', 'verified', 'abort'] as const) {
        expect(transitionSource(record, sourceEvents[type]).record, `${state} and ${type}`).toEqual(record)
      }
    }
  })

  test('[H31] a new attempt of the target starts an ended source again', () => {
    const { record } = transitionSource(source('ended'), { ...sourceEvents.request, attempt: 2 })
    expect(record).toMatchObject({ state: 'preparing', attempt: 2, expiresAt: 160, revision: 0 })
  })

  test('[H6] what changed meanwhile is offered in the next revision, six times at most', () => {
    const changed = { ...sourceEvents.rechecked, changed: 1 }
    expect(transitionSource(source('checking'), changed).record).toMatchObject({ state: 'granted', revision: 2 })
    expect(transitionSource({ ...source('checking'), revision: 6 }, changed).record).toMatchObject({ state: 'committing', late: 1 })
  })

  test('[H24] an ended queued offer is withdrawn first', () => {
    const queued: SourceRecord = { ...source('offered'), authority: 'standing', standing: claim }
    for (const event of [sourceEvents.cancel, sourceEvents.deadline, sourceEvents.abort]) {
      const { record, effects } = transitionSource(queued, event)
      expect(record.state).toBe('withdrawing')
      expect(effects).toContainEqual({ type: 'run', step: 'withdraw' })
    }
  })

  test('[H18] cancel after the source began to let go changes nothing', () => {
    for (const state of ['committing', 'committed'] as const)
      expect(transitionSource(source(state), sourceEvents.cancel).effects).toEqual([])
    for (const state of ['claiming', 'restoring', 'done'] as const)
      expect(transitionTarget(target(state), targetEvents.cancel).effects).toEqual([])
  })

  test('[H20] a source that has let go answers everything with commit', () => {
    for (const type of ['request', 'accept', 'progress', 'verified', 'abort'] as const) {
      expect(transitionSource(source('committed'), sourceEvents[type]).effects).toEqual([{ type: 'send', message: 'commit' }])
    }
  })

  test('[H20] a target that finds the session deleted ends, though the source let go, and no commit wakes it', () => {
    const committed = transitionTarget(target('transferring'), targetEvents.commit).record
    const gone = { type: 'step-failed', code: 'DOCUMENT_DELETED', retry: 'never' } as const
    const { record } = transitionTarget(committed, gone)
    expect(record).toMatchObject({ state: 'ended', outcome: { kind: 'failed', code: 'DOCUMENT_DELETED' } })
    expect(transitionTarget(record, targetEvents.commit)).toEqual({ record, effects: [] })
    expect(transitionTarget(committed, { ...gone, code: 'SCHEMA_NEWER' }).record.state).toBe('transferring')
  })

  test('[H20] a target that gave up after verifying restores when the commit comes after all', () => {
    const gaveUp = { ...target('ended'), verified: true }
    expect(transitionTarget(gaveUp, targetEvents.commit).record).toMatchObject({ state: 'restoring', authority: 'committed' })
  })

  test('[H30] a commit never makes a target done that has not verified', () => {
    for (const state of TARGET_STATES) {
      if (state === 'done' || state === 'restoring') continue
      const { record } = transitionTarget({ ...target(state), verified: false }, targetEvents.commit)
      expect(record.state, state).toBe('transferring')
    }
  })

  test('[H15] a record of another format is forgotten, not guessed', () => {
    expect(decodeRecord(new Uint8Array([1, 2, 3]))).toBeUndefined()
    expect(decodeRecord(encodeRecord({ ...source('offered'), state: 'dreaming' as 'offered' }))).toBeUndefined()
  })
})
