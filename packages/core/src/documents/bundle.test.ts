import * as A from '@automerge/automerge'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { concatBytes } from '../lib/bytes.ts'
import type { BundleContents, KnownFragments } from '../ports/worker.ts'
import { buildFragments, levelOf, readBundleContents } from './bundle.ts'
import { fragmentKey } from './content-keys.ts'

const LIMITS = { maxInflatedBytes: 64 * 2 ** 20 }

function typedTogether(rounds: number): A.Doc<{ text: string }> {
  let [laptop, desk, phone] = ['aa', 'bb', 'cc'].map(byte => A.init<{ text: string }>({ actor: byte.repeat(16) })) as [
    A.Doc<{ text: string }>,
    A.Doc<{ text: string }>,
    A.Doc<{ text: string }>,
  ]
  const type = (doc: A.Doc<{ text: string }>, letters: number): A.Doc<{ text: string }> => {
    let typed = doc
    for (let i = 0; i < letters; i++) typed = A.change(typed, { time: 0 }, draft => A.splice(draft, ['text'], 0, 0, 'x'))
    return typed
  }
  laptop = A.change(laptop, { time: 0 }, draft => void (draft.text = ''))
  desk = A.merge(desk, laptop)
  phone = A.merge(phone, laptop)
  for (let round = 0; round < rounds; round++) {
    laptop = type(laptop, 30)
    desk = type(desk, 20)
    phone = type(phone, 10)
    if (round % 2 === 0) laptop = A.merge(laptop, desk)
    else phone = A.merge(phone, laptop)
    desk = A.merge(desk, phone)
  }
  return A.merge(A.merge(laptop, desk), phone)
}

test('[D18] a bundle says what Automerge put into it, concurrent history included', () => {
  const doc = typedTogether(40)
  const fragments = A.getFragments(doc)
  expect(fragments.length).toBeGreaterThan(3)
  for (const { bytes, head, level, members } of fragments) {
    expect(readBundleContents(bytes, LIMITS)).toEqual({ head, level, members: members.toSorted() })
  }
})

test.each([
  ['letters', 'a'],
  ['text that is saved deflated', 'Leave one device, carry on. '.repeat(100)],
])('[D18] a bundle that goes on from another says the same as its changes decoded: %s', (_, text) => {
  const before = typedTogether(10)
  let doc = before
  for (let i = 0; i < 20; i++) doc = A.change(doc, draft => A.splice(draft, ['text'], i, 0, text))
  const hashes = A.getChangesMetaSince(doc, A.getHeads(before)).map(({ hash }) => hash)
  const bundle = A.saveBundle(doc, hashes)
  const { changes } = A.readBundle(bundle)
  expect(readBundleContents(bundle, LIMITS)).toMatchObject({
    head: A.getHeads(doc)[0],
    members: changes.map(({ hash }) => hash).toSorted(),
  })
})

test('[D18] a bundle with two heads, a commit, two bundles, or one over the limit is refused', () => {
  const doc = typedTogether(10)
  const [bundle] = A.getFragments(doc).map(fragment => fragment.bytes) as [Uint8Array]
  const base = A.from({ a: 1 })
  const forked = A.merge(
    A.change(A.clone(base), draft => void (draft.a = 2)),
    A.change(A.clone(base), draft => void (draft.a = 3)),
  )
  const twoHeads = A.saveBundle(forked, A.getHeads(forked))
  expect(() => readBundleContents(twoHeads, LIMITS)).toThrow(/one head/)
  expect(() => readBundleContents(A.getAllChanges(doc)[0] as Uint8Array, LIMITS)).toThrow(RangeError)
  expect(() => readBundleContents(concatBytes(bundle, bundle), LIMITS)).toThrow(RangeError)
  expect(() => readBundleContents(bundle, { maxInflatedBytes: 100 })).toThrow(RangeError)
})

test('[D18] no bytes do anything worse than throw an error', () => {
  const [bundle] = A.getFragments(typedTogether(10)).map(fragment => fragment.bytes) as [Uint8Array]
  fc.assert(
    fc.property(fc.nat(bundle.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = bundle.slice()
      damaged[at] = (damaged[at] as number) ^ change
      expect(() => readBundleContents(damaged, LIMITS)).toThrow(Error)
    }),
    { numRuns: 1_000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
      expect(() => readBundleContents(bytes, LIMITS)).toThrow(RangeError)
    }),
    { numRuns: 10_000 },
  )
})

const NONE = { keys: [], tails: [] }

function known(fragments: readonly BundleContents[]): KnownFragments {
  return { keys: fragments.map(fragmentKey), tails: fragments.flatMap(({ level, members }) => (level === 0 ? members : [])) }
}

test('[D20] known fragments are not built again', () => {
  const doc = typedTogether(40)
  const built = buildFragments(A.save(doc), NONE)
  expect(built.length).toBeGreaterThan(2)
  expect(buildFragments(A.save(doc), known(built))).toEqual([])
  expect(buildFragments(A.save(doc), known(built.slice(1)))).toEqual(built.slice(0, 1))
})

test('[D20] what comes after the last place where a fragment may end makes a bundle of its own, of what is in none yet', () => {
  const doc = typedTogether(40)
  const built = buildFragments(A.save(doc), NONE)
  const all = A.getAllChanges(doc).map(bytes => A.decodeChange(bytes).hash)
  const inNone = (fragments: readonly BundleContents[]): number => all.length - new Set(fragments.flatMap(({ members }) => members)).size
  expect(inNone(built.filter(({ level }) => level > 0))).toBeGreaterThan(16)
  expect(inNone(built)).toBeLessThan(16)

  let longer = doc
  for (let i = 0; i < 40; i++) longer = A.change(longer, { time: 0 }, draft => A.splice(draft, ['text'], 0, 0, 'y'))
  const more = buildFragments(A.save(longer), known(built)).filter(({ level }) => level === 0)
  expect(more.flatMap(({ members }) => members).length).toBeLessThan(40 + 16)

  const loaded = [...built, ...more].reduce((into, { bundle }) => A.loadIncremental(into, bundle), A.init<{ text: string }>())
  expect(A.getMissingDeps(loaded, []).length).toBeLessThan(16)
})

test('[D18] the level is the number of leading zero bytes of the head', () => {
  expect(levelOf('01'.repeat(32))).toBe(0)
  expect(levelOf(`0000${'01'.repeat(30)}`)).toBe(2)
  expect(levelOf('00'.repeat(32))).toBe(32)
})
