import { expect, test } from 'vitest'
import { behindText, lostText } from './relay-texts.ts'

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

test('a mailbox whose key nobody has who stays is named with the next step; other problems are not', () => {
  expect(lostText({ ...relay, problem: 'RELAY_KEY_LOST' })).toMatch(
    /^…layrelay: .* add the relay again with a fresh invite: segue relay add INVITE$/,
  )
  expect([lostText(relay), lostText({ ...relay, problem: 'UNREACHABLE' })]).toEqual([undefined, undefined])
})
