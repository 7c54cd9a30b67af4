import { createServer } from 'node:net'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { closedOf } from './examine.ts'
import type { DaemonFacts, Facts } from './facts.ts'
import { findingsOf } from './findings.ts'

const WELL: DaemonFacts = {
  mdns: true,
  silentInterfaces: [],
  isStorageFailing: false,
  isRemoved: false,
  clockOffsetMs: 800,
  relayedDevices: [],
  relays: { revoked: 0, full: 0 },
  strangersNearby: 0,
}
const AT_HOME: Facts = { daemon: WELL, closedAddresses: [], interfaces: ['lo', 'eth0', 'wlan0', 'docker0'], hasPrivateAddress: true }

function causesOf(facts: Partial<Facts>, daemon: Partial<DaemonFacts> = {}): readonly string[] {
  return findingsOf({ ...AT_HOME, daemon: { ...WELL, ...daemon }, ...facts }).map(({ cause }) => cause)
}

const MINUTE_MS = 60_000

test.each<[string, Partial<Facts>, Partial<DaemonFacts>]>([
  ['well', {}, {}],
  ['daemon-down', { daemon: undefined }, {}],
  ['port-closed', { closedAddresses: ['192.168.1.5:4001'] }, {}],
  ['no-private-network', { hasPrivateAddress: false }, {}],
  ['mdns-off', {}, { mdns: false }],
  ['mdns-blocked', {}, { silentInterfaces: ['192.168.1.5'] }],
  ['vpn-interface', { interfaces: ['eth0', 'tun0'] }, {}],
  ['vpn-interface', { interfaces: ['eth0', 'wg0'] }, {}],
  ['vpn-interface', { interfaces: ['en0', 'utun4'] }, {}],
  ['clock-off', {}, { clockOffsetMs: 24 * 60 * MINUTE_MS }],
  ['clock-off', {}, { clockOffsetMs: -6 * MINUTE_MS }],
  ['foreign-group', {}, { strangersNearby: 2 }],
  ['relayed', {}, { relayedDevices: ['Desk'] }],
  ['relay-revoked', {}, { relays: { revoked: 1, full: 0 } }],
  ['relay-full', {}, { relays: { revoked: 0, full: 2 } }],
  ['removed', {}, { isRemoved: true }],
  ['storage-failing', {}, { isStorageFailing: true }],
])('%s', (cause, facts, daemon) => {
  expect(causesOf(facts, daemon)).toEqual([cause])
})

test('several at once are all named, and each but the good news says the next step', () => {
  const findings = findingsOf({
    ...AT_HOME,
    closedAddresses: ['a:1'],
    daemon: { ...WELL, silentInterfaces: ['10.0.0.1'], strangersNearby: 1 },
  })
  expect(findings.map(({ cause }) => cause)).toEqual(['port-closed', 'mdns-blocked', 'foreign-group'])
  expect(findings.every(({ next }) => next !== undefined)).toBe(true)
})

test('which way a clock is off, and by how much, is said in words', () => {
  const titleOf = (clockOffsetMs: number): string => findingsOf({ ...AT_HOME, daemon: { ...WELL, clockOffsetMs } })[0]?.title ?? ''
  expect(titleOf(25 * 60 * MINUTE_MS)).toBe('This clock is 25 hours ahead of another device’s.')
  expect(titleOf(-6 * MINUTE_MS)).toBe('This clock is 6 minutes behind another device’s.')
})

test('an address that takes no connection is found closed, an open one is not', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const address = `/ip4/127.0.0.1/tcp/${port}/p2p/12D3KooW`
  expect(await closedOf([address, `${address}/ws`])).toEqual([])
  server.close()
  await once(server, 'close')
  expect(await closedOf([address, '/ip4/127.0.0.1/udp/9/webrtc-direct'])).toEqual([`127.0.0.1:${port}`])
})
