/**
 * Both sides of a pairing as pure functions over closed tables: no clock, no random, no key, no network. What is to be done
 * comes back as data; inviter.ts and joiner.ts do it. The rules are in SPEC.md.
 */
import { equalBytes } from '../lib/bytes.ts'
import type { ErrorCode } from '../lib/errors.ts'
import type { DeviceId } from '../lib/ids.ts'
import {
  MAX_NEARBY_CODES,
  MAX_PAIRING_CANDIDATES,
  MAX_PAIRING_TRIES,
  type PairingFrameType,
  type Refusal,
} from '../wire/pairing-messages.ts'
import type { PairingMode } from './payload.ts'

/** A device that answered well and shows digits. `connection` is this connection's number, new for each. */
export interface Candidate {
  readonly connection: number
  readonly device: DeviceId
  readonly sealingKey: Uint8Array
  readonly name: string
  readonly platform: string
  readonly mode: PairingMode
  /** It came through a relay: nobody can say that it is in the same room. */
  readonly isRemote: boolean
  readonly code: string
}

export type Invitation =
  | { readonly kind: 'open'; readonly candidates: readonly Candidate[]; readonly triesLeft: number; readonly nearbyCodesLeft: number }
  /** The digits matched; the add entry is on its way to the disk. */
  | { readonly kind: 'admitting'; readonly candidate: Candidate }
  /** The new device is in the group; m3 is sent until m4 comes. */
  | { readonly kind: 'welcoming'; readonly candidate: Candidate }
  | { readonly kind: 'done'; readonly candidate: Candidate }
  /** With a candidate: it is in the group but never said that it has everything. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly candidate?: Candidate }

export type InvitationEvent =
  | { readonly type: 'arrived'; readonly candidate: Candidate }
  | { readonly type: 'left'; readonly connection: number }
  /** `mayBeRemote`: the person was told that the device may be anywhere, and said so again. */
  | { readonly type: 'typed'; readonly code: string; readonly mayBeRemote: boolean }
  | { readonly type: 'admitted' }
  | { readonly type: 'not-admitted'; readonly code: ErrorCode }
  | { readonly type: 'acknowledged'; readonly connection: number }
  | { readonly type: 'expired' }
  | { readonly type: 'given-up' }
  | { readonly type: 'closed' }

export type InvitationEffect =
  | { readonly type: 'reveal'; readonly connection: number }
  | { readonly type: 'refuse'; readonly connection: number; readonly why: Refusal }
  | { readonly type: 'admit'; readonly candidate: Candidate }
  /** The digits are right, but the device is somewhere else: nothing happens before the person was asked about that. */
  | { readonly type: 'ask-about-remote'; readonly candidate: Candidate }
  | { readonly type: 'welcome'; readonly connection: number }
  | { readonly type: 'finish'; readonly connection: number }

export interface InvitationStep {
  readonly state: Invitation
  readonly effects: readonly InvitationEffect[]
}

export const OPEN_INVITATION: Invitation = {
  kind: 'open',
  candidates: [],
  triesLeft: MAX_PAIRING_TRIES,
  nearbyCodesLeft: MAX_NEARBY_CODES,
}

export function nextInvitation(state: Invitation, event: InvitationEvent): InvitationStep {
  const move = INVITATION[state.kind][event.type] as (state: Invitation, event: InvitationEvent) => InvitationStep
  return move(state, event)
}

/** What `peer` hears at once when it connects now, before anything else is said; `undefined`: it may go on. */
export function refusalAtDoor(state: Invitation, peer: DeviceId): Refusal | undefined {
  if (state.kind === 'open') return undefined
  if (state.kind === 'failed') return refusalOf(state.code)
  return state.candidate.device === peer ? undefined : 'used'
}

export type JoinerPhase = 'connecting' | 'answered' | 'showing' | 'receiving' | 'keeping' | 'joined' | 'failed'
export type JoinerEvent = PairingFrameType | 'complete' | 'kept' | 'not-kept' | 'redialled' | 'lost' | 'stopped'

/** `violation`: the other end broke the protocol; say so and close. */
export function nextPhase(phase: JoinerPhase, event: JoinerEvent): JoinerPhase | 'violation' {
  return JOINER[phase][event]
}

type StateOf<Kind extends Invitation['kind']> = Extract<Invitation, { readonly kind: Kind }>
type EventOf<Type extends InvitationEvent['type']> = Extract<InvitationEvent, { readonly type: Type }>
type InvitationTable = {
  readonly [Kind in Invitation['kind']]: {
    readonly [Type in InvitationEvent['type']]: (state: StateOf<Kind>, event: EventOf<Type>) => InvitationStep
  }
}

