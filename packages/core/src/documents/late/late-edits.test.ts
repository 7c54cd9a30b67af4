import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { beforeEach, expect, test } from 'vitest'
import { createDocumentCast, type DocumentCast, type DocumentDevice } from '../../testing/document-cast.ts'
import { createMemoryRecordStore } from '../../testing/memory-record-store.ts'
import { createSimulatedClock, type SimulatedClock } from '../../testing/simulated-clock.ts'
import { GRACE_MS, type LateEdit } from './contract.ts'
import { createBlindDevice } from '../../testing/blind-device.ts'

interface Note {
  text: string
}

let clock: SimulatedClock
let cast: DocumentCast
let laptop: DocumentDevice
let desk: DocumentDevice
let phone: DocumentDevice

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createDocumentCast(clock, { withLog: true })
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
  phone = await cast.join('phone')
})

function within<T>(work: Promise<T>): Promise<T> {
  return clock.during(work, 50)
}

const openNote = (device: DocumentDevice, like: DocHandle<Note>): Promise<DocHandle<Note>> =>
  within(device.documents.open<Note>(like.documentId))
const type = (handle: DocHandle<Note>, text: string): void => handle.change(doc => A.splice(doc, ['text'], doc.text.length, 0, text))
const remove = (by: DocumentDevice, target: DocumentDevice): void => void by.group.remove(target.id, { time: clock.now() })
/** Long enough for keeps, claims and the grace of what has none. */
const rest = (): Promise<void> => clock.advance(2 * GRACE_MS)
const lateOn = (device: DocumentDevice): readonly LateEdit[] => device.documents.late?.list.peek() ?? []

/** Links devices for a while, one after another. */
async function meet(...pairs: readonly (readonly [DocumentDevice, DocumentDevice])[]): Promise<void> {
  const links = pairs.map(([a, b]) => cast.link(a, b))
  await clock.advance(5_000)
  for (const link of links) link.cut()
}

/** A note that all three have, the phone's last words included. */
async function noteOnAll(text = 'a'): Promise<DocHandle<Note>> {
  const note = await within(laptop.documents.create<Note>(doc => void (doc.text = '')))
  type(note, text)
  await meet([laptop, desk], [laptop, phone], [desk, phone])
  return note
}

test('[D34] what was held when a removal was learned stays, whoever wrote it, and costs nothing to open', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  type(theirs, 'b')
  await meet([phone, laptop])
  remove(laptop, phone)
  expect(note.doc().text).toBe('ab')
  await within(laptop.documents.evict(note.documentId))
  expect((await openNote(laptop, note)).doc().text).toBe('ab')
  await rest()
  expect(lateOn(laptop)).toEqual([])
})

test('[D34] so does what had come and was not applied yet', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  const { monotonic } = clock
  let workedMs = 0
  clock.monotonic = () => monotonic() + workedMs
  note.on('change', () => (workedMs += 50)) // as slow as that, so what comes next is gathered for a while
  let held = 0
  laptop.replica.subscribe({
    onArrived(chunks) {
      if (laptop.group.removalOf(phone.id) !== undefined) return
      held += chunks.filter(chunk => chunk.class === 'commit').length
      if (held > 1) remove(laptop, phone)
    },
  })
  const link = cast.link(phone, laptop)
  await clock.advance(1_000)
  for (const letter of 'bcd') {
    type(theirs, letter)
    await clock.advance(1)
  }
  link.cut()
  await rest()
  expect(note.doc().text).toHaveLength(1 + held)
  await meet([laptop, desk])
  await rest()
  expect((await openNote(desk, note)).doc().text).toBe(note.doc().text)
})

test('[D34] what another device held is taken by its keep', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  type(theirs, 'b')
  await meet([phone, laptop])
  remove(laptop, phone)
  await meet([laptop, desk])
  await rest()
  expect((await openNote(desk, note)).doc().text).toBe('ab')
  expect(lateOn(desk)).toEqual([])
})

