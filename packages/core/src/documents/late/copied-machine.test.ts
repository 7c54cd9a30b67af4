import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { expect, test } from 'vitest'
import { createDocumentCast, type DocumentDevice } from '../../testing/document-cast.ts'
import { createSimulatedClock } from '../../testing/simulated-clock.ts'
import { GRACE_MS } from './contract.ts'

interface Note {
  text: string
}

test('[D47] what a device held is taken everywhere, although a copy of it removed the author sooner and says less under its name', async () => {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createDocumentCast(clock, { withLog: true })
  const [laptop, desk, phone] = [await cast.join('laptop'), await cast.join('desk'), await cast.join('phone')]
  const within = <T>(work: Promise<T>): Promise<T> => clock.during(work, 50)
  const meet = async (a: DocumentDevice, b: DocumentDevice): Promise<void> => {
    const link = cast.link(a, b)
    await clock.advance(5_000)
    link.cut()
  }
  const open = ({ documents }: DocumentDevice): Promise<DocHandle<Note>> => within(documents.open<Note>(note.documentId))
  const type = (handle: DocHandle<Note>, text: string): void => handle.change(doc => A.splice(doc, ['text'], doc.text.length, 0, text))
  const note = await within(laptop.documents.create<Note>(doc => void (doc.text = 'a')))
  await meet(laptop, desk)
  await meet(laptop, phone)
  const theirs = await open(phone)
  const copy = await cast.copy(laptop)
  copy.group.remove(phone.id, { time: clock.now() })
  await meet(copy, desk)
  type(theirs, 'b')
  await meet(phone, laptop)
  expect(note.doc().text).toBe('ab')
  for (let i = 0; i < 2; i++) {
    await meet(laptop, desk)
    await clock.advance(2 * GRACE_MS)
  }
  expect((await open(desk)).doc().text).toBe('ab')
  expect(desk.documents.late?.list.peek()).toEqual(laptop.documents.late?.list.peek())
  // The copy has its own word overwritten, and adds to it nothing that it did not hold.
  await meet(copy, desk)
  await clock.advance(2 * GRACE_MS)
  expect((await open(copy)).doc().text).toBe('ab')
})
