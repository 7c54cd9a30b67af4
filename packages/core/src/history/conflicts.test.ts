import * as A from '@automerge/automerge'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EXCERPT_CHARACTERS } from './conflicts.ts'
import { createHistory } from './history.ts'
import { reportOnLaptopAndDesk } from '../testing/history-cast.ts'
import { applyEdits, oneEdit, textEdits } from './text-edits.ts'

describe('text', () => {
  test('[C5] both replace the same word: one conflict with both sides and what was there', async () => {
    const { history, handle, copy, meet } = await reportOnLaptopAndDesk('one two three')
    handle.change(doc => A.splice(doc, ['text'], 4, 3, 'zwei'))
    copy.change(doc => A.splice(doc, ['text'], 4, 3, 'deux'))
    meet()
    const [conflict, ...others] = await history.conflicts()
    expect(others).toEqual([])
    expect(conflict).toMatchObject({ kind: 'text', base: 'two', path: ['text'], documentKind: 'documents', suggested: 'both' })
    expect(conflict?.ours.excerpt).toBe('zwei')
    expect(conflict?.theirs.excerpt).toBe('deux')
  })

  test('[C22] each side names its device; without claims nobody', async () => {
    const { laptop, desk, here, document, history, handle, copy, meet } = await reportOnLaptopAndDesk('one two three')
    handle.change(doc => A.splice(doc, ['text'], 4, 3, 'zwei'))
    copy.change(doc => A.splice(doc, ['text'], 4, 3, 'deux'))
    meet()
    const actors = new Map([
      [A.getActorId(handle.doc()), laptop.identity.id],
      [A.getActorId(copy.doc()), desk.identity.id],
    ])
    const telemetry = { record: () => undefined }
    const knowing = createHistory({ ...laptop, session: here, telemetry, authors: async id => (id === document ? actors : new Map()) })
    const [named] = await knowing.conflicts()
    expect([named?.ours.author, named?.theirs.author]).toEqual([laptop.identity.id, desk.identity.id])
    const [unnamed] = await history.conflicts()
    expect([unnamed?.ours.author, unnamed?.theirs.author]).toEqual([undefined, undefined])
  })

  test.each([
    ['both append', 13, 13, 1],
    ['edits side by side', 3, 3, 1],
    ['edits apart', 0, 13, 0],
  ])('[C5] %s', async (_, ourPlace, theirPlace, count) => {
    const { history, handle, copy, meet } = await reportOnLaptopAndDesk('one two three')
    handle.change(doc => A.splice(doc, ['text'], ourPlace, 0, '👩‍👩‍👧'))
    copy.change(doc => A.splice(doc, ['text'], theirPlace, 0, 'שלום'))
    meet()
    expect(await history.conflicts()).toHaveLength(count)
  })

  test('[C5] one after the other is none, both deleting the same is none', async () => {
    const { history, handle, copy, meet } = await reportOnLaptopAndDesk('one two three')
    handle.change(doc => A.splice(doc, ['text'], 4, 3, 'zwei'))
    meet()
    copy.change(doc => A.splice(doc, ['text'], 4, 4, 'deux'))
    meet()
    handle.change(doc => A.splice(doc, ['text'], 0, 4))
    copy.change(doc => A.splice(doc, ['text'], 0, 4))
    meet()
    expect(await history.conflicts()).toEqual([])
  })

  test('[C5] many keystrokes on either side are still one conflict per place', async () => {
    const { history, handle, copy, meet } = await reportOnLaptopAndDesk('line\n'.repeat(50))
    for (const [place, text] of [
      [0, 'start'],
      [250, 'end'],
    ] as const) {
      for (const [i, letter] of Array.from(text).entries())
        handle.change(doc => A.splice(doc, ['text'], (place === 0 ? 0 : doc.text.length - i) + i, 0, letter))
      for (const [i, letter] of Array.from(text).entries())
        copy.change(doc => A.splice(doc, ['text'], (place === 0 ? 0 : doc.text.length - i) + i, 0, letter.toUpperCase()))
    }
    meet()
    expect((await history.conflicts()).map(conflict => conflict.ours.excerpt).sort()).toEqual(['end', 'start'])
  })

  test('[C16] stretches applied to the text before give the text after', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'ש', '👩', '\n'), maxLength: 15 })
    const edits = fc.array(fc.record({ at: fc.nat(20), remove: fc.nat(6), insert: text }), { maxLength: 6 })
    fc.assert(
      fc.property(text, edits, (before, changes) => {
        let doc = A.from({ text: before })
        const heads = A.getHeads(doc)
        for (const { at, remove, insert } of changes) {
          const place = at % (doc.text.length + 1)
          doc = A.change(doc, draft => A.splice(draft, ['text'], place, Math.min(remove, draft.text.length - place), insert))
        }
        for (const [from, to, start, end] of [
          [heads, A.getHeads(doc), before, doc.text],
          [A.getHeads(doc), heads, doc.text, before],
        ] as const) {
          const found = textEdits(start, end, A.diff(doc, [...from], [...to]), ['text'])
          expect(applyEdits(start, found)).toBe(end)
          found.forEach((edit, i) => expect(edit.from).toBeGreaterThan(found[i - 1]?.to ?? -1))
        }
        expect(applyEdits(before, oneEdit(before, doc.text))).toBe(doc.text)
      }),
      { numRuns: 300 },
    )
  })
})

