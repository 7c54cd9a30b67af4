import { createIdentity, foundGroup, hexId, openGroup, type DeviceIdentity, type Group, type MailboxId, type Replica } from '@segue/core'
import type { SealedChunk } from '@segue/core/ports'
import { createSeededRandom } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { createGroupKeeper, type GroupKeeper } from './group-keeper.ts'
import { silentLogger } from './platform/loggers.ts'

const random = createSeededRandom(7)
const device = (name: string): DeviceIdentity => createIdentity({ name, random })
const [laptop, desk, phone] = [device('laptop'), device('desk'), device('phone')]

test('[V2] what one call writes is stored in one batch', async () => {
  const group = groupOfThree()
  const { keeper, batches } = keep(group)
  const mailbox = hexId<MailboxId>(random.bytes(16))
  group.addRelay({ relay: device('relay').id, addresses: [], mailbox, adminSeed: random.bytes(32), time: 4 })
  const before = group.entries().length
  batches.length = 0
  const entry = group.setRole(desk.id, 'admin', 5) // gives it the mailbox's key as well
  await keeper.keep(entry)
  expect(group.entries()).toHaveLength(before + 2)
  expect(batches.map(batch => batch.length)).toEqual([2])
  expect(entriesIn(group, batches[0] ?? [])).toContain(entry.id)
})

test('[V2] an entry that arrives is not stored again; one that is written because of it is stored', async () => {
  const onLaptop = groupOfThree()
  const onDesk = copy(desk, onLaptop)
  const { keeper, batches } = keep(onDesk)
  batches.length = 0
  const written: string[] = []
  const stop = onDesk.state.subscribe(() => {
    stop()
    written.push(onDesk.rename(desk.id, 'office', 6).id)
  })
  const removal = onLaptop.remove(phone.id, { time: 5 })
  keeper.onArrived([onLaptop.toChunk(removal)])
  expect(onDesk.removalOf(phone.id)?.entry).toBe(removal.id)
  expect(batches.map(batch => entriesIn(onDesk, batch))).toEqual([written])
  await keeper.keep(removal)
  expect(batches).toHaveLength(1)
})

function groupOfThree(): Group {
  const group = foundGroup({ identity: laptop, random, time: 0 })
  for (const { signing, sealing, name } of [desk, phone]) {
    group.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role: 'member', name, time: 1 })
  }
  return group
}

function copy(identity: DeviceIdentity, group: Group): Group {
  return openGroup({ identity, random, secret: group.secret, entries: group.entries().map(({ bytes }) => bytes) })
}

function keep(group: Group): { readonly keeper: GroupKeeper; readonly batches: (readonly SealedChunk[])[] } {
  const batches: (readonly SealedChunk[])[] = []
  const replica = { add: (chunks: readonly SealedChunk[]) => Promise.resolve(void batches.push(chunks)) } as unknown as Replica
  return { keeper: createGroupKeeper({ group, stored: new Set() }, replica, silentLogger), batches }
}

function entriesIn(group: Group, chunks: readonly SealedChunk[]): readonly string[] {
  const known = new Map(group.entries().map(entry => [group.toChunk(entry).id, entry.id]))
  return chunks.map(({ id }) => known.get(id) ?? id)
}
