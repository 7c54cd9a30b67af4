import { beforeEach, describe, expect, test } from 'vitest'
import { concatBytes } from '../lib/bytes.ts'
import { areEqual, createReplicaCast, sumOnDisk, type CastMember, type ReplicaCast } from '../testing/replica-cast.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { MAX_FRAME_BYTES } from '../wire/limits.ts'
import { encodeSyncMessage, type SyncMessage } from '../wire/sync-messages.ts'
import type { DeviceLink } from '../ports/device-link.ts'

const settle = (): Promise<void> => new Promise(done => setImmediate(done))

let clock: SimulatedClock
let cast: ReplicaCast
let laptop: CastMember
let desk: CastMember
let phone: CastMember

beforeEach(async () => {
  clock = createSimulatedClock({ settle })
  cast = createReplicaCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  phone = await cast.join('phone')
})

describe('receipts', () => {
  const report = (): ReturnType<typeof cast.chunks.docTag> => cast.chunks.docTag('report')

  test('[R21] no receipt before the chunk is durable', async () => {
    await cast.inSync(laptop, desk)
    const release = desk.store.holdWrites()
    await laptop.replica.add([cast.chunks.commit('report', 'edit')])
    await clock.advance(1_000)
    expect(laptop.replica.confirmedAt(desk.id, report())).toBe(false)
    release()
    await clock.advance(10)
    expect(laptop.replica.confirmedAt(desk.id, report())).toBe(true)
  })

  test('[R22] a peer that starts again has confirmed nothing until it says so', async () => {
    await laptop.replica.add([cast.chunks.commit('report', 'edit')])
    await cast.inSync(laptop, desk)
    expect(laptop.replica.confirmedAt(desk.id, report())).toBe(true)
    desk.store = (await cast.join('fresh')).store
    await cast.restart(desk)
    const made = cast.link(laptop, desk, { latencyMs: 10 })
    await clock.advance(11)
    expect(laptop.replica.confirmedAt(desk.id, report())).toBe(false)
    await clock.advance(1_000)
    expect(laptop.replica.confirmedAt(desk.id, report())).toBe(true)
    made.cut()
  })

  test('[R23] documents are confirmed one by one during a first sync', async () => {
    await cast.fill(laptop, 300)
    await laptop.replica.add([cast.chunks.commit('report', 'edit')])
    expect(laptop.replica.confirmedAt(desk.id, report())).toBe(false)
    desk.replica.want([report()])
    cast.link(laptop, desk, { bytesPerSecond: 50_000 })
    await clock.runUntil(() => laptop.replica.confirmedAt(desk.id, report()))
    expect(laptop.replica.peers.peek().get(desk.id)?.state).toBe('catching-up')
  })

  test('[R24] compacting what a sleeping peer has confirmed leaves it confirmed', async () => {
    const commits = ['a', 'b'].map(name => cast.chunks.commit('report', name))
    await laptop.replica.add(commits)
    const made = await cast.inSync(laptop, desk)
    made.cut()
    await laptop.replica.add([cast.chunks.fragment('report', { level: 1, covers: commits.map(({ id }) => id) })])
    expect(laptop.replica.confirmedAt(desk.id, report())).toBe(true)
    await laptop.replica.add([cast.chunks.commit('report', 'c')])
    expect(laptop.replica.confirmedAt(desk.id, report())).toBe(false)
  })
})