describe('values and the session', () => {
  test('[C7] a preference, a title and a list item set differently', async () => {
    const { history, here, there, handle, copy, meet } = await reportOnLaptopAndDesk('one', { list: [1, 2] })
    here.preferences.set('theme', 'dark')
    there.preferences.set('theme', 'light')
    here.preferences.set('size', 12)
    there.preferences.set('size', 12)
    here.rename('Mine')
    there.rename('Theirs')
    handle.change(doc => void ((doc.list as number[])[1] = 20))
    copy.change(doc => void ((doc.list as number[])[1] = 30))
    meet()
    const conflicts = await history.conflicts()
    expect(
      conflicts.map(conflict => [conflict.documentKind, conflict.path.join('.'), conflict.ours.excerpt, conflict.theirs.excerpt]),
    ).toEqual([
      ['session', 'title', 'Mine', 'Theirs'],
      ['documents', 'list.1', '20', '30'],
      ['preferences', 'values.theme', 'dark', 'light'],
    ])
  })

  test('[C8] removed here and edited there: listed, and comes back', async () => {
    const { history, theirHistory, here, there, copy, document, meet } = await reportOnLaptopAndDesk('one')
    await here.documents.remove(document)
    copy.change(doc => A.splice(doc, ['text'], 3, 0, ' more'))
    meet()
    const [conflict] = await history.conflicts()
    expect(conflict).toMatchObject({
      kind: 'removed-and-edited',
      ours: { did: 'removed' },
      theirs: { excerpt: 'one more' },
      suggested: 'both',
    })
    await history.accept(conflict?.id ?? '')
    meet()
    expect(there.documents.list.peek().map(member => member.documentId)).toEqual([document])
    expect(await theirHistory.conflicts()).toEqual([])
  })

  test('[C8] removed without an edit is no conflict; staying removed settles it', async () => {
    const { history, theirHistory, here, there, copy, document, meet } = await reportOnLaptopAndDesk('one')
    await here.documents.remove(document)
    meet()
    expect(await history.conflicts()).toEqual([])
    copy.change(doc => A.splice(doc, ['text'], 3, 0, ' more'))
    meet()
    const [conflict] = await theirHistory.conflicts()
    await theirHistory.choose(conflict?.id ?? '', 'theirs')
    meet()
    expect(await history.conflicts()).toEqual([])
    expect(there.documents.list.peek()).toEqual([])
  })

  test('[C8] a draft discarded here and typed into there', async () => {
    const { history, here, there, meet } = await reportOnLaptopAndDesk('one')
    const draft = await here.drafts.create({ text: 'dear' })
    meet()
    here.drafts.discard(draft)
    there.drafts.set(draft, 'dear שלום')
    meet()
    const [conflict, ...others] = await history.conflicts()
    expect(others).toEqual([])
    expect(conflict).toMatchObject({ kind: 'removed-and-edited', documentKind: 'drafts', theirs: { excerpt: 'dear שלום' } })
    await history.accept(conflict?.id ?? '')
    meet()
    expect(there.drafts.list.peek()).toMatchObject([{ id: draft, text: 'dear שלום' }])
  })

  test('[C9] two took over: listed on both until one takes over after both', async () => {
    const { history, theirHistory, laptop, desk, here, there, meet } = await reportOnLaptopAndDesk('one')
    here.writeClaim({ counter: 2, device: laptop.id, kind: 'taken', time: 0 })
    there.writeClaim({ counter: 2, device: desk.id, kind: 'taken', time: 0 })
    meet()
    const [conflict] = await history.conflicts()
    expect(conflict).toMatchObject({ kind: 'two-drivers', ours: { author: laptop.id }, theirs: { author: desk.id } })
    expect((await theirHistory.conflicts())[0]?.id).toBe(conflict?.id)
    const [loser, loserHistory] = here.driver.peek() === laptop.id ? [desk, theirHistory] : [laptop, history]
    await loserHistory.choose(conflict?.id ?? '', 'ours')
    meet()
    expect([here.driver.peek(), there.driver.peek()]).toEqual([loser.id, loser.id])
    expect(await history.conflicts()).toEqual([])
  })
})

