import * as A from '@automerge/automerge'
import { describe, expect, test } from 'vitest'
import type { ChunkId } from '../lib/ids.ts'
import type { OpenedContent } from './apply-contents.ts'
import { createPreparation } from './preparation.ts'

interface Note {
  text: string
}

/** Where they were, and where one of them is 6,000 letters later; the letters as bundles of at least 4 KiB. */
const before = A.change(A.init<Note>({ actor: 'ab'.repeat(16) }), { time: 0 }, draft => void (draft.text = ''))
const after = typed(A.clone(before, { actor: 'cd'.repeat(16) }), 6_000)
const halfway = A.getChanges(before, after).slice(0, 3_000)
const bundles = [halfway, A.getChanges(before, after).slice(3_000)].map((changes, i): OpenedContent => {
  const hashes = changes.map(change => A.decodeChange(change).hash)
  return { id: `bundle ${i}` as ChunkId, class: 'fragment', bytes: A.saveBundle(after, hashes) }
})
const present = (): A.Doc<Note> => A.clone(before, { actor: 'ef'.repeat(16) })

function typed(doc: A.Doc<Note>, letters: number): A.Doc<Note> {
  let next = doc
  for (let i = 0; i < letters; i++) {
    next = A.change(next, { time: 0 }, draft =>
      A.splice(draft, ['text'], (i * 7_919) % (i + 1), 0, String.fromCodePoint(97 + ((i * 31) % 26))),
    )
  }
  return next
}

describe('[D48] what is prepared while it is checked', () => {
  test('is the document with just that, under its own actor, when it is good', () => {
    const preparation = createPreparation()
    const doc = present()
    preparation.begin(doc, bundles)
    const taken = preparation.take(doc, bundles)
    expect(taken && A.getHeads(taken)).toEqual(A.getHeads(after))
    expect(taken && A.getActorId(taken)).toBe(A.getActorId(doc))
    expect(A.getHeads(doc)).toEqual(A.getHeads(before))
    expect(preparation.take(doc, bundles)).toBe(undefined) // once
  })

  test('may come in several portions', () => {
    const preparation = createPreparation()
    const doc = present()
    for (const bundle of bundles) preparation.begin(doc, [bundle])
    const taken = preparation.take(doc, bundles)
    expect(taken && A.getHeads(taken)).toEqual(A.getHeads(after))
  })

  test('counts for nothing when one of them was rejected, or more came', () => {
    const preparation = createPreparation()
    const doc = present()
    preparation.begin(doc, bundles)
    expect(preparation.take(doc, bundles.slice(0, 1))).toBe(undefined)
    preparation.begin(doc, bundles.slice(0, 1))
    expect(preparation.take(doc, bundles)).toBe(undefined)
  })

  test('counts for nothing when the document went on', () => {
    const preparation = createPreparation()
    const doc = present()
    preparation.begin(doc, bundles)
    const edited = A.change(doc, draft => A.splice(draft, ['text'], 0, 0, 'here'))
    expect(preparation.take(edited, bundles)).toBe(undefined)
  })

  test('is not worth a copy where it is little', () => {
    const preparation = createPreparation()
    const doc = present()
    const little = [{ ...(bundles[0] as OpenedContent), bytes: A.saveBundle(after, [A.decodeChange(halfway[0] as A.Change).hash]) }]
    preparation.begin(doc, little)
    expect(preparation.take(doc, little)).toBe(undefined)
    preparation.begin(doc, bundles)
    preparation.begin(doc, bundles) // again: nothing new
    expect(preparation.take(doc, bundles)).not.toBe(undefined)
  })

  test('is nothing where a bundle is none, or something in the document waits for what is not there', () => {
    const preparation = createPreparation()
    const torn = bundles.map(bundle => ({ ...bundle, bytes: bundle.bytes.slice(0, -1) }))
    const doc = present()
    preparation.begin(doc, torn)
    expect(preparation.take(doc, torn)).toBe(undefined)
    const [waiting] = A.applyChanges(present(), A.getChanges(before, after).slice(5_999))
    preparation.begin(waiting, bundles)
    expect(preparation.take(waiting, bundles)).toBe(undefined)
  })
})