test('[D35] a late edit is stored and in no document, open or closed, on any device', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  remove(laptop, phone)
  await meet([laptop, desk])
  type(theirs, ' LATE')
  const relay = await createBlindDevice(clock, 'relay')
  await clock.advance(3_000)
  await meet([phone, relay])
  await meet([relay, laptop], [relay, desk])
  await rest()
  expect(note.doc().text).toBe('a')
  expect((await openNote(desk, note)).doc().text).toBe('a')
  expect(laptop.replica.fingerprint()).toBe(relay.replica.fingerprint())
  expect(desk.replica.fingerprint()).toBe(relay.replica.fingerprint())
  const [item] = lateOn(laptop)
  expect(item).toMatchObject({ kind: 'quarantined', document: note.documentId, author: phone.id, edits: 1, suggested: 'discard' })
  expect(item?.time).toBeGreaterThan(0)
  expect(lateOn(desk)).toEqual(lateOn(laptop))
})

test('[D35] neither a snapshot nor a fragment made here has a late edit, and it is not in a document read again', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  remove(laptop, phone)
  type(theirs, ' LATE')
  const relay = await createBlindDevice(clock, 'relay')
  await clock.advance(3_000)
  await meet([phone, relay])
  await meet([relay, laptop])
  for (let i = 0; i < 600; i++) type(note, 'x')
  await within(laptop.documents.compact(note.documentId))
  await within(laptop.documents.evict(note.documentId))
  expect((await openNote(laptop, note)).doc().text).toBe(`a${'x'.repeat(600)}`)
  await cast.restart(laptop)
  expect((await openNote(laptop, note)).doc().text).toBe(`a${'x'.repeat(600)}`)
  await rest()
  expect(lateOn(laptop)).toHaveLength(1)
  await meet([laptop, desk], [desk, relay])
  await rest()
  expect((await openNote(desk, note)).doc().text).toBe(`a${'x'.repeat(600)}`)
})

test('[D36] a late edit that a device built on before it knew is taken everywhere, and listed', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  const desks = await openNote(desk, note)
  remove(laptop, phone)
  type(theirs, ' LATE')
  await meet([phone, desk])
  type(desks, ' on top')
  await clock.advance(2_000)
  await meet([laptop, desk])
  await rest()
  expect(note.doc().text).toBe('a LATE on top')
  expect(desks.doc().text).toBe('a LATE on top')
  expect(lateOn(laptop)).toMatchObject([{ kind: 'built-on', author: phone.id, suggested: 'accept' }])
  expect(lateOn(desk)).toEqual(lateOn(laptop))
})

test('[D37] an honest edit under the old key waits for its claim, and is taken when it comes', async () => {
  const note = await noteOnAll()
  const desks = await openNote(desk, note)
  await clock.advance(2_000)
  remove(laptop, phone)
  type(desks, ' honest')
  const relay = await createBlindDevice(clock, 'relay')
  const link = cast.link(desk, relay)
  await clock.advance(300) // the edit is over, its claim is not
  link.cut()
  await meet([relay, laptop])
  expect(note.doc().text).toBe('a')
  await rest()
  expect(lateOn(laptop)).toMatchObject([{ kind: 'quarantined', author: undefined }])
  await meet([desk, relay], [relay, laptop])
  await rest()
  expect(note.doc().text).toBe('a honest')
  expect(lateOn(laptop)).toEqual([])
})

test('[D38] what one person accepts is in the document on every device, and in no list', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  remove(laptop, phone)
  await meet([laptop, desk])
  type(theirs, ' LATE')
  const relay = await createBlindDevice(clock, 'relay')
  await clock.advance(3_000)
  await meet([phone, relay])
  await meet([relay, laptop], [relay, desk])
  await rest()
  const [item] = lateOn(desk)
  await within(desk.documents.late?.decide(item?.id ?? '', 'accept') ?? Promise.resolve())
  await meet([laptop, desk])
  await rest()
  expect(note.doc().text).toBe('a LATE')
  expect((await openNote(desk, note)).doc().text).toBe('a LATE')
  expect([...lateOn(laptop), ...lateOn(desk)]).toEqual([])
})

