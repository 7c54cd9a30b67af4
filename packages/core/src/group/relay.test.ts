import { expect, test } from 'vitest'
import { createSigningKeys, signingKeysOf, wrapFor } from '../crypto/index.ts'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { isSegueError } from '../lib/errors.ts'
import { deviceIdOf, hexId, idBytes, type MailboxId } from '../lib/ids.ts'
import { signedEntryBytes } from '../testing/group-log.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import type { Role } from './entry.ts'
import { foundGroup, openGroup } from './group.ts'
import type { Group, NewRelay } from './group-interface.ts'

const random = createSeededRandom(70)
const device = (name: string): DeviceIdentity => createIdentity({ name, random })
const laptop = device('laptop')
const desk = device('desk')
const phone = device('phone')

function add(group: Group, { name, signing, sealing }: DeviceIdentity, role: Role): void {
  group.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role, name, time: 1 })
}
function open(identity: DeviceIdentity, group: Group): Group {
  return openGroup({ identity, random, secret: group.secret, entries: group.entries().map(entry => entry.bytes) })
}
function tell(from: Group, to: Group): void {
  to.receive(from.entries().map(entry => entry.bytes))
}
/** The laptop's group with the desk and the phone in it. */
function three(roleOfDesk: Role = 'member'): { onLaptop: Group; onDesk: Group; onPhone: Group } {
  const onLaptop = foundGroup({ identity: laptop, random, time: 0 })
  add(onLaptop, desk, roleOfDesk)
  add(onLaptop, phone, 'member')
  return { onLaptop, onDesk: open(desk, onLaptop), onPhone: open(phone, onLaptop) }
}
function relay(): NewRelay {
  return {
    relay: deviceIdOf(createSigningKeys(random).publicKey),
    addresses: ['/dns4/relay.example/tcp/443/wss'],
    mailbox: hexId<MailboxId>(random.bytes(16)),
    adminSeed: random.bytes(32),
    time: 2,
  }
}
function ruleOf(write: () => unknown): unknown {
  try {
    write()
  } catch (error) {
    return isSegueError(error, 'GROUP_ENTRY_REFUSED') ? error.details['rule'] : error
  }
  return undefined
}

test('[G29] every device learns of a mailbox, admins hold its key, members do not', () => {
  const { onLaptop, onDesk, onPhone } = three('admin')
  const made = relay()
  onLaptop.addRelay(made)
  for (const group of [onDesk, onPhone]) tell(onLaptop, group)
  const keys = signingKeysOf(made.adminSeed)
  for (const group of [onLaptop, onDesk, onPhone]) {
    expect(group.state.peek().relays).toEqual([
      {
        id: made.relay,
        addresses: made.addresses,
        mailbox: made.mailbox,
        adminKey: keys.publicKey,
        retired: false,
        keyHolders: [laptop.id, desk.id].sort(),
        needsMove: false,
      },
    ])
  }
  expect([onLaptop, onDesk, onPhone].map(group => group.relayAdminKeys(made.mailbox))).toEqual([keys, keys, undefined])
  expect(open(laptop, onDesk).relayAdminKeys(made.mailbox)).toEqual(keys)
})

test('[G29] [G11] a member names no mailbox: neither here nor for others', () => {
  const { onLaptop, onDesk } = three()
  expect(ruleOf(() => onDesk.addRelay(relay()))).toBe('needsAdmin')
  const forged = signedEntryBytes(desk, {
    v: 1,
    group: idBytes(onLaptop.id),
    author: desk.signing.publicKey,
    parents: onLaptop.state.peek().heads.map(idBytes),
    kind: 'relay',
    body: {
      relay: desk.signing.publicKey,
      addresses: [],
      mailbox: new Uint8Array(16),
      adminKey: desk.signing.publicKey,
      wraps: [],
      retired: false,
    },
    time: 9,
  })
  expect(onLaptop.receive([forged])).toMatchObject([{ kind: 'added' }])
  expect(onLaptop.state.peek()).toMatchObject({ relays: [], needsUpdate: false })
})

