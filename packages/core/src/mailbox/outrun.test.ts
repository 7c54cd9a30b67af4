import { expect, test } from 'vitest'
import { signingKeysOf } from '../crypto/index.ts'
import { foundGroup, openGroup, type Group } from '../group/index.ts'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { hexId, type MailboxId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { isKeyLost, mayBeginAnew, outrunMailboxes } from './outrun.ts'

const random = createSeededRandom(5)
const device = (name: string): DeviceIdentity => createIdentity({ name, random })
const [laptop, desk, phone, relay] = [device('laptop'), device('desk'), device('phone'), device('relay')]

test('[M12] a mailbox that somebody made while being removed is found by its key, by whom that was given', () => {
  const senior = foundGroup({ identity: laptop, random, time: 0 })
  const add = ({ name, signing, sealing }: DeviceIdentity, role: 'admin' | 'member'): void =>
    void senior.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role, name, time: 1 })
  const addresses = ['/ip4/127.0.0.1/tcp/1']
  const [old, made, other] = [1, 2, 3].map(() => hexId<MailboxId>(random.bytes(16))) as [MailboxId, MailboxId, MailboxId]
  senior.addRelay({ relay: relay.id, addresses, mailbox: old, adminSeed: random.bytes(32), time: 1 })
  add(desk, 'admin')
  add(phone, 'member')
  const open = (identity: DeviceIdentity): Group =>
    openGroup({ identity, random, secret: senior.secret, entries: senior.entries().map(({ bytes }) => bytes) })
  const [junior, member] = [open(desk), open(phone)]
  const adminSeed = random.bytes(32)
  const voided = [
    junior.addRelay({ relay: relay.id, addresses, mailbox: made, adminSeed, time: 2 }),
    junior.addRelay({ relay: desk.id, addresses, mailbox: other, adminSeed: random.bytes(32), time: 2 }),
  ]
  const removal = senior.remove(desk.id, { time: 2 })
  for (const group of [senior, member]) group.receive([...voided, removal].map(({ bytes }) => bytes))

  expect(senior.state.peek().relays.map(({ mailbox }) => mailbox)).toEqual([old])
  expect(outrunMailboxes(senior, relay.id, laptop)).toEqual([{ mailbox: made, keys: signingKeysOf(adminSeed) }])
  expect(outrunMailboxes(member, relay.id, phone)).toEqual([])
})

test('[M13] a group begins anew only where its log shows that no word that counts could have moved it', () => {
  const addresses = ['/ip4/127.0.0.1/tcp/1']
  const [old, made] = [4, 5].map(() => hexId<MailboxId>(random.bytes(16))) as [MailboxId, MailboxId]
  const senior = foundGroup({ identity: laptop, random, time: 0 })
  senior.addRelay({ relay: relay.id, addresses, mailbox: old, adminSeed: random.bytes(32), time: 1 })
  for (const { name, signing, sealing } of [desk, phone])
    senior.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role: 'admin', name, time: 1 })
  const [onDesk, onPhone] = [desk, phone].map(identity =>
    openGroup({ identity, random, secret: senior.secret, entries: senior.entries().map(({ bytes }) => bytes) }),
  ) as [Group, Group]
  const may = (): readonly boolean[] => [mayBeginAnew(senior, old, laptop.id), mayBeginAnew(onPhone, old, phone.id)]

  // Somebody else who stays may have moved it, and not have been heard of yet.
  const removal = senior.remove(desk.id, { time: 2 })
  onPhone.receive([removal.bytes])
  expect(may()).toEqual([false, false])
  const voided = onDesk.addRelay({ relay: relay.id, addresses, mailbox: made, adminSeed: random.bytes(32), time: 2 })
  onPhone.receive([voided.bytes])
  expect(may()).toEqual([false, true])
  // Nobody else is left who stays; of the phone's words none counts that the laptop has not heard.
  senior.remove(phone.id, { time: 3 })
  expect(may()).toEqual([true, true])
  expect(isKeyLost(senior, old)).toBe(false)
})
