import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDeletionCast, type DeletionCast, type DeletionDevice } from '../testing/deletion-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import type { SimulatedLink } from '../testing/simulated-link.ts'
import type { SessionId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { decodeHere, encodeHere } from './here-record.ts'

interface Text {
  text: string
}

let clock: SimulatedClock
let cast: DeletionCast
let laptop: DeletionDevice
let phone: DeletionDevice

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createDeletionCast(clock)
  laptop = await cast.join('laptop')
  phone = await cast.join('phone')
})
afterEach(() => during(cast.close()))

const during = <T>(work: Promise<T>): Promise<T> => clock.during(work, 100)

interface Written {
  readonly session: SessionId
  readonly document: DocumentId
}

const link = (a: DeletionDevice, b: DeletionDevice): SimulatedLink => cast.documents.link(a.device, b.device)
const settle = (): Promise<void> => clock.advance(10_000)
const write = async (at: DeletionDevice, title: string, text: string): Promise<Written> => {
  const session = await at.sessions.create({ title })
  const { documentId } = await session.documents.create<{ text: string }>({ title: `${title}.md`, initial: { text } })
  await at.device.documents.flush()
  return { session: session.id, document: documentId }
}
const type = async (at: DeletionDevice, document: DocumentId, text: string): Promise<void> => {
  const handle = await at.device.documents.open<Text>(document)
  handle.change(doc => A.splice(doc, ['text'], 0, 0, text))
  await at.device.documents.flush()
}
const chunksOf = async (at: DeletionDevice, document: DocumentId): Promise<number> =>
  (await at.device.store.listDocument(at.device.documents.docTagOf(document))).length
const textOf = async (at: DeletionDevice, document: DocumentId): Promise<string> =>
  (await during(at.device.documents.open<Text>(document))).doc().text
const isQuiet = (a: DeletionDevice, b: DeletionDevice): boolean =>
  a.device.replica.peers.peek().get(b.device.id)?.state === 'in-sync' && b.device.replica.peers.peek().get(a.device.id)?.state === 'in-sync'
const shared = async (title = 'Notes', text = 'hello'): Promise<Written> => {
  const made = await write(laptop, title, text)
  await settle()
  return made
}

test('[X18] what is deleted here goes from this disk alone, stays listed, and does not come again, after a restart neither', async () => {
  link(laptop, phone)
  const notes = await shared()
  const [away] = await during(phone.here.delete([{ session: notes.session }]))
  expect(away).toMatchObject({ session: notes.session, title: 'Notes', state: 'not-here', documents: 4 })
  expect([await chunksOf(phone, notes.document), (await chunksOf(laptop, notes.document)) > 0]).toEqual([0, true])
  await type(laptop, notes.document, 'more ')
  await settle()
  await cast.restart(phone)
  link(laptop, phone)
  await settle()
  expect(await chunksOf(phone, notes.document)).toBe(0)
  expect(phone.sessions.list.peek().map(({ title }) => title)).toEqual(['Notes'])
  expect([phone.here.stateOf(notes.session), phone.here.list.peek()[0]?.state]).toEqual(['not-here', 'not-here'])
  expect(isQuiet(laptop, phone)).toBe(true)
  expect(laptop.deletions.list.peek()).toEqual([])
})

