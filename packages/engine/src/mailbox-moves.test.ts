/** Moving to another mailbox: by a real group and real signatures, against a relay of twenty lines. */
import {
  OWN_MAILBOX,
  createIdentity,
  createSubject,
  decodeMemberList,
  decodeRelayRequest,
  encodeMemberList,
  encodeRelayAnswer,
  equalBytes,
  foundGroup,
  hexId,
  openGroup,
  signingKeysOf,
  type DeviceId,
  type Group,
  type MailboxId,
  type PeerSync,
  type RelayAnswer,
  type SignedMemberList,
} from '@segue/core'
import type { PairingLink } from '@segue/core/ports'
import { createMemoryRecordStore, createSeededRandom, createSimulatedClock, type SimulatedClock } from '@segue/core/testing'
import type { NetNode } from '@segue/net'
import { expect, onTestFinished, test } from 'vitest'
import { createMailboxMoves, type MailboxMoves } from './mailbox-moves.ts'
import { silentLogger } from './platform/loggers.ts'
import type { Runtime } from './runtime.ts'

const random = createSeededRandom(73)
const [laptop, desk] = [createIdentity({ name: 'laptop', random }), createIdentity({ name: 'desk', random })]
const relayId = createIdentity({ name: 'relay', random }).id
const mailbox = hexId<MailboxId>(random.bytes(16))

test('[M9] who fills a mailbox names it only if it is the one that its links lead to in the end, else begins again', async () => {
  const { clock, group, relay } = movingGroup()
  relay.afterNextList(() => relay.leadTo(mailbox)) // somebody else took the place, and this device fills the old one
  await clock.advance(1_000)
  expect(inUse(group)).toEqual([mailbox])
  expect(relay.moves()).toBe(1)
  await clock.advance(60_000)
  expect(relay.moves()).toBe(2)
  expect(inUse(group)).toEqual([relay.leadsTo()])
  expect(relay.leadsTo()).not.toBe(mailbox)
})

test('[M9] who is no admin any more does not try again', async () => {
  const { clock, group, relay } = movingGroup()
  relay.afterNextList(() => relay.leadTo(mailbox))
  await clock.advance(1_000)
  group.setRole(desk.id, 'admin', 5)
  group.setRole(laptop.id, 'member', 6)
  await clock.advance(600_000)
  expect(relay.moves()).toBe(1)
})

test('[M12] from where somebody who was being removed moved the group, it is moved on', async () => {
  const outrun = hexId<MailboxId>(random.bytes(16))
  const { clock, group, relay } = movingGroup(known => {
    const theirs = openGroup({ identity: desk, random, secret: known.secret, entries: known.entries().map(({ bytes }) => bytes) })
    const entry = theirs.addRelay({
      relay: relayId,
      addresses: ['/ip4/127.0.0.1/tcp/1'],
      mailbox: outrun,
      adminSeed: random.bytes(32),
      time: 3,
    })
    known.remove(desk.id, { time: 3 })
    known.receive([entry.bytes])
  })
  relay.settleIn(outrun)
  await clock.advance(60_000)
  expect(inUse(group)).toEqual([relay.leadsTo()])
  expect([mailbox, outrun]).not.toContain(relay.leadsTo())
})

test('[M13] from where nobody who stays was given the key the account makes another mailbox, which all go to', async () => {
  const { clock, group, relay, moves } = movingGroup(known => void known.remove(desk.id, { time: 3 }))
  relay.settleIn(hexId<MailboxId>(random.bytes(16)))
  relay.leadNowhere()
  relay.giveAccount()
  await clock.advance(60_000)
  expect(inUse(group)).toEqual([relay.leadsTo()])
  expect(relay.leadsTo()).not.toBe(mailbox)
  expect(moves.lost.peek().size).toBe(0)
})

test('[M13] without the account the mailbox is lost, which is said until it is left', async () => {
  const { clock, group, relay, moves } = movingGroup(known => void known.remove(desk.id, { time: 3 }))
  relay.settleIn(hexId<MailboxId>(random.bytes(16)))
  await clock.advance(60_000)
  expect(inUse(group)).toEqual([mailbox])
  expect([...moves.lost.peek()]).toEqual([mailbox])
  group.retireRelay(mailbox, 4)
  moves.look()
  expect(moves.lost.peek().size).toBe(0)
})

test('[M13] who may have been left behind itself makes nothing beside what the group may be in', async () => {
  const { clock, group, relay, moves } = movingGroup() // a demotion voids nothing: the desk may have moved it
  relay.settleIn(hexId<MailboxId>(random.bytes(16)))
  relay.giveAccount()
  await clock.advance(60_000)
  expect(inUse(group)).toEqual([mailbox])
  expect([...moves.lost.peek()]).toEqual([mailbox])
})

