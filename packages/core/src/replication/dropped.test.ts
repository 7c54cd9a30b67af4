import { beforeEach, expect, test } from 'vitest'
import { fromHex } from '../lib/bytes.ts'
import { idBytes, GROUP_DOC_TAG, type ChunkId, type DeviceId, type DocTag } from '../lib/ids.ts'
import type { DeviceLink, DeviceLinkHandler } from '../ports/device-link.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { createReplicaCast, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { linkDevices, type SimulatedLink } from '../testing/simulated-link.ts'
import { decodeSyncMessage, encodeSyncMessage, type SyncMessage } from '../wire/sync-messages.ts'
import { keylessInspector } from './keyless-inspector.ts'
import { TAKEN_BACK_FOR_MS } from './drop-words.ts'
import { RETIRED_KEPT_MS } from './retired.ts'

const WITHOUT_KEYS = { keyless: true, inspector: keylessInspector }

let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember
let relay: CastMember
let seen: SyncMessage[]

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createReplicaCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  relay = await cast.join('relay', WITHOUT_KEYS)
  seen = []
})

const link = (a: CastMember, b: CastMember): SimulatedLink =>
  cast.link(a, b, {
    onFrame(_from, _to, _channel, frame) {
      const message = decodeSyncMessage(frame)
      if (message.ok) seen.push(message.value)
    },
  })
const types = (): string[] => seen.map(({ type }) => type)
const areEqual = (...members: CastMember[]): boolean => new Set(members.map(({ replica }) => replica.fingerprint())).size === 1
const tag = (): DocTag => cast.chunks.docTag('diary')
const work = (): SealedChunk[] => [
  ...['a', 'b', 'c'].map(name => cast.chunks.commit('diary', name)),
  cast.chunks.register('diary', 'claim', 3, 'mine'),
]
const liveOn = async (member: CastMember): Promise<number> => (await member.store.listDocument(tag())).filter(({ live }) => live).length
const idsOf = (chunks: readonly SealedChunk[]): ChunkId[] => chunks.map(({ id }) => id)

test('[R47] [R48] a relay drops what it is told at once, counts it no more, and both are equal; nothing of it goes before its time', async () => {
  const kept = cast.chunks.commit('letter', 'x')
  await laptop.replica.add([...work(), kept, cast.chunks.log('the group')])
  link(laptop, relay)
  await clock.advance(60_000)
  await laptop.replica.drop([tag()])
  await clock.advance(60_000)
  expect([await liveOn(laptop), await liveOn(relay)]).toEqual([0, 0])
  expect(areEqual(laptop, relay)).toBe(true)
  expect(relay.store.size().chunks).toBe(6)
  await relay.replica.dropRetired(clock.now() - RETIRED_KEPT_MS)
  expect(relay.store.size().chunks).toBe(6)
  await clock.advance(RETIRED_KEPT_MS)
  for (const member of [laptop, relay]) {
    await member.replica.dropRetired(clock.now() - RETIRED_KEPT_MS + 120_000)
    expect(member.store.size().chunks).toBe(2)
  }
})

test('[R48] a relay that was away is told when it offers something of it, once, and after a backup was put back again', async () => {
  await laptop.replica.add(work())
  const first = link(laptop, relay)
  await clock.advance(60_000)
  const backup = relay.store.crash()
  relay.store = backup
  await cast.restart(relay, WITHOUT_KEYS)
  first.cut()
  await laptop.replica.drop([tag()])
  const second = link(laptop, relay)
  await clock.advance(60_000)
  expect(areEqual(laptop, relay)).toBe(true)
  expect(types().filter(type => type === 'drop')).toHaveLength(1)
  second.cut()
  seen = []
  link(laptop, relay)
  await clock.advance(60_000)
  expect(types()).toEqual(['hello', 'hello'])
})

