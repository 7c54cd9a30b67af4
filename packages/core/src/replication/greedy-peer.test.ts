/** A member that lies about what it has, or asks and never reads. */
import { expect, test } from 'vitest'
import { toHex } from '../lib/bytes.ts'
import { portableHasher } from '../crypto/hash.ts'
import type { ChunkId, DeviceId } from '../lib/ids.ts'
import { MIB } from '../lib/units.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { CloseCode } from '../wire/close-codes.ts'
import { createBulkQueue } from './bulk-queue.ts'
import { createDoubts, MAX_DOUBTED_BY_ONE } from './doubts.ts'
import { MAX_QUEUED_BYTES, MAX_TAKEN_OFFERS, MAX_UNREAD_BYTES } from './pace.ts'
import type { Offer } from './sync-records.ts'
import { createWants } from './wants.ts'
import { createChunkCast } from '../testing/plain-chunks.ts'
import { createReplicaCast } from '../testing/replica-cast.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { linkDevices, type SimulatedLinkEnd } from '../testing/simulated-link.ts'

const offer = (n: number): Offer => {
  const id = new Uint8Array(32)
  new DataView(id.buffer).setUint32(0, n)
  return { class: 'commit', docTag: '00'.repeat(16) as never, id: toHex(id) as ChunkId, sequence: 0, byteLength: 4 * MIB }
}

test('[R32] what a peer offers and does not deliver is bounded; the others are not kept waiting for it', () => {
  const asked: [string, number][] = []
  const wants = createWants<string>(createSimulatedClock(), (source, ids) => asked.push([source, ids.length]))
  for (let n = 0; n < MAX_TAKEN_OFFERS + 10; n++) wants.announce('liar', offer(n))
  expect(wants.count('liar')).toBe(MAX_TAKEN_OFFERS)
  wants.announce('desk', offer(MAX_TAKEN_OFFERS + 1))
  wants.pump('desk')
  expect(asked).toEqual([['desk', 1]])
  wants.drop('liar')
  expect(wants.count('liar')).toBe(0)
})

test('[R32] offering the same again and again asks for it once', () => {
  const asked: ChunkId[] = []
  const wants = createWants<string>(createSimulatedClock(), (_source, ids) => asked.push(...ids))
  for (let n = 0; n < 100; n++) wants.announce('liar', offer(1))
  for (let n = 0; n < 100; n++) wants.pump('liar')
  expect(asked).toEqual([offer(1).id])
})

test('[R32] one register offered with a greater sequence each time waits once', () => {
  const wants = createWants<string>(createSimulatedClock(), () => undefined)
  wants.announce('liar', { ...offer(1), byteLength: 0xff_ff_ff_ff })
  wants.pump('liar')
  for (let sequence = 1; sequence <= 1_000; sequence++) wants.announce('liar', { ...offer(2), class: 'register', sequence })
  expect([wants.count('liar'), wants.waiting('liar')]).toEqual([2, 1])
})

test('[R51] what a peer offers and does not give is asked of another that offered it; who gives is waited for', async () => {
  const clock = createSimulatedClock()
  const asked: string[] = []
  const wants = createWants<string>(clock, (source, ids) => asked.push(...ids.map(() => source)))
  const small = (n: number): Offer => ({ ...offer(n), byteLength: 100 })
  for (const n of [1, 2]) wants.announce('relay', small(n))
  wants.pump('relay')
  wants.announce('desk', small(1))
  wants.pump('desk')
  expect(asked).toEqual(['relay', 'relay'])
  wants.arrived(small(2).id, 0, 'relay')
  await clock.advance(9_000)
  expect(asked).toHaveLength(2)
  await clock.advance(9_000)
  expect(asked).toEqual(['relay', 'relay', 'desk'])
  wants.arrived(small(1).id, 0, 'desk')
  await clock.advance(60_000)
  expect([asked.length, clock.waiting()]).toEqual([3, 0])
})

