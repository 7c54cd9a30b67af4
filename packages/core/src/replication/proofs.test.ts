/** A replica without keys in whose mailbox somebody lays other bytes under a name that it heard of. */
import { beforeEach, expect, test } from 'vitest'
import { portableHasher } from '../crypto/hash.ts'
import { compareBytes } from '../lib/bytes.ts'
import type { ChunkId, DocTag, Incarnation } from '../lib/ids.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { createReplicaCast, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { createMemoryChunkStore } from '../testing/memory-chunk-store.ts'
import { keylessInspector } from './keyless-inspector.ts'
import { answerProofs, createProofs } from './proofs.ts'
import { createPeerReceipts } from './receipts.ts'
import { unpackIds } from './sync-records.ts'

const WITHOUT_KEYS = { keyless: true, inspector: keylessInspector }

let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember
let relay: CastMember

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createReplicaCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  relay = await cast.join('relay', WITHOUT_KEYS)
})

const tag = (): DocTag => cast.chunks.docTag('diary')
const edit = (name: string): SealedChunk => cast.chunks.commit('diary', name)
const isOnRelay = (device: CastMember): boolean => device.replica.confirmedAt(relay.id, tag())
const asked = (): number => cast.types().filter(type => type === 'prove').length
/** The same content, sealed by another: other bytes, as good. */
const otherwise = (chunk: SealedChunk): { chunk: SealedChunk; isGood: (each: SealedChunk) => boolean } => {
  const bytes = Uint8Array.from([...chunk.bytes, 0])
  return { chunk: { ...chunk, bytes }, isGood: each => each.bytes.length === bytes.length }
}

test('[R62] false bytes that lay there first are no receipt, equal summaries or not; others bring better ones', async () => {
  const made = edit('a')
  await relay.replica.add([cast.chunks.spoiled(made)])
  await laptop.replica.add([made])
  expect(laptop.replica.fingerprint()).toBe(relay.replica.fingerprint())
  cast.link(laptop, relay)
  await clock.advance(60_000)
  expect(isOnRelay(laptop)).toBe(false)
  await desk.replica.add([made])
  cast.link(desk, relay)
  await clock.advance(60_000)
  expect((await relay.store.get(made.id))?.bytes).toEqual(made.bytes)
  expect([isOnRelay(laptop), isOnRelay(desk)]).toEqual([true, true])
})

test('[R62] [R23] in sync with nothing owed is said only once what it is to show was looked up', async () => {
  await relay.replica.add([cast.chunks.spoiled(edit('a'))])
  await laptop.replica.add([edit('a')])
  const said: unknown[] = []
  laptop.replica.peers.subscribe(peers => void said.push(peers.get(relay.id)))
  cast.link(laptop, relay)
  await clock.advance(60_000)
  expect(said).toContainEqual(expect.objectContaining({ state: 'in-sync', unconfirmed: 1 }))
  expect(said).not.toContainEqual(expect.objectContaining({ state: 'in-sync', unconfirmed: 0 }))
})

test('[R62] nor after a restart of the device, or of the relay', async () => {
  const made = edit('a')
  await relay.replica.add([cast.chunks.spoiled(made)])
  await laptop.replica.add([made])
  for (const restart of [() => cast.restart(laptop), () => cast.restart(relay, WITHOUT_KEYS)]) {
    const link = cast.link(laptop, relay)
    await clock.advance(30_000)
    expect(isOnRelay(laptop)).toBe(false)
    link.cut()
    await restart()
  }
})

test('[R62] nor when they come while the true ones are on their way', async () => {
  cast.link(laptop, relay, { latencyMs: 50 })
  await clock.advance(10_000)
  const made = edit('a')
  const added = laptop.replica.add([made])
  await relay.replica.add([cast.chunks.spoiled(made)])
  await clock.advance(60_000)
  await added
  expect(isOnRelay(laptop)).toBe(false)
})

