import type { DeviceId } from '@segue/core'
import { expect, test } from 'vitest'
import type { RelayStatus } from '../relays.ts'
import type { DeviceStatus } from '../segue.ts'
import { BACKUP_FRESH_MS, isOnlyHere, type Elsewhere } from './only-here.ts'

const device = (given: Partial<DeviceStatus>): DeviceStatus => ({
  id: 'desk' as DeviceId,
  name: 'Desk',
  role: 'member',
  isThisDevice: false,
  state: 'away',
  path: undefined,
  sync: 'unknown',
  unconfirmed: 0,
  lastSeenAt: undefined,
  lastSaid: undefined,
  leavesOut: 0,
  ...given,
})
const here = device({ isThisDevice: true, state: 'here', sync: 'in-sync' })
const relay = (given: Partial<RelayStatus>): RelayStatus => ({ state: 'away', sync: 'unknown', ...given }) as RelayStatus
const onlyHere = (given: Partial<Elsewhere>): boolean =>
  isOnlyHere({ devices: [here], relays: [], lastBackupAt: undefined, now: 1e12, ...given })

test('[W5] a device alone, without a relay or a backup, is the only place', () => {
  expect(onlyHere({})).toBe(true)
  expect(onlyHere({ devices: [here, device({ lastSaid: { at: 1, hasSame: false } })] })).toBe(true)
  expect(onlyHere({ devices: [here, device({ state: 'linked', sync: 'in-sync', leavesOut: 1 })] })).toBe(true)
})

test('[W5] another device that has the same, or is being given it, is another place', () => {
  for (const given of [{ state: 'linked', sync: 'catching-up' }, { sync: 'in-sync' }, { lastSaid: { at: 1, hasSame: true } }] as const) {
    expect(onlyHere({ devices: [here, device(given)] })).toBe(false)
  }
})

test('[W5] a relay is another place, unless it is full or holds less than it says', () => {
  expect(onlyHere({ relays: [relay({})] })).toBe(false)
  expect(onlyHere({ relays: [relay({ problem: 'RELAY_QUOTA' })] })).toBe(true)
  expect(onlyHere({ relays: [relay({ problem: 'RELAY_REVOKED' })] })).toBe(true)
  expect(onlyHere({ relays: [relay({ behind: {} as never })] })).toBe(true)
})

test('[W5] a backup counts for seven days', () => {
  expect(onlyHere({ lastBackupAt: 1e12 - BACKUP_FRESH_MS + 1 })).toBe(false)
  expect(onlyHere({ lastBackupAt: 1e12 - BACKUP_FRESH_MS })).toBe(true)
})
