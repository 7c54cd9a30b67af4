/** All devices list the same as built on, whatever they had open, and after a restart. */
import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { beforeEach, expect, test } from 'vitest'
import { createDocumentCast, type DocumentCast, type DocumentDevice } from '../../testing/document-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../../testing/simulated-clock.ts'
import { GRACE_MS, type LateEdit } from './contract.ts'

interface Note {
  text: string
}

let clock: SimulatedClock
let cast: DocumentCast
let laptop: DocumentDevice
let desk: DocumentDevice
let phone: DocumentDevice
let note: DocHandle<Note>

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createDocumentCast(clock, { withLog: true })
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  phone = await cast.join('phone')
  note = await within(laptop.documents.create<Note>(doc => void (doc.text = 'a')))
  await meet(laptop, desk)
  await meet(laptop, phone)
})

function within<T>(work: Promise<T>): Promise<T> {
  return clock.during(work, 50)
}

async function meet(a: DocumentDevice, b: DocumentDevice, ms = 5_000): Promise<void> {
  const link = cast.link(a, b)
  await clock.advance(ms)
  link.cut()
}

const open = ({ documents }: DocumentDevice): Promise<DocHandle<Note>> => within(documents.open<Note>(note.documentId))
const type = (handle: DocHandle<Note>, text: string): void => handle.change(doc => A.splice(doc, ['text'], doc.text.length, 0, text))
const rest = (): Promise<void> => clock.advance(2 * GRACE_MS)
const lateOn = ({ documents }: DocumentDevice): readonly LateEdit[] => documents.late?.list.peek() ?? []

test('[D36] what nobody claims is not listed for a removed device that did not know its key', async () => {
  const tablet = await cast.join('tablet')
  await meet(laptop, desk)
  laptop.group.remove(phone.id, { time: clock.now() })
  await meet(laptop, desk)
  await rest()
  const desks = await open(desk)
  await cast.restart(laptop)
  const fresh = await open(laptop) // nothing that it writes from here on is claimed yet
  const link = cast.link(laptop, desk)
  await clock.advance(100)
  type(fresh, ' honest')
  await clock.advance(100)
  laptop.group.remove(tablet.id, { time: clock.now() })
  await clock.advance(100) // neither its claim nor its keep is written yet
  link.cut()
  await cast.restart(laptop)
  expect(desks.doc().text).toBe('a honest')
  await rest()
  await meet(laptop, desk)
  await rest()
  expect((await open(laptop)).doc().text).toBe('a honest')
  expect(lateOn(desk)).toEqual([])
  expect(lateOn(laptop)).toEqual([])
})

test('[D36] [D42] what is built on is listed again after a restart, also while nobody opens it', async () => {
  const desks = await open(desk)
  const theirs = await open(phone)
  laptop.group.remove(phone.id, { time: clock.now() })
  type(theirs, ' LATE')
  await meet(phone, desk)
  type(desks, ' on top')
  await clock.advance(2_000)
  await meet(laptop, desk)
  await rest()
  const listed = lateOn(laptop)
  expect(listed).toMatchObject([{ kind: 'built-on', author: phone.id }])
  for (const device of [laptop, desk]) {
    await cast.restart(device)
    await rest()
    expect(lateOn(device)).toEqual(listed)
  }
})
