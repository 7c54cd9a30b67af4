import { expect, test } from 'vitest'
import { behindText, problemText, relaysText } from './relay-texts.ts'

const devices = [
  { id: '12D3KooWlaptoplaptop', name: 'laptop' },
  { id: '12D3KooWphonephone', name: 'phone' },
]
const relay = { id: '12D3KooWrelayrelay', unconfirmed: 3 }

test('a relay that is whole is not talked about', () => {
  expect(behindText(relay, devices, 0)).toBeUndefined()
})

test('a relay that lost something says so, whose it was where that is known, and how much is still to go', () => {
  const behind = { kind: 'lost', since: 0, devices: [] } as const
  expect(behindText({ ...relay, behind }, devices, 120_000)).toBe(
    '…layrelay is behind: it has lost work it had confirmed (noticed 2 min ago); your devices bring it again, 3 to go.',
  )
  const ofLaptop = { ...behind, devices: ['12D3KooWlaptoplaptop'] }
  expect(behindText({ ...relay, unconfirmed: 0, behind: ofLaptop }, devices, 0)).toContain('of laptop (noticed 0 s ago)')
})

test('a relay that withholds is named with the devices whose work it does not show', () => {
  const behind = { kind: 'withholds', since: 0, devices: devices.map(({ id }) => id) } as const
  expect(behindText({ ...relay, behind }, devices, 0)).toContain('it does not show what laptop, phone left with it')
})

test('what a person has to do something about is named with the next step; other problems are not', () => {
  expect(problemText({ ...relay, problem: 'RELAY_KEY_LOST' })).toMatch(
    /^…layrelay: .* add the relay again with a fresh invite: segue relay add INVITE$/,
  )
  expect(problemText({ ...relay, problem: 'RELAY_REVOKED' })).toMatch(/^…layrelay: The relay no longer serves .* operator/)
  expect(problemText({ ...relay, problem: 'RELAY_QUOTA' })).toMatch(/^…layrelay: The relay is full .* operator/)
  expect([problemText(relay), problemText({ ...relay, problem: 'UNREACHABLE' })]).toEqual([undefined, undefined])
})

test('status says of relays first what a person has to see to', () => {
  const counts = { total: 2, linked: 1, behind: 1, lost: 0, revoked: 0, full: 0 }
  expect(relaysText({ ...counts, behind: 0 })).toBe('1 of 2 linked')
  expect(relaysText(counts)).toContain('1 behind')
  expect(relaysText({ ...counts, full: 1 })).toContain('1 full')
  expect(relaysText({ ...counts, full: 1, revoked: 1 })).toContain('1 no longer serves your group')
})