test('[R66] an older register than was offered ends no wait: who gives it though asked is passed over, and others are asked', () => {
  for (const laptopLeaves of [false, true]) {
    const asked: string[] = []
    const wants = createWants<string>(createSimulatedClock(), (source, ids) => asked.push(...ids.map(() => source)))
    const claim = (sequence: number): Offer => ({ ...offer(1), class: 'register', sequence })
    for (const [source, sequence] of [
      ['desk', 1],
      ['laptop', 2],
    ] as const) {
      wants.announce(source, claim(sequence))
      wants.pump(source)
    }
    wants.announce('phone', claim(2))
    wants.arrived(claim(1).id, 1, 'desk')
    expect([wants.settle(claim(1).id, 1), asked]).toEqual([[], ['desk', 'laptop']])
    if (laptopLeaves) wants.drop('laptop')
    else wants.arrived(claim(1).id, 1, 'laptop') // it went back
    expect(asked.slice(2)).toEqual(['desk'])
    wants.arrived(claim(1).id, 1, 'desk')
    expect(asked.slice(3)).toEqual(['phone'])
    wants.arrived(claim(2).id, 2, 'phone')
    expect(wants.settle(claim(2).id, 2)).toEqual(['phone'])
  }
})

test('[R61] one peer alone fills no more than its share of what is remembered of variants that do not open', async () => {
  const doubted = new Map<ChunkId, Uint8Array>()
  const journal = { doubt: async (chunk: { id: ChunkId }, word: Uint8Array) => void doubted.set(chunk.id, word) }
  const doubt = createDoubts({ journal, hasher: portableHasher, doubted, sessions: new Set() })
  const chunks = createChunkCast()
  const all = Array.from({ length: MAX_DOUBTED_BY_ONE + 10 }, (_, n) => chunks.commit('diary', `${n}`))
  const hash = new Uint8Array(32)
  for (const chunk of all) await doubt(chunk, hash, 'liar' as DeviceId)
  expect(doubted.size).toBe(MAX_DOUBTED_BY_ONE)
  await doubt(all.at(-1) as SealedChunk, hash, 'desk' as DeviceId)
  expect(doubted.size).toBe(MAX_DOUBTED_BY_ONE + 1)
  // What another says too is nobody's share any more.
  await doubt(all[0] as SealedChunk, hash, 'desk' as DeviceId)
  await doubt(all.at(-2) as SealedChunk, hash, 'liar' as DeviceId)
  expect(doubted.size).toBe(MAX_DOUBTED_BY_ONE + 2)
})

test('[R32] requests that wait for a peer that does not read are bounded by their size', () => {
  let isTooMuch = false
  const enqueue = createBulkQueue({
    isOpen: () => true,
    onFailure: () => undefined,
    onTooMuch: () => {
      isTooMuch = true
    },
  })
  const never = (): Promise<void> => new Promise(() => undefined)
  for (let bytes = 0; bytes < MAX_QUEUED_BYTES; bytes += MIB) enqueue(never, MIB)
  expect(isTooMuch).toBe(false)
  enqueue(never, MIB)
  expect(isTooMuch).toBe(true)
})

test('[R32] a peer that makes this one speak and does not listen is closed as too slow', async () => {
  const clock = createSimulatedClock()
  const cast = createReplicaCast(clock)
  const [laptop, desk] = [await cast.join('laptop'), await cast.join('desk')]
  let unread = 0
  const closedWith: CloseCode[] = []
  const slow = (end: DeviceLink): DeviceLink => ({
    ...end,
    pending: () => unread,
    close(code) {
      closedWith.push(code)
      return end.close(code)
    },
  })
  const ends = [laptop, desk].map(({ id, replica }) => ({ id, accept: (end: DeviceLink) => replica.attach(slow(end)) }))
  const link = linkDevices(ends[0] as SimulatedLinkEnd, ends[1] as SimulatedLinkEnd, { clock })
  await clock.advance(1_000)
  unread = MAX_UNREAD_BYTES
  laptop.replica.want([cast.chunks.docTag('d')])
  await clock.advance(0)
  expect(link.isOpen()).toBe(true)
  unread++
  laptop.replica.want([cast.chunks.docTag('d')])
  await clock.advance(0)
  expect(closedWith).toEqual(['too-slow'])
})
