/** Keeping a relay's list: by a real group and real signatures, against a relay of ten lines. */
import {
  createIdentity,
  createSubject,
  decodeMemberList,
  decodeRelayRequest,
  encodeMemberList,
  encodeRelayAnswer,
  foundGroup,
  hexId,
  idBytes,
  isListReader,
  isOnList,
  mayReplaceList,
  memberListOf,
  openGroup,
  signingKeysOf,
  type DeviceId,
  type DeviceIdentity,
  type Group,
  type MailboxId,
  type PeerSync,
  type RelayAnswer,
  type SignedMemberList,
} from '@segue/core'
import type { PairingLink, RecordStore } from '@segue/core/ports'
import { createMemoryRecordStore, createSeededRandom, createSimulatedClock } from '@segue/core/testing'
import type { NetNode } from '@segue/net'
import { expect, onTestFinished, test } from 'vitest'
import { createMemberLists, type ListStatus, type MemberLists } from './member-lists.ts'
import { silentLogger } from './platform/loggers.ts'
import type { Runtime } from './runtime.ts'

const random = createSeededRandom(72)
const device = (name: string): DeviceIdentity => createIdentity({ name, random })
const [laptop, desk, phone] = [device('laptop'), device('desk'), device('phone')]
const relayId = device('relay').id
const mailbox = hexId<MailboxId>(random.bytes(16))
const adminSeed = random.bytes(32)

test('an admin puts the list right when a device was added, once', async () => {
  const group = groupWithRelay()
  const relay = startRelay(group)
  const lists = watch(group, laptop, relay)
  await current(lists)
  expect(relay.lists()).toBe(1)
  addTo(group, desk)
  lists.look()
  await expect.poll(() => relay.members()).toEqual(memberListOf(group.state.peek(), mailbox, 2).members)
  await current(lists)
  lists.look()
  await expect.poll(() => relay.lists()).toBe(2)
})

test('a device that is no admin says that the list is behind, and writes nothing', async () => {
  const group = groupWithRelay()
  addTo(group, desk)
  const relay = startRelay(group)
  addTo(group, phone)
  const theirs = openGroup({ identity: desk, random, secret: group.secret, entries: group.entries().map(entry => entry.bytes) })
  const lists = watch(theirs, desk, relay)
  expect(await lists.statuses.when(statuses => statuses.get(mailbox)?.members === 'behind')).toBeDefined()
  expect(relay.lists()).toBe(1)
})

test('an admin whose log is older than the list takes nobody off it, and one that does not have all of the log writes nothing', async () => {
  const group = groupWithRelay()
  const older = openGroup({ identity: laptop, random, secret: group.secret, entries: group.entries().map(entry => entry.bytes) })
  addTo(group, desk)
  const relay = startRelay(group)
  const lists = watch(older, laptop, relay)
  await lists.statuses.when(statuses => statuses.get(mailbox)?.members === 'behind')
  expect(relay.members()).toContain(desk.id)

  addTo(group, phone)
  const apart = watch(group, laptop, relay, 'catching-up')
  apart.onRefused(relayId)
  await apart.statuses.when(statuses => statuses.get(mailbox)?.members === 'behind')
  expect(relay.lists()).toBe(1)
})

test('who loses the race reads the list of the winner, and has nothing left to do', async () => {
  const group = groupWithRelay()
  const relay = startRelay(group)
  addTo(group, desk)
  relay.beforeNextList(() => relay.put(encodeMemberList(memberListOf(group.state.peek(), mailbox, 2), signingKeysOf(adminSeed))))
  const lists = watch(group, laptop, relay)
  await current(lists)
  expect([relay.lists(), relay.members()]).toEqual([2, memberListOf(group.state.peek(), mailbox, 2).members])
})

