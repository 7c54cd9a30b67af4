/** A disk that takes nothing for a while, when it matters what is late. */
import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { beforeEach, expect, test } from 'vitest'
import { createDocumentCast, type DocumentCast, type DocumentDevice } from '../../testing/document-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../../testing/simulated-clock.ts'
import { GRACE_MS } from './contract.ts'

interface Note {
  text: string
}

let clock: SimulatedClock
let cast: DocumentCast
let laptop: DocumentDevice
let desk: DocumentDevice
let phone: DocumentDevice
let note: DocHandle<Note>
let other: DocHandle<Note>

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createDocumentCast(clock, { withLog: true })
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  phone = await cast.join('phone')
  note = await within(laptop.documents.create<Note>(doc => void (doc.text = 'a')))
  other = await within(laptop.documents.create<Note>(doc => void (doc.text = 'x')))
  await meet(laptop, desk)
  await meet(laptop, phone)
})

function within<T>(work: Promise<T>): Promise<T> {
  return clock.during(work, 50)
}

async function meet(...pair: Parameters<DocumentCast['link']>): Promise<void> {
  const link = cast.link(...pair)
  await clock.advance(5_000)
  link.cut()
}

async function type(device: DocumentDevice, { documentId }: DocHandle<Note>, text: string): Promise<void> {
  const handle = await within(device.documents.open<Note>(documentId))
  handle.change(doc => A.splice(doc, ['text'], doc.text.length, 0, text))
}

const textOn = async ({ documents }: DocumentDevice): Promise<string> => (await within(documents.open<Note>(note.documentId))).doc().text
const listedOn = ({ documents }: DocumentDevice): number => documents.late?.list.peek().length ?? 0
const FULL = new Error('no space left')

test('[D50] what a full disk kept from being looked at and signed is, when there is room again, without a restart', async () => {
  laptop.records.failWrites(FULL)
  laptop.group.remove(phone.id, { time: clock.now() })
  await type(phone, note, 'b')
  await meet(phone, laptop)
  await clock.advance(GRACE_MS)
  expect(listedOn(laptop)).toBe(0)

  laptop.records.failWrites(undefined)
  await clock.advance(2 * GRACE_MS)
  expect(listedOn(laptop)).toBe(1)
  await meet(laptop, desk)
  await clock.advance(2 * GRACE_MS)
  expect(listedOn(desk)).toBe(1)
  expect(await textOn(desk)).toBe('a')
})

test('[D50] what could not be looked at does not count as looked at, whatever is meanwhile', async () => {
  laptop.records.failWrites(FULL)
  laptop.group.remove(phone.id, { time: clock.now() })
  await type(phone, note, 'b')
  await meet(phone, laptop)
  laptop.records.failWrites(undefined)
  await type(phone, other, 'y')
  await meet(phone, laptop)
  await within(laptop.documents.evict(note.documentId))
  expect(await textOn(laptop)).toBe('a')
  await clock.advance(3 * GRACE_MS)
  expect(listedOn(laptop)).toBe(2)
})

test('[D50] nor does what could not be noted down, after a restart', async () => {
  laptop.group.remove(phone.id, { time: clock.now() })
  await clock.advance(GRACE_MS)
  laptop.records.failWrites(FULL)
  await type(phone, note, 'b')
  await meet(phone, laptop)
  laptop.records.failWrites(undefined)
  await type(phone, other, 'y')
  await meet(phone, laptop)
  await cast.restart(laptop)
  expect(await textOn(laptop)).toBe('a')
  await clock.advance(3 * GRACE_MS)
  expect(listedOn(laptop)).toBe(2)
})
