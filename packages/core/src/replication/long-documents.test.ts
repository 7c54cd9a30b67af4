/** A document with more chunks than should be in memory at one time. */
import { beforeEach, expect, test } from 'vitest'
import { portableHasher } from '../crypto/hash.ts'
import { GROUP_DOC_TAG } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { createReplicaCast, sumOnDisk, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { liveUnless, sumOfDocument } from './document-reading.ts'
import { MAX_AT_ONCE } from './dropped.ts'
import { keylessInspector } from './keyless-inspector.ts'
import { sumHex } from './sync-records.ts'

const WITHOUT_KEYS = { keyless: true, inspector: keylessInspector }

let clock: SimulatedClock
let cast: ReplicaCast
let relay: CastMember

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createReplicaCast(clock)
  relay = await cast.join('relay', WITHOUT_KEYS)
})

const made = (count: number): SealedChunk[] => Array.from({ length: count }, (_, n) => cast.chunks.commit('diary', `${n}`))
const liveOn = async ({ store }: CastMember): Promise<number> =>
  (await store.listDocument(cast.chunks.docTag('diary'))).filter(({ live }) => live).length
const isCountedRight = async (member: CastMember): Promise<boolean> => sumHex(await sumOnDisk(member)) === member.replica.fingerprint()

test('[R64] what is offered of a long document comes in pieces, and nothing of one that is the same', async () => {
  await relay.replica.add(made(25))
  const { store } = relay
  const docTag = cast.chunks.docTag('diary')
  const sum = await sumOfDocument(store, docTag, portableHasher)
  const pieces = async (other: bigint, length: number): Promise<number[]> => {
    const lengths: number[] = []
    for await (const piece of liveUnless(store, docTag, other, portableHasher, length)) lengths.push(piece.length)
    return lengths
  }
  expect([await pieces(sum, 10), await pieces(0n, 10), await pieces(0n, 25), await pieces(0n, 26), await pieces(0n, 24)]).toEqual([
    [],
    [10, 10, 5],
    [25],
    [25],
    [24, 1],
  ])
})

test('[R64] a relay reads no document whole: not to take a fragment or what it retires, to compare, to offer, or to drop', async () => {
  const whole: string[] = []
  const watched = (store: ChunkStore): ChunkStore => ({ ...store, listDocument: tag => (whole.push(tag), store.listDocument(tag)) })
  relay.store = watched(relay.store) as typeof relay.store
  relay.store.crash = () => relay.store
  await cast.restart(relay, WITHOUT_KEYS)
  const laptop = await cast.join('laptop')
  const [a, b] = [made(40), made(60)]
  await laptop.replica.add(a)
  cast.link(laptop, relay)
  await clock.advance(20_000)
  await laptop.replica.add([...b, cast.chunks.fragment('diary', { level: 1, covers: a.map(({ id }) => id) })])
  await clock.advance(60_000)
  const desk = await cast.join('desk')
  await desk.replica.add(made(10))
  cast.link(desk, relay)
  await clock.advance(60_000)
  await laptop.replica.drop([cast.chunks.docTag('diary')])
  await clock.advance(60_000)
  expect(relay.replica.isDropped(cast.chunks.docTag('diary'))).toBe(true)
  expect(whole.filter(each => each !== GROUP_DOC_TAG)).toEqual([]) // the log has an end of its own
})

test('[R64] a long document is dropped, and brought back, in several batches, also past a crash between them', async () => {
  await relay.replica.add(made(MAX_AT_ONCE + 100))
  const before = relay.replica.fingerprint()
  const docTag = cast.chunks.docTag('diary')
  for (const [step, rest] of [
    ['drop', 0],
    ['undrop', MAX_AT_ONCE + 100],
  ] as const) {
    let writes = 0
    const { store } = relay
    const apply = store.apply.bind(store)
    store.apply = async batch => (writes++ === 0 ? apply(batch) : new Promise(() => undefined)) // then the power is gone
    void relay.replica[step]([docTag]).catch(() => undefined)
    await clock.advance(1_000)
    const half = await liveOn(relay)
    expect([half > 0, half < MAX_AT_ONCE + 100]).toEqual([true, true])
    await cast.restart(relay, WITHOUT_KEYS)
    await clock.advance(1_000)
    expect(await liveOn(relay)).toBe(rest)
    expect(relay.replica.isDropped(docTag)).toBe(step === 'drop')
    expect(await isCountedRight(relay)).toBe(true)
  }
  expect(relay.replica.fingerprint()).toBe(before)
})
