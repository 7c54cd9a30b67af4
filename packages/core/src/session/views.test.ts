import * as A from '@automerge/automerge'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bringTogether, createCastDevice, openEverywhere } from '../testing/session-cast.ts'
import type { Session } from './contract.ts'
import { pointAt, positionOf } from './points.ts'
import { VIEW_WRITE_MS } from './views.ts'

const TEXT = 'one שלום 👩‍👩‍👧 two'

async function laptopAndDesk(text: string = TEXT) {
  const [laptop, desk] = [createCastDevice(1), createCastDevice(2)]
  const [here, there] = (await openEverywhere('Report', laptop, desk)) as [Session, Session]
  const report = await here.documents.create({ title: 'First', initial: { text } })
  bringTogether(laptop, desk)
  const copy = await there.documents.open<{ text: string }>(report.documentId)
  return { laptop, desk, here, there, document: report.documentId, handle: report.handle, copy }
}

describe('views', () => {
  test('[S16] a selection stays on its words while desk types before, inside and behind', async () => {
    const { laptop, desk, here, document, copy, handle } = await laptopAndDesk()
    const from = TEXT.indexOf('two')
    await here.views.open({ document, selection: { anchor: from, head: from + 3 } })
    copy.change(doc => A.splice(doc, ['text'], 0, 4, '🇪🇺 '))
    copy.change(doc => A.splice(doc, ['text'], copy.doc().text.length, 0, '!!'))
    bringTogether(laptop, desk)
    const { selection } = here.views.layout().views[0] ?? {}
    expect(handle.doc().text.slice(selection?.anchor, selection?.head)).toBe('two')
  })

  test('[S16] points survive any concurrent edits, deletions around them included', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'ש', '👩', '\n', '🇪🇺'), minLength: 1, maxLength: 20 })
    const edits = fc.array(fc.record({ at: fc.nat(30), remove: fc.nat(6), insert: text }), { maxLength: 8 })
    fc.assert(
      fc.property(text, fc.nat(40), edits, (start, somewhere, others) => {
        const laptop = A.from({ text: `${start}|${start}` })
        let desk = A.clone(laptop)
        const mark = laptop.text.indexOf('|')
        const point = pointAt(laptop, ['text'], mark + 1) as string
        for (const { at, remove, insert } of others) {
          // Everything but the marked character may go.
          desk = A.change(desk, doc => {
            const bar = doc.text.indexOf('|')
            const position = at % (doc.text.length + 1)
            const room = position <= bar ? bar - position : doc.text.length - position
            A.splice(doc, ['text'], position, Math.min(remove, room), insert)
          })
        }
        const merged = A.merge(A.clone(laptop), desk)
        fc.pre(merged.text.includes('|'))
        expect(merged.text[(positionOf(merged, ['text'], point) as number) - 1]).toBe('|')
        const any = pointAt(laptop, ['text'], somewhere)
        const position = positionOf(merged, ['text'], any as string) as number
        expect(position).toBeGreaterThanOrEqual(0)
        expect(position).toBeLessThanOrEqual(merged.text.length)
      }),
      { numRuns: 300 },
    )
  })

  test('[S16] where the characters are gone, the selection stands where they were', async () => {
    const { laptop, desk, here, document, copy } = await laptopAndDesk('abcdef')
    await here.views.open({ document, selection: { anchor: 2, head: 4 } })
    copy.change(doc => A.splice(doc, ['text'], 1, 4))
    bringTogether(laptop, desk)
    expect(here.views.layout().views[0]?.selection).toEqual({ anchor: 1, head: 1 })
  })

  test('[S17] a caret at the end stays when desk appends', async () => {
    const { laptop, desk, here, document, copy } = await laptopAndDesk('end👩')
    await here.views.open({ document, selection: { anchor: 5, head: 5 } })
    copy.change(doc => A.splice(doc, ['text'], 5, 0, ' and more'))
    bringTogether(laptop, desk)
    expect(here.views.layout().views[0]?.selection).toEqual({ anchor: 5, head: 5 })
  })

  test('[S18] two devices that move at the same time keep their own layouts', async () => {
    const { laptop, desk, here, there, document } = await laptopAndDesk()
    const mine = await here.views.open({ document, selection: { anchor: 1, head: 1 } })
    const theirs = await there.views.open({ document, selection: { anchor: 5, head: 5 } })
    bringTogether(laptop, desk)
    expect(here.views.layout().views.map(view => view.id)).toEqual([mine])
    expect(there.views.layout().views.map(view => view.id)).toEqual([theirs])
    expect(here.views.layout().views[0]?.selection?.head).toBe(1)
    expect(there.views.layout().views[0]?.selection?.head).toBe(5)
  })

  test('[S19] adopting restores views, order, cursor, scroll, pane and focus', async () => {
    const { laptop, desk, here, there, document } = await laptopAndDesk()
    const first = await here.views.open({ document, selection: { anchor: 3, head: 7 }, scroll: { top: 4, fraction: 0.25 }, pane: 1 })
    await here.views.open({ document, scroll: { fraction: 0.5 } })
    here.views.focus(first)
    await there.views.open({ document, selection: { anchor: 0, head: 0 } }) // desk moved last, laptop drives
    bringTogether(laptop, desk)
    const adopted = await there.views.adopt()
    expect(adopted?.views).toEqual(here.views.layout().views)
    expect(adopted?.views[1]).toMatchObject({ selection: { anchor: 3, head: 7 }, scroll: { top: 4, fraction: 0.25 }, pane: 1 })
    expect(adopted?.focus).toBe(first)
  })

  test('[S19] while the driver shows nothing, the layout moved last travels', async () => {
    const { laptop, desk, here, there, document } = await laptopAndDesk()
    expect(await here.views.travelling()).toBeUndefined()
    await there.views.open({ document })
    bringTogether(laptop, desk)
    expect((await here.views.travelling())?.device).toBe(desk.id)
  })

  test('[S20] many moves are one write, in time or on flush; none is none', async () => {
    const { laptop, here, document } = await laptopAndDesk()
    const id = await here.views.open({ document, selection: { anchor: 0, head: 0 } })
    const changes = (): number => A.getChangesMetaSince(here.handles.views.doc(), []).length
    const before = changes()
    for (let head = 1; head < 10; head++) here.views.update(id, { selection: { anchor: head, head } })
    expect(changes()).toBe(before)
    expect(here.views.layout().views[0]?.selection?.head).toBe(9)
    laptop.clock.advance(VIEW_WRITE_MS)
    expect(changes()).toBe(before + 1)
    here.views.update(id, { selection: { anchor: 9, head: 9 } })
    await here.flush()
    expect(changes()).toBe(before + 1)
    here.views.update(id, { selection: { anchor: 2, head: 2 } })
    await here.flush()
    expect(changes()).toBe(before + 2)
  })

  test('[S20] a move not written yet follows what is typed meanwhile', async () => {
    const { laptop, here, document, handle } = await laptopAndDesk('abc')
    const id = await here.views.open({ document, selection: { anchor: 0, head: 0 } })
    here.views.update(id, { selection: { anchor: 2, head: 2 } })
    handle.change(doc => A.splice(doc, ['text'], 0, 0, '>>'))
    laptop.clock.advance(VIEW_WRITE_MS)
    expect(here.views.layout().views[0]?.selection?.head).toBe(4)
  })
})