const stay = (state: Invitation): InvitationStep => ({ state, effects: [] })

const refuseArrival = (state: Invitation, event: EventOf<'arrived'>): InvitationStep => ({
  state,
  effects: [{ type: 'refuse', connection: event.candidate.connection, why: state.kind === 'failed' ? refusalOf(state.code) : 'used' }],
})

/** A device that replaces its own earlier connection does not take a second place. */
const wait = (state: StateOf<'open'>, { candidate }: EventOf<'arrived'>): InvitationStep => {
  const earlier = state.candidates.filter(other => other.device === candidate.device)
  const present = state.candidates.filter(other => other.device !== candidate.device)
  const isNearby = candidate.mode === 'nearby'
  const isFull = present.length >= MAX_PAIRING_CANDIDATES
  // Who scanned has seen the screen; who found this device nearby may be anybody on the network, with as many keys as it likes.
  const yielding = isFull && !isNearby ? present.find(other => other.mode === 'nearby') : undefined
  if (isFull && yielding === undefined) return refuseWith(state, candidate, 'busy')
  const others = present.filter(other => other !== yielding)
  if (isNearby && state.nearbyCodesLeft === 0) return refuseWith(state, candidate, 'refused')
  return {
    state: { ...state, candidates: [...others, candidate], nearbyCodesLeft: state.nearbyCodesLeft - (isNearby ? 1 : 0) },
    effects: [
      ...refuseAll(earlier, 'cancelled'),
      ...refuseAll(yielding === undefined ? [] : [yielding], 'busy'),
      { type: 'reveal', connection: candidate.connection },
    ],
  }
}

const forget = (state: StateOf<'open'>, { connection }: EventOf<'left'>): InvitationStep =>
  state.candidates.some(candidate => candidate.connection === connection)
    ? stay({ ...state, candidates: state.candidates.filter(candidate => candidate.connection !== connection) })
    : stay(state)

/** Exactly one match admits. Digits typed while nobody waits could have let nobody in, so they cost no try. */
const compare = (state: StateOf<'open'>, { code, mayBeRemote }: EventOf<'typed'>): InvitationStep => {
  if (state.candidates.length === 0) return stay(state)
  const matching = state.candidates.filter(candidate => candidate.code === code)
  const [winner] = matching
  if (winner !== undefined && matching.length === 1) {
    if (winner.isRemote && !mayBeRemote) return { state, effects: [{ type: 'ask-about-remote', candidate: winner }] }
    const others = state.candidates.filter(candidate => candidate !== winner)
    return {
      state: { kind: 'admitting', candidate: winner },
      effects: [...refuseAll(others, 'used'), { type: 'admit', candidate: winner }],
    }
  }
  if (state.triesLeft > 1) return stay({ ...state, triesLeft: state.triesLeft - 1 })
  return { state: { kind: 'failed', code: 'PAIRING_TOO_MANY_TRIES' }, effects: refuseAll(state.candidates, 'tries') }
}

const fail =
  (code: ErrorCode) =>
  (state: StateOf<'open'>): InvitationStep => ({ state: { kind: 'failed', code }, effects: refuseAll(state.candidates, refusalOf(code)) })

const welcome = (state: StateOf<'admitting'>): InvitationStep => ({
  state: { kind: 'welcoming', candidate: state.candidate },
  effects: [{ type: 'welcome', connection: state.candidate.connection }],
})

const refuseAdmission = (state: StateOf<'admitting'>, { code }: EventOf<'not-admitted'>): InvitationStep => ({
  state: { kind: 'failed', code },
  effects: refuseAll([state.candidate], code === 'GROUP_FULL' ? 'full' : 'refused'),
})

/** Only m4 of the connection that m3 went to counts. */
const finish = (state: StateOf<'welcoming'>, { connection }: EventOf<'acknowledged'>): InvitationStep =>
  connection === state.candidate.connection
    ? { state: { kind: 'done', candidate: state.candidate }, effects: [{ type: 'finish', connection }] }
    : stay(state)

const abandon =
  (code: ErrorCode) =>
  (state: StateOf<'admitting' | 'welcoming'>): InvitationStep => ({
    state: { kind: 'failed', code, candidate: state.candidate },
    effects: refuseAll([state.candidate], refusalOf(code)),
  })

/** The device that was admitted, on a new connection: a member already, so it is welcomed without digits. Anybody else: used. */
const returnOrRefuse =
  (then: 'wait' | 'welcome') =>
  (state: StateOf<'admitting' | 'welcoming' | 'done'>, event: EventOf<'arrived'>): InvitationStep => {
    const { candidate } = event
    if (candidate.device !== state.candidate.device || !equalBytes(candidate.sealingKey, state.candidate.sealingKey)) {
      return refuseArrival(state, event)
    }
    const reveal: InvitationEffect = { type: 'reveal', connection: candidate.connection }
    if (then === 'wait') return { state: { kind: 'admitting', candidate }, effects: [reveal] }
    return { state: { kind: 'welcoming', candidate }, effects: [reveal, { type: 'welcome', connection: candidate.connection }] }
  }

