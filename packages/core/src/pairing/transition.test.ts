import { describe, expect, test } from 'vitest'
import type { DeviceId } from '../lib/ids.ts'
import { MAX_NEARBY_CODES } from '../wire/pairing-messages.ts'
import {
  nextInvitation,
  nextPhase,
  OPEN_INVITATION,
  refusalAtDoor,
  type Candidate,
  type Invitation,
  type InvitationEvent,
  type JoinerEvent,
  type JoinerPhase,
} from './transition.ts'

const candidate = (name: string, connection: number, code = '111111'): Candidate => ({
  connection,
  device: name as DeviceId,
  sealingKey: new Uint8Array(32),
  name,
  platform: 'linux',
  mode: 'scanned',
  isRemote: false,
  code,
})
const desk = candidate('desk', 1)
const phone = candidate('phone', 2, '222222')

const STATES: { readonly [Kind in Invitation['kind']]: Extract<Invitation, { kind: Kind }> } = {
  open: { ...OPEN_INVITATION, kind: 'open', candidates: [desk], triesLeft: 3, nearbyCodesLeft: MAX_NEARBY_CODES },
  admitting: { kind: 'admitting', candidate: desk },
  welcoming: { kind: 'welcoming', candidate: desk },
  done: { kind: 'done', candidate: desk },
  failed: { kind: 'failed', code: 'PAIRING_EXPIRED' },
}
const EVENTS: { readonly [Type in InvitationEvent['type']]: Extract<InvitationEvent, { type: Type }> } = {
  arrived: { type: 'arrived', candidate: phone },
  left: { type: 'left', connection: 1 },
  typed: { type: 'typed', code: '111111', mayBeRemote: false },
  admitted: { type: 'admitted' },
  'not-admitted': { type: 'not-admitted', code: 'STORE_FAILED' },
  acknowledged: { type: 'acknowledged', connection: 1 },
  expired: { type: 'expired' },
  'given-up': { type: 'given-up' },
  closed: { type: 'closed' },
}

/** Where each event leads, and what it has done, for a desk that waits (or was chosen) and a phone that arrives. */
type Expected = readonly [kind: Invitation['kind'], ...effects: string[]]
const EXPECTED: Record<Invitation['kind'], Record<InvitationEvent['type'], Expected>> = {
  open: {
    arrived: ['open', 'reveal 2'],
    left: ['open'],
    typed: ['admitting', 'admit desk'],
    admitted: ['open'],
    'not-admitted': ['open'],
    acknowledged: ['open'],
    expired: ['failed', 'refuse 1 expired'],
    'given-up': ['open'],
    closed: ['failed', 'refuse 1 cancelled'],
  },
  admitting: {
    arrived: ['admitting', 'refuse 2 used'],
    left: ['admitting'],
    typed: ['admitting'],
    admitted: ['welcoming', 'welcome 1'],
    'not-admitted': ['failed', 'refuse 1 refused'],
    acknowledged: ['admitting'],
    expired: ['admitting'],
    'given-up': ['failed', 'refuse 1 refused'],
    closed: ['failed', 'refuse 1 cancelled'],
  },
  welcoming: {
    arrived: ['welcoming', 'refuse 2 used'],
    left: ['welcoming'],
    typed: ['welcoming'],
    admitted: ['welcoming'],
    'not-admitted': ['welcoming'],
    acknowledged: ['done', 'finish 1'],
    expired: ['welcoming'],
    'given-up': ['failed', 'refuse 1 refused'],
    closed: ['failed', 'refuse 1 cancelled'],
  },
  done: {
    arrived: ['done', 'refuse 2 used'],
    left: ['done'],
    typed: ['done'],
    admitted: ['done'],
    'not-admitted': ['done'],
    acknowledged: ['done'],
    expired: ['done'],
    'given-up': ['done'],
    closed: ['done'],
  },
  failed: {
    arrived: ['failed', 'refuse 2 expired'],
    left: ['failed'],
    typed: ['failed'],
    admitted: ['failed'],
    'not-admitted': ['failed'],
    acknowledged: ['failed'],
    expired: ['failed'],
    'given-up': ['failed'],
    closed: ['failed'],
  },
}

