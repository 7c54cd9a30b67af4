import * as A from '@automerge/automerge'
import { Repo, type DocHandle } from '@automerge/automerge-repo'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bringBack } from './bring-back.ts'
import { MAX_CHECKPOINTS } from './checkpoints.ts'
import { reportOnLaptopAndDesk } from '../testing/history-cast.ts'

type Doc = Record<string, unknown>
const TEXT = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'ש', 'ל', '👩', '‍', '🇪', '🇺', '\n'), maxLength: 12 })
const SCALAR = fc.oneof(TEXT, fc.integer(), fc.boolean(), fc.constant(null), fc.uint8Array({ maxLength: 4 }))
const { tree: VALUE } = fc.letrec(tie => ({
  tree: fc.oneof({ depthSize: 'small' }, SCALAR, tie('map'), tie('list')),
  map: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'text'), tie('tree'), { maxKeys: 3, noNullPrototype: true }),
  list: fc.array(tie('tree'), { maxLength: 4 }),
}))
const EDIT = fc.oneof(
  fc.record({ kind: fc.constant('splice' as const), at: fc.nat(40), remove: fc.nat(8), text: TEXT }),
  fc.record({ kind: fc.constant('set' as const), path: fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }), value: VALUE }),
  fc.record({ kind: fc.constant('delete' as const), path: fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }) }),
)
type Edit = typeof EDIT extends fc.Arbitrary<infer Value> ? Value : never

function apply(handle: DocHandle<Doc>, edit: Edit): void {
  handle.change(doc => {
    if (edit.kind === 'splice') {
      const text = doc.text
      if (typeof text !== 'string') return
      const at = Math.min(edit.at, text.length)
      return A.splice(doc, ['text'], at, Math.min(edit.remove, text.length - at), edit.text)
    }
    let container = doc as Record<string | number, unknown>
    for (const step of edit.path.slice(0, -1)) {
      const inner = Object.values(container)[step]
      if (typeof inner !== 'object' || inner === null || inner instanceof Uint8Array) return
      container = inner as Record<string | number, unknown>
    }
    const last = edit.path.at(-1) as number
    const key = Array.isArray(container) ? Math.min(last, container.length) : (['a', 'b', 'c', 'text'][last] as string)
    if (edit.kind === 'set') container[key] = edit.value
    else if (Array.isArray(container)) container.splice(last, 1)
    else delete container[key]
  })
}

function handleOf(doc: Doc): DocHandle<Doc> {
  return new Repo({}).import<Doc>(A.save(A.from(doc)))
}