test('[R62] of what the relay was given, and stored, nothing is asked; of what others brought there, once', async () => {
  const links = [cast.link(laptop, relay)]
  await clock.advance(10_000)
  await laptop.replica.add([edit('a'), cast.chunks.register('diary', 'claim', 1, 'mine')])
  await clock.advance(30_000)
  expect([isOnRelay(laptop), asked()]).toEqual([true, 0])
  // The desk has it from the laptop alone.
  links.push(cast.link(laptop, desk))
  await clock.advance(30_000)
  for (const link of links) link.cut()
  const first = cast.link(desk, relay)
  await clock.advance(30_000)
  expect([isOnRelay(desk), asked()]).toEqual([true, 1])
  first.cut()
  await desk.replica.settled()
  await cast.restart(desk)
  cast.seen.length = 0
  cast.link(desk, relay)
  await clock.advance(30_000)
  expect([isOnRelay(desk), ...cast.types()]).toEqual([true, 'hello', 'hello'])
})

test('[R62] what it only named is asked about while changes leave no time for a comparison, too; of what it was given, nothing', async () => {
  cast.link(laptop, relay, { latencyMs: 50 })
  cast.link(laptop, desk)
  await clock.advance(60_000)
  const large = cast.chunks.commit('diary', 'large', { bytes: 100_000 }) // which is not pushed
  await Promise.all([desk, relay].map(({ replica }) => replica.add([large])))
  await type(25)
  expect(cast.types()).not.toContain('root')
  expect([isOnRelay(laptop), asked()]).toEqual([true, 1])
})

test('[R62] nor is it asked on and on then about what it does not show', async () => {
  cast.link(laptop, relay, { latencyMs: 50 })
  await clock.advance(60_000)
  const made = edit('a')
  const added = laptop.replica.add([made])
  await relay.replica.add([cast.chunks.spoiled(made)])
  await type(60)
  await added
  expect([isOnRelay(laptop), asked()]).toEqual([false, 1])
})

test('[R62] of what the relay gave nothing is asked', async () => {
  await relay.replica.add([edit('a'), edit('b')])
  cast.link(laptop, relay)
  await clock.advance(30_000)
  expect([isOnRelay(laptop), asked()]).toEqual([true, 0])
})

test('[R62] other bytes that are as good are good enough, and looked at once', async () => {
  const made = edit('a')
  const { chunk, isGood } = otherwise(made)
  const inspector = cast.chunks.inspector(() => laptop.store)
  await cast.restart(laptop, {
    inspector: { ...inspector, inspect: each => (isGood(each) ? inspector.inspect(made) : inspector.inspect(each)) },
  })
  await relay.replica.add([chunk])
  await laptop.replica.add([made])
  const link = cast.link(laptop, relay)
  await clock.advance(30_000)
  expect([isOnRelay(laptop), asked()]).toEqual([true, 1])
  expect((await laptop.store.get(made.id))?.bytes).toEqual(made.bytes)
  link.cut()
  cast.seen.length = 0
  cast.link(laptop, relay)
  await clock.advance(30_000)
  expect(cast.types()).toEqual(['hello', 'hello'])
})

test('[R62] also where two relays give the same while neither is on disk yet', async () => {
  const made = edit('a')
  const { chunk, isGood } = otherwise(made)
  const second = await cast.join('second', WITHOUT_KEYS)
  for (const each of [relay, second]) await each.replica.add([chunk])
  const inspector = cast.chunks.inspector(() => laptop.store)
  await cast.restart(laptop, {
    inspector: { ...inspector, inspect: each => (isGood(each) ? inspector.inspect(made) : inspector.inspect(each)) },
  })
  await laptop.replica.add([made])
  for (const each of [relay, second]) cast.link(laptop, each)
  laptop.store.failWrites(new Error('no space left'))
  await clock.advance(1_000)
  laptop.store.failWrites(undefined)
  await clock.advance(60_000)
  expect([relay, second].map(({ id }) => laptop.replica.confirmedAt(id, tag()))).toEqual([true, true])
})