test('[G29] a wrap that opens to another key, or to none, is passed over', () => {
  const { onLaptop, onDesk } = three('admin')
  const made = relay()
  const wraps = [random.bytes(31), random.bytes(32)].map(secret => wrapFor(laptop.sealing.publicKey, secret, random))
  const bytes = signedEntryBytes(desk, {
    v: 1,
    group: idBytes(onLaptop.id),
    author: desk.signing.publicKey,
    parents: onDesk.state.peek().heads.map(idBytes),
    kind: 'relay',
    body: {
      relay: desk.signing.publicKey,
      addresses: [],
      mailbox: idBytes(made.mailbox),
      adminKey: signingKeysOf(made.adminSeed).publicKey,
      wraps: [...wraps, random.bytes(105)].map(box => ({ device: laptop.signing.publicKey, box })),
      retired: false,
    },
    time: 9,
  })
  onLaptop.receive([bytes])
  expect(onLaptop.state.peek().relays).toHaveLength(1)
  expect(onLaptop.relayAdminKeys(made.mailbox)).toBeUndefined()
})

test('[G31] a mailbox keeps its relay and key, and moves with its relay', () => {
  const { onLaptop } = three()
  const made = relay()
  onLaptop.addRelay(made)
  expect(ruleOf(() => onLaptop.addRelay({ ...made, adminSeed: random.bytes(32) }))).toBe('mailboxKeepsItsKey')
  expect(ruleOf(() => onLaptop.addRelay({ ...relay(), mailbox: made.mailbox, adminSeed: made.adminSeed }))).toBe('mailboxKeepsItsKey')
  expect(ruleOf(() => onLaptop.moveRelay(relay().mailbox, ['/ip4/127.0.0.1/tcp/1'], 3))).toBe('mailboxIsKnown')
  onLaptop.moveRelay(made.mailbox, ['/ip4/127.0.0.1/tcp/1'], 3)
  expect(onLaptop.state.peek().relays).toMatchObject([{ id: made.relay, addresses: ['/ip4/127.0.0.1/tcp/1'] }])
})

test('[G32] a retired mailbox is not brought back by an admin who had not heard', () => {
  const { onLaptop, onDesk } = three('admin')
  const made = relay()
  onLaptop.addRelay(made)
  tell(onLaptop, onDesk)
  onLaptop.retireRelay(made.mailbox, 3)
  onDesk.moveRelay(made.mailbox, ['/ip4/127.0.0.1/tcp/1'], 4)
  onDesk.moveRelay(made.mailbox, ['/ip4/127.0.0.1/tcp/2'], 5)
  tell(onDesk, onLaptop)
  tell(onLaptop, onDesk)
  for (const group of [onLaptop, onDesk]) expect(group.state.peek().relays).toMatchObject([{ retired: true }])
})

test('[G33] whoever is promoted, or added as an admin, is given the keys of the mailboxes in use', () => {
  const { onLaptop, onDesk } = three()
  const [used, retired] = [relay(), relay()]
  onLaptop.addRelay(used)
  onLaptop.addRelay(retired)
  onLaptop.retireRelay(retired.mailbox, 3)
  onLaptop.setRole(desk.id, 'admin', 4)
  const tablet = device('tablet')
  add(onLaptop, tablet, 'admin')
  tell(onLaptop, onDesk)
  for (const group of [onDesk, open(tablet, onLaptop)]) {
    expect(group.relayAdminKeys(used.mailbox)).toEqual(signingKeysOf(used.adminSeed))
    expect(group.relayAdminKeys(retired.mailbox)).toBeUndefined()
  }
})

test('[G33] an admin made while the mailbox was made elsewhere is given the key when somebody looks, once', () => {
  const { onLaptop, onDesk, onPhone } = three('admin')
  const made = relay()
  onLaptop.addRelay(made)
  onDesk.setRole(phone.id, 'admin', 3)
  tell(onDesk, onLaptop)
  expect(onDesk.shareRelayKeys(4)).toEqual([])
  expect(onLaptop.shareRelayKeys(4)).toHaveLength(1)
  expect(onLaptop.shareRelayKeys(5)).toEqual([])
  tell(onLaptop, onPhone)
  expect(onPhone.relayAdminKeys(made.mailbox)).toEqual(signingKeysOf(made.adminSeed))
})

test('[G29] a group uses eight relays at one time', () => {
  const { onLaptop } = three()
  const made = Array.from({ length: 8 }, relay)
  for (const each of made) onLaptop.addRelay(each)
  expect(ruleOf(() => onLaptop.addRelay(relay()))).toBe('relaysHaveRoom')
  onLaptop.retireRelay((made[0] as NewRelay).mailbox, 3)
  expect(ruleOf(() => onLaptop.addRelay(relay()))).toBeUndefined()
})