test('[X18] it is neither opened nor made again, an open handle is told, and whoever waits hears', async () => {
  link(laptop, phone)
  const notes = await shared()
  const handle = await phone.device.documents.open<Text>(notes.document)
  const heard: string[] = []
  handle.on('delete', () => heard.push('delete'))
  await during(phone.here.delete([{ session: notes.session }]))
  expect(heard).toEqual(['delete'])
  await expect(phone.device.documents.open(notes.document)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_HERE' })
  await expect(phone.sessions.open(notes.session)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_HERE' })
  const again = phone.device.documents.create(draft => void Object.assign(draft as object, { text: '' }), { documentId: notes.document })
  await expect(again).rejects.toMatchObject({ code: 'DOCUMENT_NOT_HERE' })
})

test('[X12] nothing goes that nobody else keeps: not without a link, not an edit of a moment ago; --force lets it go', async () => {
  const link1 = link(laptop, phone)
  const notes = await shared()
  link1.cut()
  await expect(during(phone.here.delete([{ session: notes.session }]))).rejects.toMatchObject({ code: 'KEPT_NOWHERE_ELSE' })
  expect([phone.here.list.peek(), await textOf(phone, notes.document)]).toEqual([[], 'hello'])
  await type(phone, notes.document, 'mine ')
  link(laptop, phone)
  await during(phone.here.delete([{ session: notes.session }])) // a moment later it is on the laptop
  expect([await chunksOf(phone, notes.document), await textOf(laptop, notes.document)]).toEqual([0, 'mine hello'])
  const draft = await write(phone, 'Draft', 'only here')
  await cast.restart(phone)
  await expect(during(phone.here.delete([{ session: draft.session }]))).rejects.toMatchObject({ code: 'KEPT_NOWHERE_ELSE' })
  await during(phone.here.delete([{ session: draft.session }], { force: true }))
  expect(await chunksOf(phone, draft.document)).toBe(0)
})

test('[X12] of two devices that both delete it here at once, at most one does', async () => {
  link(laptop, phone)
  const notes = await shared()
  const both = [laptop, phone].map(at => during(at.here.delete([{ session: notes.session }])))
  const outcomes = await Promise.allSettled(both)
  await settle()
  expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(2)
  const left = [await chunksOf(laptop, notes.document), await chunksOf(phone, notes.document)]
  expect(Math.max(...left)).toBeGreaterThan(0)
})

test('[X13] what is brought back is whole before it is opened, with what was edited meanwhile; also by a later run', async () => {
  const first = link(laptop, phone)
  const notes = await shared()
  await during(phone.here.delete([{ session: notes.session }]))
  await type(laptop, notes.document, 'more ')
  await during(phone.here.bringBack([{ session: notes.session }]))
  expect([phone.here.list.peek(), await textOf(phone, notes.document)]).toEqual([[], 'more hello'])

  await during(phone.here.delete([{ session: notes.session }]))
  first.cut()
  const waiting = phone.here.bringBack([{ session: notes.session }], { signal: AbortSignal.timeout(50) })
  await expect(during(waiting)).rejects.toMatchObject({ name: 'TimeoutError' })
  expect([phone.here.stateOf(notes.session), phone.here.list.peek()[0]?.state]).toEqual(['coming-back', 'coming-back'])
  await cast.restart(phone)
  expect(phone.here.stateOf(notes.session)).toBe('coming-back')
  link(laptop, phone)
  await settle()
  expect([phone.here.stateOf(notes.session), phone.here.list.peek(), await textOf(phone, notes.document)]).toEqual([
    'here',
    [],
    'more hello',
  ])
})

test('[X13] a crash at any moment leaves it whole, or not here and to be brought back', async () => {
  link(laptop, phone)
  const notes = await shared()
  const outcomes = new Set<string>()
  for (let ticks = 0; ticks < 60; ticks += 5) {
    void phone.here.delete([{ session: notes.session }]).catch(() => undefined) // CLOSED, where the crash came first
    for (let i = 0; i < ticks; i++) await Promise.resolve()
    await clock.advance(Math.floor(ticks / 5))
    await cast.restart(phone)
    const isAway = phone.here.stateOf(notes.session) === 'not-here'
    const count = await chunksOf(phone, notes.document)
    outcomes.add(`${isAway} ${count > 0}`)
    if (!isAway) expect(await textOf(phone, notes.document)).toBe('hello')
    link(laptop, phone)
    await clock.advance(1_000)
    await during(phone.here.bringBack([{ session: notes.session }]))
    expect(await textOf(phone, notes.document)).toBe('hello')
  }
  expect([...outcomes].toSorted((a, b) => a.localeCompare(b))).toEqual(['false true', 'true false'])
})

test('[X14] a document that a session which stays lists is kept; deleted alone it goes from here, and comes with its session', async () => {
  link(laptop, phone)
  const notes = await shared()
  const other = await write(laptop, 'Other', 'theirs')
  const opened = await laptop.sessions.open(other.session)
  await opened.documents.add(notes.document)
  await settle()
  await during(phone.here.delete([{ session: notes.session }]))
  expect(await textOf(phone, notes.document)).toBe('hello')
  await during(phone.here.delete([{ document: notes.document }]))
  expect([await chunksOf(phone, notes.document), phone.here.stateOf(other.session), phone.here.lacks(other.session)]).toEqual([
    0,
    'here',
    true,
  ])
  const there = await during(phone.sessions.open(other.session))
  expect((await during(there.manifest(['documents']))).documents.map(({ kind }) => kind)).toEqual(['session', 'documents'])
  await during(phone.here.bringBack([{ session: other.session }]))
  expect(await textOf(phone, notes.document)).toBe('hello')
  expect([phone.here.stateOf(notes.session), phone.here.lacks(other.session)]).toEqual(['not-here', false])
})

test('[X14] a document added elsewhere to a session that is not here is not kept here; one added to a session that is, is', async () => {
  link(laptop, phone)
  const notes = await shared()
  const other = await write(laptop, 'Other', 'theirs')
  await settle()
  await during(phone.here.delete([{ session: notes.session }]))
  const opened = await laptop.sessions.open(notes.session)
  const added = await opened.documents.create<{ text: string }>({ title: 'later', initial: { text: 'secret' } })
  await settle()
  expect([await chunksOf(phone, added.documentId), (await chunksOf(laptop, added.documentId)) > 0]).toEqual([0, true])
  const stays = await laptop.sessions.open(other.session)
  await stays.documents.add(notes.document)
  await settle()
  expect(await textOf(phone, notes.document)).toBe('hello')
  expect(isQuiet(laptop, phone)).toBe(true)
})

test('[X15] more than a fifth of everything is asked about first, and nothing went', async () => {
  link(laptop, phone)
  const all: Written[] = []
  for (let i = 0; i < 5; i++) all.push(await write(laptop, `Session ${i}`, 'text'))
  await settle()
  const two = all.slice(0, 2).map(({ session }) => ({ session }))
  expect(await phone.here.plan(two)).toMatchObject({ count: 4, isLarge: true })
  await expect(during(phone.here.delete(two))).rejects.toMatchObject({ code: 'DELETION_LARGE' })
  expect(await textOf(phone, all[0]?.document as DocumentId)).toBe('text')
  await during(phone.here.delete(two, { confirmed: true }))
  expect(phone.here.list.peek()).toHaveLength(2)
})

test('[X16] a deletion everywhere wins, from here too; what was known here before is no edit that nobody knew', async () => {
  link(laptop, phone)
  const notes = await shared()
  const other = await write(laptop, 'Other', 'theirs')
  await settle()
  await during(phone.here.delete([{ session: notes.session }, { session: other.session }], { confirmed: true }))
  await during(phone.deletions.delete([{ session: notes.session }], { confirmed: true }))
  await settle()
  expect([await chunksOf(laptop, notes.document), laptop.deletions.edits.peek()]).toEqual([0, []])
  await during(laptop.deletions.delete([{ session: other.session }], { confirmed: true }))
  await settle()
  expect([phone.here.list.peek(), phone.device.replica.leftOut.size, phone.deletions.edits.peek()]).toEqual([[], 0, []])
  await expect(during(phone.here.bringBack([{ session: other.session }]))).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
})

test('[X17] what the record says is sealed with the rest; what is not such a record keeps everything here, and nothing throws', async () => {
  link(laptop, phone)
  const notes = await shared()
  await during(phone.here.delete([{ session: notes.session }]))
  const key = `not-here/${phone.device.group.id}`
  const stored = (await phone.device.records.get(key)) as Uint8Array
  const read = decodeHere(stored)
  expect(read && encodeHere(read)).toEqual(stored)
  const random = createSeededRandom(17)
  for (let i = 0; i < 10_000; i++) {
    const bytes = i % 2 === 0 ? random.bytes(1 + (i % 60)) : Uint8Array.from(stored)
    if (i % 2 === 1) bytes[random.bytes(1)[0] as number] = random.bytes(1)[0] as number
    decodeHere(bytes)
  }
  await phone.device.records.write(new Map([[key, new Uint8Array([1, 2, 3])]]))
  await cast.restart(phone)
  link(laptop, phone)
  await settle()
  expect([phone.here.list.peek(), await textOf(phone, notes.document)]).toEqual([[], 'hello'])
})