test('[R62] [R8] of a register that two wrote with one sequence the greater comes to the relay, whichever lay there first', async () => {
  const [one, other] = [cast.chunks.register('diary', 'claim', 1, 'mine'), cast.chunks.register('diary', 'claim', 1, 'its copy')]
  const isGreater = compareBytes(portableHasher.sha256(one.bytes), portableHasher.sha256(other.bytes)) > 0
  const [greater, lesser] = isGreater ? [one, other] : [other, one]
  await relay.replica.add([lesser])
  await laptop.replica.add([greater])
  await desk.replica.add([lesser])
  cast.link(desk, relay)
  cast.link(laptop, relay)
  await clock.advance(60_000)
  for (const each of [relay, laptop, desk]) expect((await each.store.get(greater.id))?.bytes).toEqual(greater.bytes)
  expect([isOnRelay(laptop), isOnRelay(desk)]).toEqual([true, true])
})

test('[R62] a relay that was put back is asked about everything again', async () => {
  await laptop.replica.add([edit('a')])
  const backup = relay.store.crash()
  await cast.restart(relay, WITHOUT_KEYS)
  const first = cast.link(laptop, relay)
  await clock.advance(30_000)
  expect(isOnRelay(laptop)).toBe(true)
  first.cut()
  relay.store = backup
  await cast.restart(relay, WITHOUT_KEYS)
  await relay.replica.add([cast.chunks.spoiled(edit('a'))])
  cast.link(laptop, relay)
  await clock.advance(30_000)
  expect(isOnRelay(laptop)).toBe(false)
})

test('[R62] what was let go because everybody had it is answered as such, what is not there not at all', async () => {
  const store = createMemoryChunkStore()
  const [held, emptied, absent] = [edit('a'), edit('b'), edit('c')]
  await store.apply({ put: [held, emptied].map(chunk => ({ ...chunk, live: true })) })
  await store.apply({ empty: [emptied.id] })
  const ids: ChunkId[] = [held.id, emptied.id, absent.id]
  const { items } = await answerProofs(store, portableHasher, ids)
  expect(items.length).toBe(2 * 64)
  expect(items.subarray(32, 64)).toEqual(portableHasher.sha256(held.bytes))
  expect(items.subarray(96)).toEqual(new Uint8Array(32))
})

test('[R62] a great many are looked through in turn, and until then nothing is confirmed', async () => {
  const store = createMemoryChunkStore()
  const many = Array.from({ length: 110 }, (_, n) => ({ ...cast.chunks.commit('diary', `${n}`), live: true }))
  await store.apply({ put: many })
  const receipts = createPeerReceipts()
  receipts.begin('first' as Incarnation)
  const shown: number[] = []
  const questions: ChunkId[][] = []
  const proofs = createProofs({
    ...{ peer: relay.id, store, receipts, hasher: portableHasher, journal: { flush: async () => undefined }, onProven: () => undefined },
    maxLoaded: 100,
    history: { shownBy: () => 0, setShownBy: (_, arrival) => shown.push(arrival) },
    send: async ({ ids }) => void questions.push(unpackIds<ChunkId>(ids, 32)),
    give: async () => undefined,
  })
  await proofs.begin(0)()
  receipts.settleAll()
  await proofs.ask()
  expect(receipts.unproven().size).toBe(100)
  let isHeld = false
  for (let next = questions.shift(); next !== undefined; next = questions.shift()) {
    isHeld ||= receipts.holdsAll()
    expect(await proofs.take((await answerProofs(store, portableHasher, next)).items)).toEqual([])
  }
  expect([isHeld, receipts.holdsAll(), ...shown]).toEqual([false, true, 100, 110])
})

