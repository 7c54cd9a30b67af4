import type { DeviceId } from '@segue/core'
import { createMemoryRecordStore, createSimulatedClock } from '@segue/core/testing'
import type { NetNode } from '@segue/net'
import { expect, test } from 'vitest'
import { loadPeers, MAX_PEER_ADDRESSES } from './device-records.ts'
import { createMembers } from './members.ts'
import { silentLogger } from './platform/loggers.ts'

test('of a device that moves about, the newest addresses are remembered and no more, in memory and on disk', async () => {
  const [laptop, desk] = ['laptop', 'desk'] as DeviceId[] as [DeviceId, DeviceId]
  const records = createMemoryRecordStore()
  const given: (readonly string[])[] = []
  let port = 0
  const node = {
    addressesOf: () => [`/ip4/10.0.0.9/tcp/${++port}`],
    setMembers: (members: ReadonlyMap<DeviceId, readonly string[]>) => void given.push(members.get(desk) ?? []),
  } as unknown as NetNode
  const runtime = (): never => ({ group: { state: { peek: () => ({ devices: [{ id: desk, active: true }] }) } } }) as never
  const members = await createMembers(
    { self: laptop, records, clock: createSimulatedClock(), logger: silentLogger, runtime, relays: () => [] },
    () => node,
  )
  for (let i = 0; i < 100; i++) members.onSeen(desk)
  members.refresh()
  await members.close()
  const newest = Array.from({ length: MAX_PEER_ADDRESSES }, (_, i) => `/ip4/10.0.0.9/tcp/${100 - i}`)
  expect(given).toEqual([newest])
  expect((await loadPeers(records)).get(desk)?.addresses).toEqual(newest)
})
