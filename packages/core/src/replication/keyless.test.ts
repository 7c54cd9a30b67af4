import { beforeEach, describe, expect, test } from 'vitest'
import { portableHasher } from '../crypto/hash.ts'
import { fromHex } from '../lib/bytes.ts'
import { idBytes, type ChunkId, type DeviceId, type DocTag } from '../lib/ids.ts'
import { DAY_MS } from '../lib/units.ts'
import type { DeviceLink, DeviceLinkHandler } from '../ports/device-link.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { areEqual, createReplicaCast, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { linkDevices, type SimulatedLink } from '../testing/simulated-link.ts'
import { decodeSyncMessage, encodeSyncMessage, type SyncMessage } from '../wire/sync-messages.ts'
import { keylessInspector } from './keyless-inspector.ts'
import { RETIRED_KEPT_MS } from './retired.ts'
import { sumOfRecords } from './summary.ts'
import { packIds, sumHex } from './sync-records.ts'

const settle = (): Promise<void> => new Promise(done => setImmediate(done))
const WITHOUT_KEYS = { keyless: true, inspector: keylessInspector }

let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember
let relay: CastMember
let seen: SyncMessage[]

beforeEach(async () => {
  clock = createSimulatedClock({ settle })
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
const count = (type: SyncMessage['type']): number => seen.filter(message => message.type === type).length
const report = (): DocTag => cast.chunks.docTag('report')
const commits = (...names: string[]): SealedChunk[] => names.map(name => cast.chunks.commit('report', name))
const idsOf = (chunks: readonly SealedChunk[]): ChunkId[] => chunks.map(({ id }) => id)
const fragmentOf = (chunks: readonly SealedChunk[], level = 1): SealedChunk =>
  cast.chunks.fragment('report', { level, covers: idsOf(chunks) })
const liveOn = async (member: CastMember): Promise<ChunkId[]> =>
  (await member.store.listDocument(report())).filter(({ live }) => live).map(({ id }) => id)
/** What is counted is what is on disk. */
const isCountedRight = async (member: CastMember): Promise<boolean> =>
  sumHex(sumOfRecords(await member.store.listDocument(report()), portableHasher)) === member.replica.fingerprint()
/** Somebody who says what it likes, after a hello that ends the matter. */
const speakTo = async (member: CastMember, ...messages: readonly SyncMessage[]): Promise<void> => {
  const links: DeviceLink[] = []
  const accept = (each: DeviceLink): DeviceLinkHandler => {
    links.push(each)
    return { onFrame: () => undefined, onClosed: () => undefined }
  }
  linkDevices({ id: 'speaker' as DeviceId, accept }, { id: member.id, accept: each => member.replica.attach(each) }, { clock })
  const { count: logCount, fingerprint } = member.replica.log()
  const hello: SyncMessage = {
    type: 'hello',
    versions: { min: 1, current: 2 },
    replica: new Uint8Array(16).fill(9),
    incarnation: new Uint8Array(16).fill(9),
    log: { count: logCount, fingerprint: fromHex(fingerprint) },
    root: fromHex(member.replica.fingerprint()),
    unchecked: 0,
    arrival: 0,
  }
  for (const message of [hello, ...messages]) await links[0]?.send('sync-live', encodeSyncMessage(message))
  await clock.advance(1_000)
}
const retire = (chunks: readonly SealedChunk[], keep: readonly SealedChunk[]): Extract<SyncMessage, { type: 'retire' }> => ({
  type: 'retire',
  tag: idBytes(report()),
  ids: packIds(idsOf(chunks)),
  keep: packIds(idsOf(keep)),
})
const reject = ({ id, bytes }: SealedChunk): SyncMessage => ({
  type: 'reject',
  id: idBytes(id),
  bytesHash: portableHasher.sha256(bytes),
  why: 'does not open',
})

describe('retiring', () => {
  test('[R33] a relay that is there when a device compacts ends equal to it, and keeps what was retired', async () => {
    const made = commits('a', 'b', 'c')
    await laptop.replica.add(made)
    link(laptop, relay)
    await clock.advance(1_000)
    const fragment = fragmentOf(made)
    await laptop.replica.add([fragment])
    await clock.advance(5_000)
    expect(areEqual(laptop, relay)).toBe(true)
    expect(await liveOn(relay)).toEqual([fragment.id])
    expect(relay.store.size().chunks).toBe(4)
    expect(await isCountedRight(relay)).toBe(true)
  })

  test('[R33] a relay that was away is told when it comes, and once', async () => {
    const made = commits('a', 'b', 'c')
    await laptop.replica.add(made)
    const first = link(laptop, relay)
    await clock.advance(1_000)
    first.cut()
    await laptop.replica.add([fragmentOf(made)])
    const again = link(laptop, relay)
    await clock.advance(60_000)
    expect(areEqual(laptop, relay)).toBe(true)
    expect(count('retire')).toBe(1)
    again.cut()
    seen = []
    link(laptop, relay)
    await clock.advance(60_000)
    expect(seen.map(({ type }) => type)).toEqual(['hello', 'hello'])
  })

  test('[R33] lesser fragments are retired too', async () => {
    const [a, b, c] = [commits('a'), commits('b'), commits('c')]
    await laptop.replica.add([...a, ...b, ...c])
    link(laptop, relay)
    await clock.advance(1_000)
    await laptop.replica.add([fragmentOf([...a, ...b])])
    await clock.advance(5_000)
    const whole = fragmentOf([...a, ...b, ...c], 2)
    await laptop.replica.add([whole])
    await clock.advance(60_000)
    expect(await liveOn(relay)).toEqual([whole.id])
    expect(areEqual(laptop, relay)).toBe(true)
  })

  test('[R33] a lesser fragment that only the relay has left is retired when it is offered', async () => {
    const made = commits('a', 'b', 'c')
    await laptop.replica.add(made)
    await laptop.replica.add([fragmentOf(made.slice(0, 2))])
    const first = link(laptop, relay)
    await clock.advance(1_000)
    first.cut()
    const whole = fragmentOf(made, 2)
    await laptop.replica.add([whole])
    link(laptop, relay)
    await clock.advance(60_000)
    expect(await liveOn(relay)).toEqual([whole.id])
    expect(areEqual(laptop, relay)).toBe(true)
  })

  test('[R33] who comes later gets the fragment alone, and a sleeper with the commits is equal without sending them', async () => {
    const made = commits('a', 'b', 'c')
    await laptop.replica.add(made)
    await desk.replica.add(made)
    link(laptop, relay)
    await clock.advance(1_000)
    const fragment = fragmentOf(made)
    await laptop.replica.add([fragment])
    await clock.advance(5_000)
    const phone = await cast.join('phone')
    seen = []
    link(phone, relay)
    await clock.advance(60_000)
    expect(idsOf(phone.arrived)).toEqual([fragment.id])
    link(desk, relay)
    await clock.advance(60_000)
    expect(areEqual(laptop, relay, phone, desk)).toBe(true)
    expect(seen.flatMap(message => (message.type === 'chunks' ? message.chunks : []))).toHaveLength(2)
  })

  test('[R33] two devices that compacted differently bring the relay to what they agree on', async () => {
    const made = commits('a', 'b', 'c', 'd')
    await laptop.replica.add(made)
    await desk.replica.add(made)
    await laptop.replica.add([fragmentOf(made.slice(0, 3), 2)])
    await desk.replica.add([fragmentOf(made.slice(1), 1)])
    link(laptop, relay)
    link(desk, relay)
    await clock.advance(120_000)
    expect(areEqual(laptop, relay, desk)).toBe(true)
    expect(await isCountedRight(relay)).toBe(true)
  })

  test('[R33] after a crash of the relay what was retired stays retired', async () => {
    const made = commits('a', 'b')
    await laptop.replica.add(made)
    link(laptop, relay)
    await clock.advance(1_000)
    await laptop.replica.add([fragmentOf(made)])
    await clock.advance(5_000)
    await cast.restart(relay, WITHOUT_KEYS)
    expect(areEqual(laptop, relay)).toBe(true)
    expect(await isCountedRight(relay)).toBe(true)
  })

  test('[R34] nothing is retired for fragments that are not here, or that are none', async () => {
    const made = commits('a', 'b', 'c')
    const fragment = fragmentOf(made)
    await relay.replica.add(made)
    await speakTo(relay, retire(made, [fragment]), retire(made.slice(0, 2), made.slice(2)), retire(made, []), {
      ...retire(made, []),
      tag: new Uint8Array(16),
    })
    expect(await liveOn(relay)).toEqual(idsOf(made))
    await relay.replica.add([fragment])
    await speakTo(relay, retire(made, [fragment, fragmentOf(made.slice(1))]))
    expect(await liveOn(relay)).toHaveLength(4)
    await speakTo(relay, retire([...made, ...made, fragment], [fragment]))
    expect(await liveOn(relay)).toEqual([fragment.id])
    expect(await isCountedRight(relay)).toBe(true)
  })

  test('[R34] registers and other documents are not retired', async () => {
    const made = commits('a')
    const fragment = fragmentOf(made)
    const claim = cast.chunks.register('report', 'claim', 1, 'mine')
    const other = cast.chunks.commit('other', 'x')
    await relay.replica.add([...made, fragment, claim, other])
    await speakTo(relay, retire([claim, other], [fragment]))
    expect(await liveOn(relay)).toHaveLength(3)
    expect((await relay.store.head(other.id))?.live).toBe(true)
  })

  test('[R34] a device is told nothing and believes nothing', async () => {
    const made = commits('a', 'b')
    const fragment = fragmentOf(made)
    link(laptop, desk)
    await laptop.replica.add(made)
    await laptop.replica.add([fragment])
    await clock.advance(60_000)
    expect(count('retire')).toBe(0)
    const phone = await cast.join('phone')
    await phone.replica.add(made)
    await speakTo(phone, retire(made, made))
    expect(await liveOn(phone)).toEqual(idsOf(made))
  })
})

describe('variants', () => {
  test('[R35] a variant that does not open is replaced by an honest one, whoever comes with it and when', async () => {
    const [good] = commits('a') as [SealedChunk]
    await relay.replica.add([cast.chunks.spoiled(good)])
    link(laptop, relay)
    await clock.advance(1_000)
    expect(await liveOn(relay)).toEqual([good.id])
    await cast.restart(relay, WITHOUT_KEYS)
    await desk.replica.add([good])
    link(desk, relay)
    await clock.advance(1_000)
    expect((await relay.store.get(good.id))?.bytes).toEqual(good.bytes)
    link(laptop, relay)
    await clock.advance(60_000)
    expect(idsOf(laptop.arrived)).toEqual([good.id])
    expect(areEqual(laptop, desk, relay)).toBe(true)
  })

  test('[R35] everybody who is there is asked at once, and hears of the better one', async () => {
    const [good] = commits('a') as [SealedChunk]
    await relay.replica.add([cast.chunks.spoiled(good)])
    await desk.replica.add([good])
    link(desk, relay)
    await clock.advance(1_000)
    link(laptop, relay)
    await clock.advance(1_000)
    expect((await laptop.store.get(good.id))?.bytes).toEqual(good.bytes)
  })

  test('[R35] a register of a sequence nobody gave does not keep the honest one out', async () => {
    const honest = cast.chunks.register('report', 'claim', 3, 'honest')
    await relay.replica.add([cast.chunks.spoiled(cast.chunks.register('report', 'claim', 2 ** 40, 'false'))])
    await desk.replica.add([honest])
    link(desk, relay)
    await clock.advance(60_000)
    expect((await relay.store.get(honest.id))?.bytes).toEqual(honest.bytes)
    expect(areEqual(desk, relay)).toBe(true)
    expect(await isCountedRight(relay)).toBe(true)
  })

  test('[R35] a peer that is wrong, or lies, takes nothing away', async () => {
    const [good] = commits('a') as [SealedChunk]
    await relay.replica.add([good])
    await speakTo(relay, reject(good), reject({ ...good, bytes: new Uint8Array(9) }))
    link(laptop, relay)
    await clock.advance(60_000)
    expect(idsOf(laptop.arrived)).toEqual([good.id])
    expect(areEqual(laptop, relay)).toBe(true)
  })

  test('[R35] who alone says that something does not open puts nothing in its place; once another says so, it may', async () => {
    const [good] = commits('a') as [SealedChunk]
    const bad = cast.chunks.spoiled(good)
    const bring = (chunk: SealedChunk): SyncMessage => ({ type: 'chunks', chunks: [chunk.bytes] })
    const held = async (): Promise<Uint8Array | undefined> => (await relay.store.get(good.id))?.bytes
    await relay.replica.add([good])
    await speakTo(relay, reject(good), bring(bad))
    expect(await held()).toEqual(good.bytes)
    await cast.restart(relay, WITHOUT_KEYS)
    await speakTo(relay, bring(bad), reject(good), bring(bad))
    expect(await held()).toEqual(good.bytes)
    await relay.replica.add([bad])
    expect(await held()).toEqual(bad.bytes)
    link(laptop, relay)
    await clock.advance(60_000)
    await speakTo(relay, reject(bad), bring(good))
    expect(await held()).toEqual(good.bytes)
  })

  test('[R35] where everybody holds just what one could not open, nobody is asked for it on and on', async () => {
    const register = cast.chunks.register('report', 'claim', 1, 'all have it')
    for (const { replica } of [relay, laptop, desk]) await replica.add([register])
    await speakTo(relay, reject(register))
    link(laptop, relay)
    link(desk, relay)
    await clock.advance(60_000)
    const said = seen.length
    await clock.advance(60_000)
    expect(seen.length - said).toBeLessThan(10)
  })

  test('[R35] what a false fragment was said to contain counts again', async () => {
    const made = commits('a', 'b')
    const bad = cast.chunks.spoiled(fragmentOf(made))
    await relay.replica.add([...made, bad])
    await speakTo(relay, retire(made, [bad]))
    expect(await liveOn(relay)).toEqual([bad.id])
    link(laptop, relay)
    await clock.advance(60_000)
    expect(idsOf(laptop.arrived).sort()).toEqual(idsOf(made).sort())
    expect(await isCountedRight(relay)).toBe(true)
    await speakTo(relay, retire(made, [bad]))
    expect(await liveOn(relay)).toHaveLength(3)
  })
})

describe('what was retired', () => {
  test('[R36] goes when its time is over, not sooner', async () => {
    const made = commits('a', 'b')
    const fragment = fragmentOf(made)
    await relay.replica.add([...made, fragment])
    await speakTo(relay, retire(made, [fragment]))
    await clock.advance(RETIRED_KEPT_MS - DAY_MS)
    await relay.replica.dropRetired(clock.now() - RETIRED_KEPT_MS)
    expect(relay.store.size().chunks).toBe(3)
    await clock.advance(2 * DAY_MS)
    await relay.replica.dropRetired(clock.now() - RETIRED_KEPT_MS)
    expect(relay.store.size().chunks).toBe(1)
    expect(await isCountedRight(relay)).toBe(true)
    const left: string[] = []
    for await (const [key] of relay.store.listRecords('retired/')) left.push(key)
    expect(left).toEqual([])
  })

  test('[R36] stays when it counts again', async () => {
    const made = commits('a', 'b')
    const fragment = fragmentOf(made)
    await relay.replica.add([...made, fragment])
    await speakTo(relay, retire(made, [fragment]), reject(fragment))
    await relay.replica.dropRetired(clock.now() + 1)
    expect(await liveOn(relay)).toHaveLength(3)
  })

  test('[R36] can be read meanwhile', async () => {
    const made = commits('a', 'b')
    const fragment = fragmentOf(made)
    await relay.replica.add([...made, fragment])
    await speakTo(relay, retire(made, [fragment]))
    expect((await relay.store.getMany(idsOf(made))).map(({ bytes }) => bytes)).toEqual(made.map(({ bytes }) => bytes))
  })
})

test('[R38] [R52] a relay restored from a backup is noticed, by itself too, and given what it lacks', async () => {
  const backup = relay.store.crash()
  await cast.restart(relay, WITHOUT_KEYS)
  const made = commits('a', 'b')
  await laptop.replica.add(made)
  const first = link(laptop, relay)
  await clock.advance(20_000)
  expect(laptop.replica.peers.peek().get(relay.id)?.hasGoneBack).toBe(false)
  first.cut()
  relay.store = backup
  await cast.restart(relay, WITHOUT_KEYS)
  const again = link(laptop, relay)
  await clock.advance(20_000)
  expect(laptop.replica.peers.peek().get(relay.id)?.hasGoneBack).toBe(true)
  expect(relay.replica.peers.peek().get(laptop.id)?.hasMoreOfUs).toBe(true)
  expect(laptop.replica.peers.peek().get(relay.id)?.hasMoreOfUs).toBe(false)
  expect(areEqual(laptop, relay)).toBe(true)
  expect(await liveOn(relay)).toEqual(idsOf(made))
  again.cut()
  await cast.restart(laptop)
  link(laptop, relay)
  await clock.advance(20_000)
  expect(laptop.replica.peers.peek().get(relay.id)?.hasGoneBack).toBe(false)
})