describe('the old device', () => {
  const kinds = Object.keys(EXPECTED) as Invitation['kind'][]
  const types = Object.keys(EVENTS) as InvitationEvent['type'][]
  test.each(kinds.flatMap(kind => types.map(type => [kind, type] as const)))('[P22] %s, %s', (kind, type) => {
    const { state, effects } = nextInvitation(STATES[kind], EVENTS[type])
    const done = effects.map(effect =>
      effect.type === 'admit' || effect.type === 'ask-about-remote'
        ? `${effect.type} ${effect.candidate.name}`
        : `${effect.type} ${effect.connection}${effect.type === 'refuse' ? ` ${effect.why}` : ''}`,
    )
    expect([state.kind, ...done]).toEqual(EXPECTED[kind][type])
  })

  test('[P28] the digits of a device elsewhere change nothing but that it is asked about, until that was said', () => {
    const open = { ...STATES.open, candidates: [{ ...desk, isRemote: true }] }
    const asked = nextInvitation(open, EVENTS.typed)
    expect([asked.state, asked.effects.map(({ type }) => type)]).toEqual([open, ['ask-about-remote']])
    const said = nextInvitation(open, { ...EVENTS.typed, mayBeRemote: true })
    expect([said.state.kind, said.effects.map(({ type }) => type)]).toEqual(['admitting', ['admit']])
  })

  test('[P14] digits that two devices show admit neither, and cost a try', () => {
    const twin = { ...candidate('phone', 2), code: desk.code }
    const { state, effects } = nextInvitation({ ...STATES.open, candidates: [desk, twin] }, EVENTS.typed)
    expect(state).toMatchObject({ kind: 'open', triesLeft: 2 })
    expect(effects).toEqual([])
  })

  test('[P14] digits typed while nobody waits change nothing', () => {
    expect(nextInvitation(OPEN_INVITATION, EVENTS.typed)).toEqual({ state: OPEN_INVITATION, effects: [] })
  })

  test('[P21] the admitted device may come back, another one in its name with another sealing key may not', () => {
    const back = { ...desk, connection: 7 }
    expect(nextInvitation(STATES.welcoming, { type: 'arrived', candidate: back })).toEqual({
      state: { kind: 'welcoming', candidate: back },
      effects: [
        { type: 'reveal', connection: 7 },
        { type: 'welcome', connection: 7 },
      ],
    })
    const forged = { ...back, sealingKey: new Uint8Array(32).fill(1) }
    expect(nextInvitation(STATES.welcoming, { type: 'arrived', candidate: forged }).effects).toEqual([
      { type: 'refuse', connection: 7, why: 'used' },
    ])
  })

  test('[P4] at the door: everybody while it is open, only the admitted device after, nobody once it failed', () => {
    expect(refusalAtDoor(STATES.open, phone.device)).toBe(undefined)
    expect(refusalAtDoor(STATES.done, desk.device)).toBe(undefined)
    expect(refusalAtDoor(STATES.done, phone.device)).toBe('used')
    expect(refusalAtDoor(STATES.failed, desk.device)).toBe('expired')
  })
})

const X = 'violation'
const PHASES: Record<JoinerPhase, Record<JoinerEvent, JoinerPhase | 'violation'>> = {
  connecting: {
    commit: 'answered',
    answer: X,
    reveal: X,
    welcome: X,
    log: X,
    received: X,
    refuse: 'failed',
    complete: X,
    kept: X,
    'not-kept': X,
    redialled: 'connecting',
    lost: 'failed',
    stopped: 'failed',
  },
  answered: {
    commit: X,
    answer: X,
    reveal: 'showing',
    welcome: X,
    log: X,
    received: X,
    refuse: 'failed',
    complete: X,
    kept: X,
    'not-kept': X,
    redialled: 'connecting',
    lost: 'failed',
    stopped: 'failed',
  },
  showing: {
    commit: X,
    answer: X,
    reveal: X,
    welcome: 'receiving',
    log: 'showing',
    received: X,
    refuse: 'failed',
    complete: X,
    kept: X,
    'not-kept': X,
    redialled: 'connecting',
    lost: 'failed',
    stopped: 'failed',
  },
  receiving: {
    commit: X,
    answer: X,
    reveal: X,
    welcome: 'receiving',
    log: 'receiving',
    received: X,
    refuse: 'failed',
    complete: 'keeping',
    kept: X,
    'not-kept': X,
    redialled: 'connecting',
    lost: 'failed',
    stopped: 'failed',
  },
  keeping: {
    commit: X,
    answer: X,
    reveal: X,
    welcome: 'keeping',
    log: 'keeping',
    received: X,
    refuse: 'keeping',
    complete: X,
    kept: 'joined',
    'not-kept': 'failed',
    redialled: X,
    lost: 'keeping',
    stopped: 'keeping',
  },
  joined: {
    commit: X,
    answer: X,
    reveal: X,
    welcome: 'joined',
    log: 'joined',
    received: X,
    refuse: 'joined',
    complete: X,
    kept: X,
    'not-kept': X,
    redialled: X,
    lost: 'joined',
    stopped: 'joined',
  },
  failed: {
    commit: 'failed',
    answer: 'failed',
    reveal: 'failed',
    welcome: 'failed',
    log: 'failed',
    received: 'failed',
    refuse: 'failed',
    complete: X,
    kept: X,
    'not-kept': X,
    redialled: X,
    lost: 'failed',
    stopped: 'failed',
  },
}

test.each(Object.entries(PHASES))('[P22] the new device, %s', (phase, cells) => {
  for (const [event, expected] of Object.entries(cells))
    expect([event, nextPhase(phase as JoinerPhase, event as JoinerEvent)]).toEqual([event, expected])
})

test('[P13] strangers who only found this device nearby do not keep out the one that scanned', () => {
  const nearby = (name: string, connection: number): Candidate => ({ ...candidate(name, connection), mode: 'nearby' })
  const arrive = (state: Invitation, arriving: Candidate): ReturnType<typeof nextInvitation> =>
    nextInvitation(state, { type: 'arrived', candidate: arriving })
  const full = [nearby('a', 1), nearby('b', 2), nearby('c', 3)].reduce((state, stranger) => arrive(state, stranger).state, OPEN_INVITATION)
  expect(arrive(full, nearby('d', 4)).effects).toEqual([{ type: 'refuse', connection: 4, why: 'busy' }])
  const step = arrive(full, candidate('desk', 5))
  expect(step.effects).toEqual([
    { type: 'refuse', connection: 1, why: 'busy' },
    { type: 'reveal', connection: 5 },
  ])
  expect(step.state).toMatchObject({ candidates: [{ device: 'b' }, { device: 'c' }, { device: 'desk' }] })
})