test('[M11] an admin whom no list names, nobody else being left to name it, puts itself on the list, and its log decides the rest', async () => {
  const group = groupWithRelay()
  const relay = startRelay(group)
  addTo(group, desk, 'admin')
  const theirs = openGroup({ identity: desk, random, secret: group.secret, entries: group.entries().map(entry => entry.bytes) })
  theirs.setRole(laptop.id, 'member', 3)
  const lists = watch(theirs, desk, relay, 'connecting')
  expect(relay.members()).toEqual([laptop.id])
  lists.onRefused(relayId)
  await current(lists)
  expect(new Set(relay.members())).toEqual(new Set([laptop.id, desk.id]))
})

test('[M11] who joins the list takes nobody off it whom it does not know; with all of the log the list follows from that', async () => {
  const group = groupWithRelay()
  addTo(group, desk, 'admin')
  const older = openGroup({ identity: desk, random, secret: group.secret, entries: group.entries().map(entry => entry.bytes) })
  addTo(group, phone)
  const relay = startRelay(group)
  relay.put(encodeMemberList({ mailbox, version: 2, members: [laptop.id, phone.id] }, signingKeysOf(adminSeed)))
  const lists = watch(older, desk, relay, 'connecting')
  lists.onRefused(relayId)
  await expect.poll(() => relay.members().length).toBe(3)
  expect(new Set(relay.members())).toEqual(new Set([laptop.id, desk.id, phone.id]))
})

test('[M11] who was on the list and is taken off does not come back by the key, unless its log has its removal and stays', async () => {
  const group = groupWithRelay()
  addTo(group, desk, 'admin')
  const theirs = openGroup({ identity: desk, random, secret: group.secret, entries: group.entries().map(entry => entry.bytes) })
  const relay = startRelay(group)
  const records = createMemoryRecordStore()
  await current(watch(group, laptop, relay, 'in-sync', records))
  // The junior removes the senior, who has not heard of it.
  const removal = theirs.remove(laptop.id, { time: 3 })
  relay.put(encodeMemberList(memberListOf(theirs.state.peek(), mailbox, 2), signingKeysOf(adminSeed)))
  const away = watch(group, laptop, relay, 'connecting', records)
  away.onRefused(relayId)
  await away.statuses.when(statuses => statuses.get(mailbox)?.problem === 'RELAY_NOT_YOURS')
  expect(relay.members()).toEqual([desk.id])
  // It removes the junior at the same time, and hears of the other removal: the senior's prevails.
  group.remove(desk.id, { time: 3 })
  group.receive([removal.bytes])
  expect(group.isActive(laptop.id)).toBe(true)
  const whenDialledAgain = (): readonly DeviceId[] => {
    away.onRefused(relayId)
    return relay.members()
  }
  await expect.poll(whenDialledAgain).toEqual([laptop.id])
})

test('a member that the relay let in and turns away says that the account was revoked; one that was never let in does not ask', async () => {
  const group = groupWithRelay()
  addTo(group, desk)
  const theirs = openGroup({ identity: desk, random, secret: group.secret, entries: group.entries().map(entry => entry.bytes) })
  const relay = startRelay(group)
  const records = createMemoryRecordStore()
  await current(watch(theirs, desk, relay, 'in-sync', records))
  relay.revoke()
  const known = watch(theirs, desk, relay, 'connecting', records)
  known.onRefused(relayId)
  await known.statuses.when(statuses => statuses.get(mailbox)?.problem === 'RELAY_REVOKED')
  const asked = relay.asked()
  const unknown = watch(theirs, desk, relay, 'connecting')
  unknown.onRefused(relayId)
  await unknown.close()
  expect(relay.asked()).toBe(asked)
})

function groupWithRelay(): Group {
  const group = foundGroup({ identity: laptop, random, time: 0 })
  group.addRelay({ relay: relayId, addresses: ['/ip4/127.0.0.1/tcp/1'], mailbox, adminSeed, time: 1 })
  return group
}

function addTo(group: Group, { name, signing, sealing }: DeviceIdentity, role: 'admin' | 'member' = 'member'): void {
  group.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role, name, time: 2 })
}