test('[R47] [R49] what comes of it later is refused by name, in a later run too, and its bringer is not asked for it', async () => {
  await laptop.replica.add(work())
  await desk.replica.add(work())
  const first = link(laptop, relay)
  await clock.advance(60_000)
  await laptop.replica.drop([tag()])
  await clock.advance(60_000)
  first.cut()
  await cast.restart(relay, WITHOUT_KEYS)
  link(desk, relay)
  await clock.advance(60_000)
  seen = []
  await desk.replica.add([cast.chunks.commit('diary', 'later'), cast.chunks.commit('letter', 'y')])
  await clock.advance(60_000)
  expect(await liveOn(relay)).toBe(0)
  expect(await liveOn(desk)).toBe(5)
  expect(seen.filter(message => message.type === 'reject')).toEqual([expect.objectContaining({ why: 'dropped' })])
  expect(types()).not.toContain('want')
  expect(desk.replica.confirmedAt(relay.id, tag())).toBe(false)
  expect(desk.replica.confirmedAt(relay.id, cast.chunks.docTag('letter'))).toBe(true)
  // Once it hears of the deletion itself, they agree.
  await desk.replica.drop([tag()])
  await clock.advance(120_000)
  expect(areEqual(desk, relay)).toBe(true)
})

const say = async (speaker: CastMember, to: CastMember, message: SyncMessage): Promise<void> => {
  const links: DeviceLink[] = []
  const accept = (each: DeviceLink): DeviceLinkHandler => {
    links.push(each)
    return speaker.replica.attach(each)
  }
  const cut = linkDevices({ id: speaker.id, accept }, { id: to.id, accept: each => to.replica.attach(each) }, { clock })
  await clock.advance(30_000)
  await links[0]?.send('sync-live', encodeSyncMessage(message))
  await clock.advance(10_000)
  cut.cut()
}
const drop = (): SyncMessage => ({ type: 'drop', tags: idBytes(tag()) })
/** As a device that knows every deletion of its group, and none of this document. */
const knowsBetter = (member: CastMember): { told: DocTag[] } => {
  const told: DocTag[] = []
  member.replica.subscribe({
    onArrived: () => undefined,
    onDropped(from, docTags) {
      told.push(...docTags)
      member.replica.takeBackDrop(from, docTags)
    },
  })
  return { told }
}

test('[R60] a drop that nobody stands for is told to those who are there, and taken back by one of them', async () => {
  const liar = await cast.join('liar')
  await laptop.replica.add(work())
  link(laptop, relay)
  await clock.advance(60_000)
  const { told } = knowsBetter(laptop)
  await say(liar, relay, drop())
  await clock.advance(60_000)
  expect(told).toContain(tag())
  expect(await liveOn(relay)).toBe(4)
  expect(areEqual(laptop, relay)).toBe(true)
  expect(laptop.replica.confirmedAt(relay.id, tag())).toBe(true)
})

test('[R60] who was away is told when it comes, also who never had the document; and it comes back whole, for all', async () => {
  const liar = await cast.join('liar')
  await laptop.replica.add(work())
  link(laptop, relay).cut()
  const first = link(laptop, relay)
  await clock.advance(60_000)
  first.cut()
  await say(liar, relay, drop())
  await cast.restart(relay, WITHOUT_KEYS)
  expect(await liveOn(relay)).toBe(0)
  const { told } = knowsBetter(desk)
  link(desk, relay)
  await clock.advance(120_000)
  expect(told).toEqual([tag()])
  expect([await liveOn(relay), await liveOn(desk)]).toEqual([4, 4])
})

test('[R60] after thirty days a device that has it brings it again', async () => {
  const liar = await cast.join('liar')
  await laptop.replica.add(work())
  const first = link(laptop, relay)
  await clock.advance(60_000)
  first.cut()
  await say(liar, relay, drop())
  await relay.replica.dropRetired(clock.now() + 1)
  expect(relay.store.size().chunks).toBe(0)
  knowsBetter(laptop)
  link(laptop, relay)
  await clock.advance(120_000)
  expect(await liveOn(relay)).toBe(4)
})