test('[R62] what was not there yet when it was asked about is asked about again', async () => {
  const store = createMemoryChunkStore()
  const chunk = edit('a')
  await store.apply({ put: [{ ...chunk, live: true }] })
  const receipts = createPeerReceipts()
  receipts.begin('first' as Incarnation)
  let questions = 0
  const proofs = createProofs({
    ...{ peer: relay.id, store, receipts, hasher: portableHasher, journal: { flush: async () => undefined }, onProven: () => undefined },
    history: { shownBy: () => 0, setShownBy: () => undefined },
    send: async () => void questions++,
    give: async () => undefined,
  })
  await proofs.begin(0)()
  await proofs.ask()
  await proofs.ask()
  expect(questions).toBe(1)
  await proofs.take(new Uint8Array())
  await proofs.ask()
  expect(questions).toBe(2)
})

test('[R62] what was shown and is owed once more, because a comparison names it, is asked about once more', async () => {
  const { store, chunk, receipts, proofs, questions } = await askingAboutOne()
  const [record] = await store.listDocument(chunk.docTag)
  for (let time = 0; time < 2; time++) {
    if (record !== undefined) receipts.owe({ ...record, arrival: 10 })
    await proofs.ask()
    await proofs.take((await answerProofs(store, portableHasher, questions.shift() ?? [])).items)
    expect(receipts.owed()).toBe(0)
  }
})

test('[R62] other bytes are fetched once, and asked about again: the relay may have got the true ones from others', async () => {
  const { chunk, receipts, proofs, questions } = await askingAboutOne()
  const theirs = createMemoryChunkStore()
  const answer = async (): Promise<readonly ChunkId[]> => {
    await proofs.ask()
    return proofs.take((await answerProofs(theirs, portableHasher, questions.shift() ?? [])).items)
  }
  await theirs.apply({ put: [{ ...cast.chunks.spoiled(chunk), live: true }] })
  expect([await answer(), await answer(), receipts.owed()]).toEqual([[chunk.id], [], 1])
  await theirs.apply({ remove: [chunk.id] })
  await theirs.apply({ put: [{ ...chunk, live: true }] })
  expect([await answer(), receipts.owed()]).toEqual([[], 0])
})

test('[R62] what it did not show it is asked about again, without a comparison, only once it names it', async () => {
  const { chunk, proofs, questions } = await askingAboutOne()
  const ask = async (): Promise<number> => {
    await proofs.askMeanwhile()
    return questions.length
  }
  expect([await ask(), await ask()]).toEqual([0, 1])
  await proofs.take(new Uint8Array())
  expect(await ask()).toBe(1)
  proofs.onNamed(chunk.id)
  expect(await ask()).toBe(2)
  proofs.onNamed(chunk.id) // before it answers
  await proofs.take(new Uint8Array())
  expect(await ask()).toBe(3)
})

/** On the laptop, never quiet for long. */
async function type(seconds: number): Promise<void> {
  for (let typed = 0; typed < seconds; typed += 4) {
    await laptop.replica.add([edit(`after ${typed} s`)])
    await clock.advance(4_000)
  }
}

/** One chunk is here, and the relay is to show it. */
async function askingAboutOne() {
  const store = createMemoryChunkStore()
  const chunk = edit('a')
  await store.apply({ put: [{ ...chunk, live: true }] })
  const receipts = createPeerReceipts()
  receipts.begin('first' as Incarnation)
  const questions: ChunkId[][] = []
  const proofs = createProofs({
    ...{ peer: relay.id, store, receipts, hasher: portableHasher, journal: { flush: async () => undefined }, onProven: () => undefined },
    history: { shownBy: () => 0, setShownBy: () => undefined },
    send: async ({ ids }) => void questions.push(unpackIds<ChunkId>(ids, 32)),
    give: async () => undefined,
  })
  await proofs.begin(0)()
  return { store, chunk, receipts, proofs, questions }
}