const INVITATION: InvitationTable = {
  open: {
    arrived: wait,
    left: forget,
    typed: compare,
    admitted: stay,
    'not-admitted': stay,
    acknowledged: stay,
    expired: fail('PAIRING_EXPIRED'),
    'given-up': stay,
    closed: fail('CANCELLED'),
  },
  admitting: {
    arrived: returnOrRefuse('wait'),
    left: stay,
    typed: stay,
    admitted: welcome,
    'not-admitted': refuseAdmission,
    acknowledged: stay,
    expired: stay,
    'given-up': abandon('TIMED_OUT'),
    closed: abandon('CANCELLED'),
  },
  welcoming: {
    arrived: returnOrRefuse('welcome'),
    left: stay,
    typed: stay,
    admitted: stay,
    'not-admitted': stay,
    acknowledged: finish,
    expired: stay,
    'given-up': abandon('TIMED_OUT'),
    closed: abandon('CANCELLED'),
  },
  done: {
    arrived: returnOrRefuse('welcome'),
    left: stay,
    typed: stay,
    admitted: stay,
    'not-admitted': stay,
    acknowledged: stay,
    expired: stay,
    'given-up': stay,
    closed: stay,
  },
  failed: {
    arrived: refuseArrival,
    left: stay,
    typed: stay,
    admitted: stay,
    'not-admitted': stay,
    acknowledged: stay,
    expired: stay,
    'given-up': stay,
    closed: stay,
  },
}

const NOTHING_LOCAL = { complete: 'violation', kept: 'violation', 'not-kept': 'violation', redialled: 'violation' } as const
const UNTIL_COMPLETE = {
  ...NOTHING_LOCAL,
  answer: 'violation',
  received: 'violation',
  refuse: 'failed',
  lost: 'failed',
  stopped: 'failed',
  redialled: 'connecting',
} as const
/** Everything is here: from now on only this device's own disk can fail it. */
const COMPLETE = {
  ...NOTHING_LOCAL,
  commit: 'violation',
  answer: 'violation',
  reveal: 'violation',
  received: 'violation',
} as const

// m3 may be lost and sent again after log frames that came through: so `log` while showing is let pass.
const JOINER: Readonly<Record<JoinerPhase, Readonly<Record<JoinerEvent, JoinerPhase | 'violation'>>>> = {
  connecting: { ...UNTIL_COMPLETE, commit: 'answered', reveal: 'violation', welcome: 'violation', log: 'violation' },
  answered: { ...UNTIL_COMPLETE, commit: 'violation', reveal: 'showing', welcome: 'violation', log: 'violation' },
  showing: { ...UNTIL_COMPLETE, commit: 'violation', reveal: 'violation', welcome: 'receiving', log: 'showing' },
  receiving: { ...UNTIL_COMPLETE, commit: 'violation', reveal: 'violation', welcome: 'receiving', log: 'receiving', complete: 'keeping' },
  keeping: {
    ...COMPLETE,
    welcome: 'keeping',
    log: 'keeping',
    refuse: 'keeping',
    lost: 'keeping',
    stopped: 'keeping',
    kept: 'joined',
    'not-kept': 'failed',
  },
  joined: { ...COMPLETE, welcome: 'joined', log: 'joined', refuse: 'joined', lost: 'joined', stopped: 'joined' },
  failed: {
    ...COMPLETE,
    commit: 'failed',
    answer: 'failed',
    reveal: 'failed',
    received: 'failed',
    welcome: 'failed',
    log: 'failed',
    refuse: 'failed',
    lost: 'failed',
    stopped: 'failed',
  },
}

function refuseWith(state: Invitation, candidate: Candidate, why: Refusal): InvitationStep {
  return { state, effects: [{ type: 'refuse', connection: candidate.connection, why }] }
}

function refuseAll(candidates: readonly Candidate[], why: Refusal): readonly InvitationEffect[] {
  return candidates.map(candidate => ({ type: 'refuse', connection: candidate.connection, why }))
}

function refusalOf(code: ErrorCode): Refusal {
  switch (code) {
    case 'PAIRING_EXPIRED':
      return 'expired'
    case 'PAIRING_TOO_MANY_TRIES':
      return 'tries'
    case 'CANCELLED':
      return 'cancelled'
    default:
      return 'refused'
  }
}