const inUse = (group: Group): readonly MailboxId[] => group.state.peek().relays.flatMap(relay => (relay.retired ? [] : [relay.mailbox]))

/** The desk was an admin and knows the key. */
function movingGroup(end = (known: Group): void => void known.setRole(desk.id, 'member', 3)): {
  clock: SimulatedClock
  group: Group
  relay: TinyRelay
  moves: MailboxMoves
} {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const group = foundGroup({ identity: laptop, random, time: 0 })
  group.addRelay({ relay: relayId, addresses: ['/ip4/127.0.0.1/tcp/1'], mailbox, adminSeed: random.bytes(32), time: 1 })
  const keys = { signing: desk.signing.publicKey, sealing: desk.sealing.publicKey }
  group.add({ keys, role: 'admin', name: 'desk', time: 2 })
  end(group)
  const relay = startRelay(clock)
  const runtime = {
    group,
    keeper: { keep: async () => undefined },
    local: { list: createSubject([]) },
    replica: { peers: relay.peers, holdsAll: () => true },
  } as unknown as Runtime
  const moves = createMailboxMoves({
    ...{ self: laptop.id, sealing: laptop.sealing, records: createMemoryRecordStore(), clock, random, logger: silentLogger, graceMs: 0 },
    node: () => relay.node,
    runtime: () => runtime,
    relays: () => group.state.peek().relays.filter(each => !each.retired),
  })
  onTestFinished(() => moves.close())
  moves.look()
  return { clock, group, relay, moves }
}

interface TinyRelay {
  readonly node: NetNode
  readonly peers: ReturnType<typeof createSubject<ReadonlyMap<DeviceId, PeerSync>>>
  leadsTo(): MailboxId | undefined
  /** The laptop's link ends, and the next one leads there. */
  leadTo(mailbox: MailboxId): void
  /** Only from there may the group be moved. */
  settleIn(mailbox: MailboxId): void
  /** No list in force names the laptop. */
  leadNowhere(): void
  /** The laptop may make mailboxes. */
  giveAccount(): void
  /** Requests to move that it has taken. */
  moves(): number
  afterNextList(task: () => void): void
}

function startRelay(clock: SimulatedClock): TinyRelay {
  const other = signingKeysOf(random.bytes(32))
  const lists = new Map<MailboxId, SignedMemberList>([[mailbox, encodeMemberList({ mailbox, version: 1, members: [laptop.id] }, other)]])
  const linked = (): ReadonlyMap<DeviceId, PeerSync> =>
    new Map([[relayId, { state: 'in-sync', behind: 0, unconfirmed: 0, linkedAt: clock.monotonic() } as unknown as PeerSync]])
  const peers = createSubject(linked())
  let leads: MailboxId | undefined = mailbox
  let [moves, place, hasAccount] = [0, mailbox, false]
  let after: () => void = () => undefined
  const leadTo = (to: MailboxId): void => {
    leads = to
    clock.after(1, () => peers.set(linked()))
  }
  const answer = (frame: Uint8Array): RelayAnswer => {
    const request = decodeRelayRequest(frame)
    if (!request.ok) throw new Error(request.error.reason)
    const { value } = request
    if (value.type === 'get-list' && equalBytes(value.mailbox, OWN_MAILBOX) && leads !== undefined)
      return { v: 1, type: 'member-list', list: lists.get(leads) }
    if (value.type === 'move') {
      if (hexId<MailboxId>(value.from) !== place) return { v: 1, type: 'refused', why: 'stale' }
      moves++
      const taken = hexId<MailboxId>(value.mailbox)
      if (lists.has(taken)) leadTo(taken)
      return { v: 1, type: 'moved' }
    }
    if (value.type === 'create' && hasAccount) return { v: 1, type: 'created' }
    if (value.type !== 'list') return { v: 1, type: 'refused', why: 'not-yours' }
    const read = decodeMemberList(value.record)
    if (!read.ok || lists.has(read.value.mailbox)) return { v: 1, type: 'refused', why: 'stale' }
    lists.set(read.value.mailbox, { record: value.record, signature: value.signature })
    leadTo(read.value.mailbox)
    after()
    after = () => undefined
    return { v: 1, type: 'listed', version: 1 }
  }
  const dial = async (): Promise<PairingLink> => {
    const answers: Uint8Array[] = []
    return {
      peer: relayId,
      self: laptop.id,
      send: async frame => void answers.push(encodeRelayAnswer(answer(frame))),
      receive: async () => answers.shift() ?? expect.fail('asked before it was told'),
      close: async () => undefined,
    }
  }
  return {
    node: { dial } as unknown as NetNode,
    peers,
    leadsTo: () => leads,
    leadTo,
    leadNowhere: () => void (leads = undefined),
    giveAccount: () => void (hasAccount = true),
    settleIn: to => void (place = to),
    moves: () => moves,
    afterNextList: task => void (after = task),
  }
}