test('[D38] what one person discards is asked about nowhere; a later edit on it is', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  remove(laptop, phone)
  await meet([laptop, desk])
  type(theirs, ' LATE')
  const relay = await createBlindDevice(clock, 'relay')
  await clock.advance(3_000)
  await meet([phone, relay])
  await meet([relay, laptop], [relay, desk])
  await rest()
  await within(laptop.documents.late?.decide(lateOn(laptop)[0]?.id ?? '', 'discard') ?? Promise.resolve())
  await meet([laptop, desk])
  await rest()
  expect([...lateOn(laptop), ...lateOn(desk)]).toEqual([])
  type(theirs, ' LATER')
  const blind = await createBlindDevice(clock, 'other relay')
  await clock.advance(3_000)
  await meet([phone, blind])
  await meet([blind, laptop])
  await rest()
  expect(note.doc().text).toBe('a')
  expect(lateOn(laptop)).toMatchObject([{ kind: 'quarantined', edits: 1 }])
})

test('[D38] of what is in the document only accepting is offered; an unknown one is CONFLICT_UNKNOWN', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  const desks = await openNote(desk, note)
  remove(laptop, phone)
  type(theirs, ' LATE')
  await meet([phone, desk])
  type(desks, ' on top')
  await clock.advance(2_000)
  await meet([laptop, desk])
  await rest()
  const id = lateOn(laptop)[0]?.id ?? ''
  await expect(laptop.documents.late?.decide(id, 'discard')).rejects.toThrow(RangeError)
  await expect(laptop.documents.late?.decide('no such', 'accept')).rejects.toMatchObject({ code: 'CONFLICT_UNKNOWN' })
  await within(laptop.documents.late?.decide(id, 'accept') ?? Promise.resolve())
  await meet([laptop, desk])
  await rest()
  expect([...lateOn(laptop), ...lateOn(desk)]).toEqual([])
})

test('[D39] of a late fragment only what is vouched for is taken, though it took the place of what was here', async () => {
  const note = await noteOnAll()
  for (let i = 0; i < 400; i++) type(note, 'x')
  await meet([laptop, desk], [laptop, phone])
  const theirs = await openNote(phone, note)
  await within(desk.documents.evict(note.documentId)) // closed there, with single commits
  remove(laptop, phone)
  await meet([laptop, desk])
  for (let i = 0; i < 400; i++) type(theirs, 'L')
  expect(await within(phone.documents.compact(note.documentId))).toBeGreaterThan(0)
  const relay = await createBlindDevice(clock, 'relay')
  await clock.advance(3_000)
  await meet([phone, relay])
  await meet([relay, laptop], [relay, desk])
  await rest()
  const expected = `a${'x'.repeat(400)}`
  expect((await openNote(desk, note)).doc().text).toBe(expected)
  await cast.restart(laptop)
  const again = await openNote(laptop, note)
  expect(again.doc().text).toBe(expected)
  await rest()
  expect(lateOn(laptop)).toMatchObject([{ kind: 'quarantined', edits: 400, author: phone.id }])
  await within(laptop.documents.late?.decide(lateOn(laptop)[0]?.id ?? '', 'accept') ?? Promise.resolve())
  expect(again.doc().text).toBe(`${expected}${'L'.repeat(400)}`)
})

test('[D39] what was held is kept before a late fragment takes its place, however soon that comes', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  for (let i = 0; i < 400; i++) type(theirs, 'b')
  await meet([phone, laptop])
  await within(laptop.documents.evict(note.documentId))
  for (let i = 0; i < 400; i++) type(theirs, 'L')
  expect(await within(phone.documents.compact(note.documentId))).toBeGreaterThan(0)
  const relay = await createBlindDevice(clock, 'relay')
  await clock.advance(3_000)
  await meet([phone, relay])
  remove(laptop, phone)
  await meet([relay, laptop])
  await cast.restart(laptop)
  expect((await openNote(laptop, note)).doc().text).toBe(`a${'b'.repeat(400)}`)
  await rest()
  expect(lateOn(laptop)).toMatchObject([{ kind: 'quarantined', edits: 400 }])
})

