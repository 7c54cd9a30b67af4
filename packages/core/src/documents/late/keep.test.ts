import * as A from '@automerge/automerge'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeCbor } from '../../lib/codec.ts'
import { toHex } from '../../lib/bytes.ts'
import type { EntryId } from '../../lib/ids.ts'
import { buildFragments, splitBundle } from '../bundle.ts'
import { readCommit } from '../commit.ts'
import { decodeKeep, encodeKeep, type Keep } from './keep.ts'

const LIMITS = { maxInflatedBytes: 64 * 2 ** 20 }

test('[D43] a keep is read as it was written', () => {
  const keep: Keep = {
    kept: new Map([['ab'.repeat(32) as EntryId, ['01'.repeat(32), '02'.repeat(32)]]]),
    accepted: ['03'.repeat(32)],
    discarded: [],
    time: 5,
  }
  expect(decodeKeep(encodeKeep(keep))).toEqual({ ok: true, value: keep })
})

test('[D43] no bytes make the reader of a keep throw', () => {
  const hash = fc.uint8Array({ minLength: 30, maxLength: 33 })
  const shaped = fc.record({
    v: fc.constantFrom(1, 2),
    kept: fc.array(fc.tuple(hash, fc.array(hash)), { maxLength: 3 }),
    accepted: fc.oneof(fc.array(hash, { maxLength: 3 }), fc.string()),
    discarded: fc.array(hash, { maxLength: 3 }),
    time: fc.oneof(fc.nat(), fc.double()),
  })
  const body = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.anything({ withBigInt: false }).map(tryEncode), shaped.map(tryEncode))
  fc.assert(
    fc.property(body, bytes => {
      const read = decodeKeep(bytes)
      if (read.ok) expect(toHex(encodeKeep(read.value)).length).toBeGreaterThan(0)
    }),
    { numRuns: 10_000 },
  )
})

function tryEncode(value: unknown): Uint8Array {
  try {
    return encodeCbor(value)
  } catch {
    return new Uint8Array()
  }
}

interface Everything {
  text: string
  count: A.Counter
  bytes: Uint8Array
  list: unknown[]
}

test('[D44] a bundle in pieces gives every change byte for byte, also without what it depends on', () => {
  const doc = A.change(A.init<Everything>({ actor: 'ab'.repeat(16) }), { time: 0 }, draft => {
    Object.assign(draft, { text: '', count: new A.Counter(1), bytes: new Uint8Array([1, 2]), list: [1, 2.5, new Date(5), null, true] })
  })
  let now = doc
  for (let i = 0; i < 1_500; i++) {
    now = A.change(now, { time: 0 }, draft => {
      A.splice(draft, ['text'], i % 2, 0, i % 100 === 0 ? 'long '.repeat(200) : 'é')
      if (i % 7 === 0) draft.count.increment(i)
      if (i % 11 === 0) draft.bytes = new Uint8Array([i % 256])
      if (i % 13 === 0) draft.list.push({ at: new Uint8Array([3]) })
    })
  }
  const changes = new Map(A.getAllChanges(now).map(bytes => [hashOf(bytes), toHex(bytes)]))
  const fragments = buildFragments(A.save(now), { keys: [], tails: [] })
  expect(fragments.length).toBeGreaterThan(1)
  for (const { bundle, members } of fragments) {
    const pieces = splitBundle(bundle, LIMITS)
    expect(pieces.map(hashOf).toSorted()).toEqual(members)
    for (const piece of pieces) expect(toHex(piece)).toBe(changes.get(hashOf(piece)))
  }
})

test('[D44] what is no bundle is not taken apart', () => {
  expect(() => splitBundle(new Uint8Array([1, 2, 3]), LIMITS)).toThrow(RangeError)
})

function hashOf(bytes: Uint8Array): string {
  const commit = readCommit(bytes, LIMITS)
  return commit.ok ? commit.value.hash : commit.error
}