describe('settling', () => {
  test('[C10] the same ids on both devices for any concurrent edits, each from its own side, and a choice removes them everywhere', async () => {
    const edit = fc.record({ at: fc.nat(20), remove: fc.nat(5), insert: fc.constantFrom('', 'a', 'שלום', '👩‍👩‍👧') })
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 4 }), fc.array(edit, { maxLength: 4 }), async (ours, theirs) => {
        const { history, theirHistory, handle, copy, meet } = await reportOnLaptopAndDesk('one two three')
        for (const [target, edits] of [
          [handle, ours],
          [copy, theirs],
        ] as const) {
          for (const { at, remove, insert } of edits) {
            target.change(doc => {
              const place = at % (doc.text.length + 1)
              A.splice(doc, ['text'], place, Math.min(remove, doc.text.length - place), insert)
            })
          }
        }
        meet()
        const [mine, others] = [await history.conflicts(), await theirHistory.conflicts()]
        expect(others.map(conflict => conflict.id).sort()).toEqual(mine.map(conflict => conflict.id).sort())
        for (const conflict of mine) {
          const there = others.find(other => other.id === conflict.id)
          expect([there?.theirs.excerpt, there?.ours.excerpt]).toEqual([conflict.ours.excerpt, conflict.theirs.excerpt])
        }
        for (const { id } of mine) await history.accept(id)
        meet()
        expect(await theirHistory.conflicts()).toEqual([])
        expect(copy.doc().text).toBe(handle.doc().text)
      }),
      { numRuns: 30 },
    )
  })

  test.each([
    ['ours', 'one zwei three'],
    ['theirs', 'one deux three'],
    ['text', 'one שתיים three'],
  ] as const)('[C11] text: %s', async (choice, result) => {
    const { history, theirHistory, handle, copy, meet } = await reportOnLaptopAndDesk('one two three')
    handle.change(doc => A.splice(doc, ['text'], 4, 3, 'zwei'))
    copy.change(doc => A.splice(doc, ['text'], 4, 3, 'deux'))
    meet()
    const [conflict] = await history.conflicts()
    const heads = A.getHeads(handle.doc())
    await history.choose(conflict?.id ?? '', choice === 'text' ? { text: 'שתיים' } : choice)
    meet()
    expect([handle.doc().text, copy.doc().text]).toEqual([result, result])
    expect(A.getChangesMetaSince(handle.doc(), heads)).toHaveLength(1)
    expect(await theirHistory.conflicts()).toEqual([])
  })

  test('[C11] text: accepting keeps both', async () => {
    const { history, handle, copy, meet } = await reportOnLaptopAndDesk('list:')
    handle.change(doc => A.splice(doc, ['text'], 5, 0, ' milk'))
    copy.change(doc => A.splice(doc, ['text'], 5, 0, ' eggs'))
    meet()
    await history.accept((await history.conflicts())[0]?.id ?? '')
    expect(handle.doc().text.length).toBe('list: milk eggs'.length)
    expect(await history.conflicts()).toEqual([])
  })

  test('[C11] text: both wrote the same, accepting keeps one', async () => {
    const { history, handle, copy, meet } = await reportOnLaptopAndDesk('list:')
    for (const target of [handle, copy]) target.change(doc => A.splice(doc, ['text'], 5, 0, ' milk'))
    meet()
    const [conflict] = await history.conflicts()
    expect(conflict).toMatchObject({ because: 'same-on-both', now: ' milk milk' })
    await history.accept(conflict?.id ?? '')
    expect(handle.doc().text).toBe('list: milk')
  })

  test.each(['ours', 'theirs', 'both', 'text'] as const)('[C11] value: %s', async choice => {
    const { history, theirHistory, here, there, meet } = await reportOnLaptopAndDesk('one')
    here.preferences.set('theme', 'dark')
    there.preferences.set('theme', 'light')
    meet()
    const [conflict] = await history.conflicts()
    await history.choose(conflict?.id ?? '', choice === 'text' ? { text: 'blue' } : choice)
    meet()
    const expected = { ours: 'dark', theirs: 'light', both: 'dark\nlight', text: 'blue' }[choice]
    expect([here.preferences.get('theme'), there.preferences.get('theme')]).toEqual([expected, expected])
    expect(await theirHistory.conflicts()).toEqual([])
  })

  test('[C12] settled stays settled while either goes on; a new and a late one are listed', async () => {
    const { history, handle, copy, meet, laptop } = await reportOnLaptopAndDesk('one two three')
    const base = A.clone(handle.doc())
    handle.change(doc => A.splice(doc, ['text'], 4, 3, 'zwei'))
    copy.change(doc => A.splice(doc, ['text'], 4, 3, 'deux'))
    meet()
    await history.choose((await history.conflicts())[0]?.id ?? '', 'ours')
    meet()
    copy.change(doc => A.splice(doc, ['text'], 5, 0, 'X'))
    meet()
    expect(await history.conflicts()).toEqual([])
    handle.change(doc => A.splice(doc, ['text'], 0, 0, 'A'))
    copy.change(doc => A.splice(doc, ['text'], 0, 0, 'B'))
    meet()
    expect(await history.conflicts()).toHaveLength(1)
    await history.accept((await history.conflicts())[0]?.id ?? '')
    laptop.receive(handle.documentId, A.save(A.change(base, doc => A.splice(doc, ['text'], 4, 3, 'tres'))))
    expect((await history.conflicts()).map(conflict => [conflict.ours.excerpt, conflict.theirs.excerpt].includes('tres'))).toContain(true)
  })

  test('[C13] unknown conflicts and choices that are not offered change nothing', async () => {
    const { history, here, there, meet } = await reportOnLaptopAndDesk('one')
    here.preferences.set('size', 12)
    there.preferences.set('size', 14)
    meet()
    const heads = A.getHeads(here.handles.preferences.doc())
    const [conflict] = await history.conflicts()
    await expect(history.accept('value-none')).rejects.toMatchObject({ code: 'CONFLICT_UNKNOWN' })
    await expect(history.choose(conflict?.id ?? '', 'both')).rejects.toThrow(RangeError)
    expect(A.getHeads(here.handles.preferences.doc())).toEqual(heads)
    expect(await history.conflicts()).toHaveLength(1)
  })

  test('[C14] excerpts are bounded, and what is recorded has no content', async () => {
    const { history, handle, copy, meet, recorded } = await reportOnLaptopAndDesk('')
    handle.change(doc => A.splice(doc, ['text'], 0, 0, 'secret'.repeat(1_000)))
    copy.change(doc => A.splice(doc, ['text'], 0, 0, 'hidden'.repeat(1_000)))
    meet()
    const [conflict] = await history.conflicts()
    expect(conflict?.ours.excerpt.length).toBe(EXCERPT_CHARACTERS)
    await history.choose(conflict?.id ?? '', 'ours')
    expect(handle.doc().text).toBe('secret'.repeat(1_000))
    expect(recorded).toMatchObject([{ type: 'merge-decided', conflicts: 1, decision: 'chosen' }])
    expect(JSON.stringify(recorded)).not.toContain('secret')
  })

  test('[C15] since a checkpoint, only what came after', async () => {
    const { history, handle, copy, here, there, meet } = await reportOnLaptopAndDesk('one two')
    const diverge = (word: string): void => {
      handle.change(doc => A.splice(doc, ['text'], 0, 0, word))
      copy.change(doc => A.splice(doc, ['text'], 0, 0, word.toUpperCase()))
      here.preferences.set(word, 1)
      there.preferences.set(word, 2)
      meet()
    }
    diverge('first')
    const checkpoint = await history.takeCheckpoint('before-merge')
    meet()
    expect(await history.conflicts({ since: checkpoint.id })).toEqual([])
    diverge('second')
    const since = await history.conflicts({ since: checkpoint.id })
    expect(since.map(conflict => conflict.kind).sort()).toEqual(['text', 'value'])
    expect(await history.conflicts()).toHaveLength(4)
    expect(await history.conflicts({ kinds: ['preferences'] })).toHaveLength(2)
  })
})