test('[D40] a device that joins after the removal takes what the others keep, and nothing else', async () => {
  const note = await noteOnAll()
  const theirs = await openNote(phone, note)
  type(theirs, 'b')
  await meet([phone, laptop])
  remove(laptop, phone)
  await clock.advance(5_000)
  type(theirs, ' LATE')
  const relay = await createBlindDevice(clock, 'relay')
  await clock.advance(3_000)
  await meet([phone, relay])
  const tablet = await cast.join('tablet')
  await meet([relay, tablet], [laptop, tablet], [relay, laptop])
  await rest()
  expect((await openNote(tablet, note)).doc().text).toBe('ab')
  expect(lateOn(tablet)).toEqual(lateOn(laptop))
  expect(lateOn(tablet)).toHaveLength(1)
})

test('[D41] nothing is signed for what no removed device could have written', async () => {
  const note = await noteOnAll()
  remove(laptop, phone)
  await rest()
  const after = await within(laptop.documents.create<Note>(doc => void (doc.text = 'new')))
  await rest()
  const registers = async (handle: DocHandle<Note>): Promise<number> =>
    (await laptop.store.listDocument(laptop.documents.docTagOf(handle.documentId))).filter(record => record.class === 'register').length
  expect(await registers(note)).toBe(2) // the claim and the keep
  expect(await registers(after)).toBe(1)
})

/** The desk, a later admin, removes the phone, and the phone goes on to write; then the laptop's own removal outranks the desk's. */
async function removedTwice(): Promise<{ readonly note: DocHandle<Note>; readonly tablet: DocumentDevice }> {
  const tablet = await cast.join('tablet')
  const note = await noteOnAll()
  laptop.group.setRole(desk.id, 'admin', clock.now())
  await meet([laptop, desk], [laptop, tablet])
  const theirs = await openNote(phone, note)
  remove(desk, phone)
  await meet([desk, tablet])
  type(theirs, ' LATE')
  const relay = await createBlindDevice(clock, 'relay')
  await clock.advance(3_000)
  await meet([phone, relay])
  await meet([relay, tablet])
  await rest()
  expect(lateOn(tablet)).toHaveLength(1)
  remove(laptop, phone)
  await meet([laptop, tablet])
  await rest()
  expect(tablet.group.removalOf(phone.id)?.by).toBe(laptop.id)
  return { note, tablet }
}

test('[D45] a removal that outranks the one known before lets nothing in that came between them', async () => {
  const { note, tablet } = await removedTwice()
  expect((await openNote(tablet, note)).doc().text).toBe('a')
  expect(lateOn(tablet)).toMatchObject([{ kind: 'quarantined', author: phone.id }])
})

test('[D45] nor does it on a device whose records of removals are gone, as after a restore', async () => {
  const { note, tablet } = await removedTwice()
  tablet.records = createMemoryRecordStore()
  await cast.restart(tablet)
  await rest()
  expect((await openNote(tablet, note)).doc().text).toBe('a')
  expect(lateOn(tablet)).toHaveLength(1)
})

test('[D8] asking for the heads of a document that somebody waits for takes nothing away from who waits', async () => {
  remove(laptop, phone)
  const note = await within(desk.documents.create<Note>(doc => void (doc.text = 'honest'))) // under the key that the phone knows
  const waiting = laptop.documents.open<Note>(note.documentId)
  const relay = await createBlindDevice(clock, 'relay')
  await clock.advance(3_000)
  await meet([desk, relay])
  const heads = new Promise<readonly string[]>((resolve, reject) => {
    laptop.replica.subscribe({ onArrived: () => void laptop.documents.headsOf(note.documentId).then(resolve, reject) })
  })
  await meet([relay, laptop])
  await rest()
  expect(await heads).toEqual(await within(desk.documents.headsOf(note.documentId)))
  expect((await within(waiting)).doc().text).toBe('honest')
})