describe('bad days', () => {
  test('[R25] a full disk: edits wait in memory and reach the others, and are written when there is room', async () => {
    await cast.inSync(laptop, desk)
    laptop.store.failWrites(new Error('ENOSPC'))
    const written = laptop.replica.add([cast.chunks.commit('report', 'edit')])
    await clock.advance(1_000)
    expect(laptop.replica.durability.peek()).toEqual({ state: 'failing', pending: 1 })
    expect(desk.arrived).toHaveLength(1)
    laptop.store.failWrites(undefined)
    await clock.advance(60_000)
    await written
    expect(laptop.replica.durability.peek()).toEqual({ state: 'good', pending: 0 })
    expect(areEqual(laptop, desk)).toBe(true)
  })

  test('[R25] a peer with a full disk gives no receipt', async () => {
    await cast.inSync(laptop, desk)
    desk.store.failWrites(new Error('ENOSPC'))
    await laptop.replica.add([cast.chunks.commit('report', 'edit')])
    await clock.advance(5_000)
    expect(laptop.replica.confirmedAt(desk.id, cast.chunks.docTag('report'))).toBe(false)
    desk.store.failWrites(undefined)
    await clock.advance(60_000)
    expect(laptop.replica.confirmedAt(desk.id, cast.chunks.docTag('report'))).toBe(true)
  })

  test('[R26] garbage and oversized frames close the link with a code', async () => {
    for (const [frame, code] of [
      [Uint8Array.of(1, 2, 3), 'malformed-frame'],
      [new Uint8Array(MAX_FRAME_BYTES + 1), 'frame-too-large'],
      [encodeSyncMessage({ type: 'chunks', chunks: [concatBytes(new Uint8Array(300))] }), 'malformed-frame'],
    ] as const) {
      const codes: string[] = []
      const session = laptop.replica.attach(silentLink(codes))
      await session.onFrame('sync-live', helloFrame())
      await session.onFrame('sync-live', frame)
      expect(codes).toEqual([code])
    }
  })

  test('[R26] well-formed nonsense and garbage, 3,000 frames: the session answers or closes with a code, and never throws', async () => {
    const random = createSeededRandom(99)
    const nonsense = (): SyncMessage =>
      random.pick<() => SyncMessage>([
        () => ({ type: 'ready' }),
        () => ({ type: 'summary', buckets: random.bytes(8_192), isAnswer: random.chance(0.5) }),
        () => ({
          type: 'docs',
          buckets: random.bytes(random.below(9)),
          docs: random.bytes(48 * random.below(4)),
          last: random.chance(0.5),
        }),
        () => ({ type: 'have', items: random.bytes(61 * random.below(3)), fresh: random.chance(0.5), last: random.chance(0.5) }),
        () => ({ type: 'want', ids: random.bytes(32 * random.below(4)) }),
        () => ({ type: 'stored', ids: random.bytes(32) }),
        () => ({ type: 'refused', ids: random.bytes(32), why: 'absent' }),
        () => ({ type: 'reject', id: random.bytes(32), bytesHash: random.bytes(32), why: '' }),
        () => ({ type: 'ask', tags: random.bytes(16 * random.below(3)) }),
        () => ({ type: 'no-snapshot', tag: random.bytes(16) }),
        () => ({
          type: 'part',
          of: 'snapshot',
          id: random.bytes(random.below(33)),
          index: random.below(3),
          count: 1 + random.below(3),
          bytes: random.bytes(9),
        }),
      ])()
    const codes: string[] = []
    for (let run = 0; run < 300; run++) {
      const session = laptop.replica.attach(silentLink(codes))
      await session.onFrame('sync-live', helloFrame())
      for (let i = 0; i < 9; i++) await session.onFrame('sync-bulk', encodeSyncMessage(nonsense()))
      await session.onFrame('sync-live', random.bytes(random.below(99)))
    }
    await clock.advance(100)
    expect(codes).toHaveLength(300)
    expect(new Set(codes)).toEqual(new Set(['malformed-frame']))
  })

  test('[R27] closing rejects what cannot be written and leaves nothing waiting', async () => {
    await cast.inSync(laptop, desk)
    laptop.store.failWrites(new Error('ENOSPC'))
    const written = laptop.replica.add([cast.chunks.commit('report', 'edit')])
    const outcome = expect(written).rejects.toMatchObject({ code: 'CLOSED' })
    await clock.advance(100)
    await laptop.replica.close()
    await laptop.replica.close()
    await outcome
    await desk.replica.close()
    await clock.advance(1)
    expect(clock.waiting()).toBe(0)
  })

  test('[R28] links cut and devices crashed at any moment of a sync: healed, all hold the same', async () => {
    const random = createSeededRandom(28)
    const devices = [laptop, desk, phone]
    for (let round = 0; round < 25; round++) {
      const commits = Array.from({ length: 12 }, () =>
        cast.chunks.commit(`document ${random.below(4)}`, `${round}/${random.below(1_000_000)}`),
      )
      void random
        .pick(devices)
        .replica.add(commits)
        .catch(() => undefined) // a crash may lose it
      const ids = commits.filter(({ docTag }) => docTag === commits[0]?.docTag).map(({ id }) => id)
      void random
        .pick(devices)
        .replica.add([cast.chunks.fragment('document 0', { level: random.below(3), covers: ids })])
        .catch(() => undefined)
      const links = [cast.link(laptop, desk), cast.link(desk, phone)]
      await clock.advance(random.below(12))
      for (const each of links) each.cut()
      await clock.advance(random.below(3))
      if (random.chance(0.4)) await cast.restart(random.pick(devices))
    }
    cast.link(laptop, desk)
    cast.link(desk, phone)
    await clock.advance(40_000)
    expect(areEqual(laptop, desk, phone)).toBe(true)
    for (const device of devices) expect(BigInt(`0x${device.replica.fingerprint()}`)).toBe(await sumOnDisk(device))
  })

  test('[R29] every chunk twice and shuffled changes nothing', async () => {
    const commits = Array.from({ length: 12 }, (_, i) => cast.chunks.commit('report', `edit ${i}`))
    const ids = commits.map(({ id }) => id)
    const all = [
      ...commits,
      cast.chunks.fragment('report', { level: 1, covers: ids.slice(0, 4) }),
      cast.chunks.fragment('report', { level: 1, covers: ids.slice(2, 8) }),
      cast.chunks.fragment('report', { level: 2, covers: ids.slice(0, 8) }),
      cast.chunks.register('report', 'claim', 2, 'two'),
      cast.chunks.register('report', 'claim', 1, 'one'),
      cast.chunks.log('genesis'),
    ]
    await cast.inSync(laptop, desk)
    await phone.replica.add(all)
    for (const [i, chunk] of [...all, ...all].entries()) {
      void (i % 2 === 0 ? laptop : desk).replica.add([i % 3 === 0 ? chunk : (all[(i * 7) % all.length] ?? chunk)])
      await clock.advance(3)
    }
    await laptop.replica.add(all.toReversed())
    await desk.replica.add(all)
    await clock.advance(120_000)
    expect(areEqual(laptop, desk, phone)).toBe(true)
    expect((await laptop.store.listDocument(cast.chunks.docTag('report'))).length).toBe(6)
  })

  test('[R30] an edit and its claim cost at most 20 messages among three devices, then silence', async () => {
    await cast.fill(laptop, 10)
    await cast.inSync(laptop, desk)
    await cast.inSync(laptop, phone)
    await cast.inSync(desk, phone)
    await clock.advance(120_000)
    cast.seen.splice(0)
    await laptop.replica.add([cast.chunks.commit('report', 'edit')])
    await clock.advance(1_000)
    await laptop.replica.add([cast.chunks.register('report', 'claim', 1, 'head')])
    await clock.advance(120_000)
    expect(cast.seen.length).toBeLessThanOrEqual(20)
    expect(areEqual(laptop, desk, phone)).toBe(true)
    cast.seen.splice(0)
    await clock.advance(600_000)
    expect(cast.seen).toEqual([])
  })

  const helloFrame = (): Uint8Array =>
    encodeSyncMessage({
      type: 'hello',
      versions: { min: 1, current: 1 },
      replica: new Uint8Array(16),
      incarnation: new Uint8Array(16),
      log: { count: 0, fingerprint: new Uint8Array(32) },
      root: new Uint8Array(32),
      unchecked: 0,
      arrival: 0,
    })
  const silentLink = (codes: string[]): DeviceLink => ({
    peer: desk.id,
    path: 'lan',
    outbound: true,
    closed: new AbortController().signal,
    send: async () => undefined,
    pending: () => 0,
    close: async code => void codes.push(code),
  })
})
