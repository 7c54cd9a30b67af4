import { createIdentity, foundGroup, type Channel, type DeviceId, type TelemetryEvent } from '@segue/core'
import type { DeviceLink, DeviceLinkHandler } from '@segue/core/ports'
import { createSeededRandom, createSimulatedClock } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { createLinkHost } from './link-host.ts'
import type { Runtime } from './runtime.ts'

const random = createSeededRandom(71)
const [laptop, desk, relay, stranger] = ['laptop', 'desk', 'relay', 'stranger'].map(name => createIdentity({ name, random })) as [
  Identity,
  Identity,
  Identity,
  Identity,
]
type Identity = ReturnType<typeof createIdentity>

function startHost() {
  const group = foundGroup({ identity: laptop, random, time: 0 })
  const keys = { signing: desk.signing.publicKey, sealing: desk.sealing.publicKey }
  group.add({ keys, role: 'member', name: 'desk', time: 1 })
  const events: TelemetryEvent[] = []
  const coming: string[] = []
  const heard: (readonly [DeviceId, Channel | 'handoff'])[] = []
  const runtime = {
    group,
    replica: {
      attach: (link: DeviceLink): DeviceLinkHandler => ({
        onFrame: channel => void heard.push([link.peer, channel]),
        onClosed: () => undefined,
      }),
    },
    handoffs: { onLink: () => undefined, onFrame: (link: DeviceLink) => void heard.push([link.peer, 'handoff']) },
  } as unknown as Runtime
  const host = createLinkHost({
    self: laptop.id,
    clock: createSimulatedClock(),
    telemetry: { record: event => void events.push(event) },
    isRelay: peer => peer === relay.id,
    runtime: () => runtime,
    onComing: () => void coming.push('a member'),
    onSeen: () => undefined,
  })
  return { host, heard, events, coming }
}

test('members and the relays of the group may connect, nobody else and not this device itself', () => {
  const { host, coming } = startHost()
  expect([desk, relay, stranger, laptop].map(({ id }) => host.mayConnect(id))).toEqual([true, true, false, false])
  expect(coming).toHaveLength(2)
})

test('of a relay only synchronisation is heard: it has no say in a handoff', () => {
  const { host, heard } = startHost()
  for (const { id } of [desk, relay]) {
    const handler = host.onLink({ peer: id, path: 'direct' } as DeviceLink)
    for (const channel of ['sync-live', 'sync-bulk', 'control', 'ephemeral'] as const) void handler.onFrame(channel, new Uint8Array(1))
  }
  expect(heard.filter(([peer]) => peer === desk.id).map(([, what]) => what)).toEqual(['sync-live', 'sync-bulk', 'handoff'])
  expect(heard.filter(([peer]) => peer === relay.id).map(([, what]) => what)).toEqual(['sync-live', 'sync-bulk'])
})

test('links to relays are told apart from links to devices', () => {
  const { host, events } = startHost()
  for (const { id } of [desk, relay]) host.onLink({ peer: id, path: 'direct' } as DeviceLink).onClosed('lost')
  expect(events).toMatchObject([
    { type: 'device-linked', device: desk.id, path: 'direct' },
    { type: 'device-unlinked', device: desk.id, reason: 'lost' },
    { type: 'relay-linked', relay: relay.id, path: 'direct' },
    { type: 'relay-unlinked', relay: relay.id, reason: 'lost' },
  ])
})