test('[R60] for an hour only who took it back is believed about it, then anybody', async () => {
  const liar = await cast.join('liar')
  await laptop.replica.add(work())
  link(laptop, relay)
  await clock.advance(60_000)
  const { told } = knowsBetter(laptop)
  await say(liar, relay, drop())
  await say(liar, relay, drop())
  expect(told).toEqual([tag()])
  await clock.advance(TAKEN_BACK_FOR_MS)
  await say(liar, relay, drop())
  expect(told).toEqual([tag(), tag()])
  await laptop.replica.drop([tag()])
  await clock.advance(60_000)
  expect(relay.replica.isDropped(tag())).toBe(true)
})

test('[R60] a device that dropped it too takes nothing back, and is not told again', async () => {
  await laptop.replica.add(work())
  await desk.replica.add(work())
  link(laptop, relay)
  link(desk, relay)
  await clock.advance(60_000)
  const { told } = knowsBetter(desk)
  await desk.replica.drop([tag()])
  await laptop.replica.drop([tag()])
  await clock.advance(60_000)
  expect(told).toEqual([])
  expect(areEqual(laptop, desk, relay)).toBe(true)
})

test('[R47] two devices that both deleted it end equal, and one that did takes nothing of it from the other', async () => {
  await laptop.replica.add(work())
  link(laptop, desk)
  await clock.advance(60_000)
  await laptop.replica.drop([tag()])
  await desk.replica.add([cast.chunks.commit('diary', 'meanwhile')])
  await clock.advance(60_000)
  expect(await liveOn(laptop)).toBe(0)
  await desk.replica.drop([tag()])
  await clock.advance(120_000)
  expect(areEqual(laptop, desk)).toBe(true)
})

test('[R48] a device believes nobody, and nobody drops the log', async () => {
  const [log, register] = [cast.chunks.log('the group'), work()[3] as SealedChunk]
  await laptop.replica.add([...work(), log])
  link(laptop, relay)
  await clock.advance(60_000)
  const message: SyncMessage = { type: 'drop', tags: new Uint8Array([...idBytes(tag()), ...idBytes(GROUP_DOC_TAG)]) }
  for (const member of [laptop, relay]) {
    const links: DeviceLink[] = []
    const accept = (each: DeviceLink): DeviceLinkHandler => {
      links.push(each)
      return { onFrame: () => undefined, onClosed: () => undefined }
    }
    linkDevices({ id: 'speaker' as DeviceId, accept }, { id: member.id, accept: each => member.replica.attach(each) }, { clock })
    const { count, fingerprint } = member.replica.log()
    const hello: SyncMessage = {
      type: 'hello',
      versions: { min: 1, current: 4 },
      replica: new Uint8Array(16).fill(9),
      incarnation: new Uint8Array(16).fill(9),
      log: { count, fingerprint: fromHex(fingerprint) },
      root: fromHex(member.replica.fingerprint()),
      unchecked: 0,
      arrival: 0,
    }
    for (const each of [hello, message]) await links[0]?.send('sync-live', encodeSyncMessage(each))
    await clock.advance(1_000)
  }
  expect(await liveOn(laptop)).toBe(4)
  expect((await relay.store.getMany([log.id, register.id])).length).toBe(2)
  expect(relay.replica.isDropped(GROUP_DOC_TAG)).toBe(false)
  expect(await liveOn(relay)).toBe(0)
  expect(relay.replica.log().count).toBe(1)
})

test('[R47] what was dropped in error comes back whole, with its fragments, and counts again', async () => {
  const made = work()
  const fragment = cast.chunks.fragment('diary', { level: 1, covers: idsOf(made.slice(0, 2)) })
  await laptop.replica.add([...made, fragment])
  const [before, held] = [laptop.replica.fingerprint(), await liveOn(laptop)]
  await laptop.replica.drop([tag()])
  expect(laptop.replica.fingerprint()).not.toBe(before)
  await laptop.replica.undrop([tag()])
  expect([laptop.replica.fingerprint(), await liveOn(laptop)]).toEqual([before, held])
  await laptop.replica.add(made.slice(0, 1))
  link(laptop, desk)
  await clock.advance(60_000)
  expect(areEqual(laptop, desk)).toBe(true)
})