const current = (lists: MemberLists): Promise<ReadonlyMap<MailboxId, ListStatus>> =>
  lists.statuses.when(statuses => statuses.get(mailbox)?.members === 'current')

interface TinyRelay {
  nodeOf(device: DeviceId): NetNode
  members(): readonly DeviceId[]
  /** How many it has taken. */
  lists(): number
  put(list: SignedMemberList): boolean
  /** It serves the account no more. */
  revoke(): void
  /** How many requests it heard. */
  asked(): number
  /** Somebody else is faster, once. */
  beforeNextList(task: () => void): void
}

/** Holds the list of the group as it is now. */
function startRelay(group: Group): TinyRelay {
  let list = encodeMemberList(memberListOf(group.state.peek(), mailbox, 1), signingKeysOf(adminSeed))
  let taken = 1
  let interrupt: () => void = () => undefined
  let [isRevoked, asked] = [false, 0]
  const read = ({ record }: SignedMemberList) => {
    const decoded = decodeMemberList(record)
    if (!decoded.ok) throw new Error(decoded.error)
    return decoded.value
  }
  const put = (next: SignedMemberList): boolean => {
    if (!mayReplaceList(read(list), read(next))) return false
    list = next
    taken += 1
    return true
  }
  const mayRead = (reader: DeviceId, { proof }: { readonly proof?: Uint8Array | undefined }): boolean =>
    isOnList(read(list), reader) ||
    (proof !== undefined && isListReader({ mailbox: idBytes(mailbox), reader }, proof, signingKeysOf(adminSeed).publicKey))
  const answer = (peer: DeviceId, frame: Uint8Array): RelayAnswer => {
    const request = decodeRelayRequest(frame)
    if (!request.ok) throw new Error(request.error.reason)
    asked += 1
    if (isRevoked) return { v: 1, type: 'refused', why: 'revoked' }
    if (request.value.type === 'get-list' && !mayRead(peer, request.value)) return { v: 1, type: 'refused', why: 'not-yours' }
    if (request.value.type !== 'list') return { v: 1, type: 'member-list', list }
    interrupt()
    interrupt = () => undefined
    return put(request.value) ? { v: 1, type: 'listed', version: read(list).version } : { v: 1, type: 'refused', why: 'stale' }
  }
  const dial = async (self: DeviceId): Promise<PairingLink> => {
    const answers: Uint8Array[] = []
    return {
      peer: relayId,
      self,
      send: async frame => void answers.push(encodeRelayAnswer(answer(self, frame))),
      receive: async () => answers.shift() ?? expect.fail('asked before it was told'),
      close: async () => undefined,
    }
  }
  return {
    nodeOf: device => ({ dial: () => dial(device) }) as unknown as NetNode,
    members: () => read(list).members,
    lists: () => taken,
    put,
    revoke: () => void (isRevoked = true),
    asked: () => asked,
    beforeNextList: task => void (interrupt = task),
  }
}

function watch(
  group: Group,
  { id }: DeviceIdentity,
  relay: TinyRelay,
  state: PeerSync['state'] = 'in-sync',
  records: RecordStore = createMemoryRecordStore(),
): MemberLists {
  const peers = createSubject(
    new Map([
      [
        relayId,
        {
          ...{ state, behind: 0, unconfirmed: 0, incarnation: undefined, isFull: false, leavesOut: 0 },
          ...{ hasGoneBack: false, timesGoneBack: 0, hasMoreOfUs: false },
        },
      ],
    ]),
  )
  const runtime = { group, replica: { peers } } as unknown as Runtime
  const lists = createMemberLists({
    self: id,
    records,
    node: () => relay.nodeOf(id),
    clock: createSimulatedClock(),
    logger: silentLogger,
    runtime: () => runtime,
    relays: () => group.state.peek().relays,
  })
  onTestFinished(() => lists.close())
  lists.look()
  return lists
}
