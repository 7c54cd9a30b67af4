import * as A from '@automerge/automerge'
import { describe, expect, test } from 'vitest'
import { bringTogether, createCastDevice, openEverywhere } from '../testing/session-cast.ts'
import type { Session } from './contract.ts'
import { MAX_CLOSED_DRAFTS } from './drafts.ts'

async function laptopAndDesk() {
  const [laptop, desk] = [createCastDevice(1), createCastDevice(2)]
  const [here, there] = (await openEverywhere('Report', laptop, desk)) as [Session, Session]
  const report = await here.documents.create({ title: 'First', initial: { text: 'one two three' } })
  bringTogether(laptop, desk)
  const copy = await there.documents.open<{ text: string }>(report.documentId)
  return { laptop, desk, here, there, document: report.documentId, handle: report.handle, copy }
}

describe('drafts', () => {
  test('[S21] laptop and desk type into one draft', async () => {
    const { laptop, desk, here, there } = await laptopAndDesk()
    const id = await here.drafts.create({ text: 'dear שלום' })
    bringTogether(laptop, desk)
    here.drafts.set(id, 'Oh dear שלום')
    there.drafts.set(id, 'dear שלום 👩‍👩‍👧')
    bringTogether(laptop, desk)
    expect(here.drafts.get(id)?.text).toBe('Oh dear שלום 👩‍👩‍👧')
    expect(there.drafts.list.peek()).toEqual(here.drafts.list.peek())
  })

  test('[S22] saving keeps what desk typed into the document meanwhile', async () => {
    const { laptop, desk, here, document, copy, handle } = await laptopAndDesk()
    const id = await here.drafts.create({ target: { mode: 'replace', document } })
    here.drafts.set(id, 'one 2 three')
    copy.change(doc => A.splice(doc, ['text'], 13, 0, ' four'))
    bringTogether(laptop, desk)
    await here.drafts.save(id)
    expect(handle.doc().text).toBe('one 2 three four')
    bringTogether(laptop, desk)
    expect(copy.doc().text).toBe('one 2 three four')
  })

  test('[S23] an inserted draft goes where its place is by now, as one change', async () => {
    const { laptop, desk, here, document, copy, handle } = await laptopAndDesk()
    const id = await here.drafts.create({ text: '2½ ', target: { mode: 'insert', document, at: 8 } })
    copy.change(doc => A.splice(doc, ['text'], 0, 0, 'zero '))
    bringTogether(laptop, desk)
    const heads = A.getHeads(handle.doc())
    await here.drafts.save(id)
    expect(handle.doc().text).toBe('zero one two 2½ three')
    expect(A.getChangesMetaSince(handle.doc(), heads)).toHaveLength(1)
  })

  test('[S23] a free draft is saved where it is told to', async () => {
    const { here, document, handle } = await laptopAndDesk()
    const id = await here.drafts.create({ text: 'zero ' })
    await expect(here.drafts.save(id)).rejects.toMatchObject({ code: 'DOCUMENT_UNKNOWN' })
    await here.drafts.save(id, { target: { mode: 'insert', document, at: 0 } })
    expect(handle.doc().text).toBe('zero one two three')
  })

  test('[S24] saved once, closed, and its text comes back on reopen', async () => {
    const { here, document, handle } = await laptopAndDesk()
    const id = await here.drafts.create({ text: '!', target: { mode: 'insert', document, at: 13 } })
    await Promise.all([here.drafts.save(id), here.drafts.save(id)])
    expect(handle.doc().text).toBe('one two three!')
    expect(here.drafts.list.peek()).toEqual([])
    const other = await here.drafts.create({ text: 'lost?' })
    here.drafts.discard(other)
    expect(here.drafts.get(other)).toMatchObject({ state: 'discarded', text: 'lost?' })
    here.drafts.reopen(other)
    expect(here.drafts.list.peek()).toMatchObject([{ id: other, text: 'lost?' }])
  })

  test('[S25] the oldest closed drafts go, open ones stay', async () => {
    const { here } = await laptopAndDesk()
    const open = await here.drafts.create({ text: 'open' })
    for (let i = 0; i < MAX_CLOSED_DRAFTS + 5; i++) here.drafts.discard(await here.drafts.create({ text: `${i}` }))
    expect(Object.keys(here.handles.drafts.doc().drafts)).toHaveLength(MAX_CLOSED_DRAFTS + 1)
    expect(here.drafts.get(open)?.text).toBe('open')
  })
})