describe('reverting', () => {
  test('[C17] content equals the checkpoint after any edits to text and nested maps, and again after going back', () => {
    fc.assert(
      fc.property(TEXT, fc.array(EDIT, { maxLength: 6 }), fc.array(EDIT, { minLength: 1, maxLength: 8 }), (text, before, after) => {
        const handle = handleOf({ text, a: { b: { c: 1 } }, b: ['x', { c: 'y' }, 2] })
        for (const edit of before) apply(handle, edit)
        const [then, heads] = [A.toJS(handle.doc()), A.getHeads(handle.doc())]
        for (const edit of after) apply(handle, edit)
        const [later, laterHeads] = [A.toJS(handle.doc()), A.getHeads(handle.doc())]
        bringBack(handle, heads)
        expect(A.toJS(handle.doc())).toEqual(then)
        expect(A.hasHeads(handle.doc(), laterHeads)).toBe(true)
        bringBack(handle, laterHeads)
        expect(A.toJS(handle.doc())).toEqual(later)
      }),
      { numRuns: 150 },
    )
  })

  test('[C17] nothing is written where nothing differs', () => {
    const handle = handleOf({ text: 'same' })
    const heads = A.getHeads(handle.doc())
    expect(bringBack(handle as DocHandle<unknown>, heads)).toBe(false)
    expect(A.getHeads(handle.doc())).toEqual(heads)
  })

  test('[C18] text, draft and preference come back, and go again', async () => {
    const { here, handle, history } = await reportOnLaptopAndDesk('שלום world 👩‍👩‍👧')
    const draft = await here.drafts.create({ text: 'unsaved' })
    here.preferences.set('theme', 'dark')
    const checkpoint = await history.takeCheckpoint('manual')
    handle.change(doc => A.updateText(doc, ['text'], 'gone'))
    here.drafts.set(draft, 'changed')
    here.preferences.set('theme', 'light')
    const { before, changed } = await history.revert(checkpoint.id)
    expect(handle.doc().text).toBe('שלום world 👩‍👩‍👧')
    expect([here.drafts.get(draft)?.text, here.preferences.get('theme')]).toEqual(['unsaved', 'dark'])
    expect(changed).toHaveLength(3)
    expect(before.reason).toBe('before-revert')
    await history.revert(before.id)
    expect(handle.doc().text).toBe('gone')
    expect([here.drafts.get(draft)?.text, here.preferences.get('theme')]).toEqual(['changed', 'light'])
  })

  test('[C19] what desk types elsewhere meanwhile stays', async () => {
    const { history, handle, copy, meet } = await reportOnLaptopAndDesk('one two three')
    const checkpoint = await history.takeCheckpoint('manual')
    handle.change(doc => A.splice(doc, ['text'], 0, 3, 'ONE'))
    meet()
    copy.change(doc => A.splice(doc, ['text'], 13, 0, ' four'))
    await history.revert(checkpoint.id)
    meet()
    expect(handle.doc().text).toBe('one two three four')
    expect(copy.doc().text).toBe('one two three four')
  })

  test('[C20] a removed document comes back, a new one stays, views are left alone', async () => {
    const { here, history, document } = await reportOnLaptopAndDesk('one')
    await here.views.open({ document })
    const checkpoint = await history.takeCheckpoint('manual')
    const added = await here.documents.create({ title: 'Second', initial: { text: '' } })
    await here.documents.remove(document)
    await here.views.open({ document })
    await history.revert(checkpoint.id)
    expect(here.documents.list.peek().map(member => member.documentId)).toEqual([document, added.documentId])
    expect(here.views.layout().views).toHaveLength(2)
    await history.revert(checkpoint.id, { kinds: ['views'] })
    expect(here.views.layout().views).toHaveLength(1)
  })

  test('[C21] counters, dates, bytes, words and marks', () => {
    const handle = handleOf({
      count: new A.Counter(3),
      when: new Date(5),
      bytes: new Uint8Array([1, 2]),
      word: new A.ImmutableString('id'),
      text: 'bold word',
    })
    handle.change(doc => A.mark(doc, ['text'], { start: 0, end: 4, expand: 'none' }, 'bold', true))
    const [then, heads] = [A.toJS(handle.doc()), A.getHeads(handle.doc())]
    const marks = A.marks(handle.doc(), ['text'])
    handle.change(doc => {
      ;(doc.count as A.Counter).increment(4)
      Object.assign(doc, { when: new Date(9), bytes: new Uint8Array([3]), word: new A.ImmutableString('other') })
      A.splice(doc, ['text'], 0, 9, 'plain')
    })
    bringBack(handle, heads)
    expect(A.toJS(handle.doc())).toEqual(then)
    expect(A.marks(handle.doc(), ['text'])).toEqual(marks)
  })
})

describe('checkpoints', () => {
  test('[C1] desk has the checkpoint that laptop took, with the heads of every document', async () => {
    const { here, history, theirHistory, meet } = await reportOnLaptopAndDesk('one')
    const checkpoint = await history.takeCheckpoint('handoff')
    meet()
    expect(theirHistory.checkpoints()).toEqual([checkpoint])
    expect(Object.keys(checkpoint.heads)).toHaveLength((await here.manifest()).documents.length)
  })

  test('[C2] newest first, bounded', async () => {
    const { history } = await reportOnLaptopAndDesk('one')
    const taken: string[] = []
    for (let i = 0; i < MAX_CHECKPOINTS + 2; i++) taken.push((await history.takeCheckpoint('manual')).id)
    expect(history.checkpoints().map(checkpoint => checkpoint.id)).toEqual(taken.slice(2).toReversed())
  })

  test('[C3] an unknown one is named so', async () => {
    const { history } = await reportOnLaptopAndDesk('one')
    for (const unknown of [history.revert('x'), history.compare('toString'), history.conflicts({ since: 'x' })]) {
      await expect(unknown).rejects.toMatchObject({ code: 'CHECKPOINT_UNKNOWN' })
    }
  })

  test('[C4] a comparison counts; the texts are apart', async () => {
    const { history, handle, document } = await reportOnLaptopAndDesk('one two')
    const checkpoint = await history.takeCheckpoint('manual')
    handle.change(doc => A.splice(doc, ['text'], 0, 4, 'secret '))
    handle.change(doc => void Object.assign(doc, { stars: 5 }))
    const comparison = await history.compare(checkpoint.id)
    expect(comparison.find(each => each.documentId === document)).toEqual({
      documentId: document,
      kind: 'documents',
      inserted: 7,
      deleted: 4,
      changed: 1,
    })
    expect(JSON.stringify(comparison)).not.toContain('secret')
    expect(await history.textsSince(checkpoint.id, document)).toEqual({ before: 'one two', now: 'secret two' })
  })
})
