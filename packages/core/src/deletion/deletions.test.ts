import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDeletionCast, type DeletionCast, type DeletionDevice } from '../testing/deletion-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import type { SimulatedLink } from '../testing/simulated-link.ts'
import { GROUP_DOCUMENT_ID, registerContentKey, sealChunk } from '../crypto/index.ts'
import { GROUP_DOC_TAG, type EpochId, type SessionId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { RECEIPT_NAME } from './receipts.ts'

interface Text {
  text: string
}

let clock: SimulatedClock
let cast: DeletionCast
let laptop: DeletionDevice
let desk: DeletionDevice

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createDeletionCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
})
afterEach(() => during(cast.close()))

const during = <T>(work: Promise<T>): Promise<T> => clock.during(work, 1_000)

const link = (a: DeletionDevice, b: DeletionDevice): SimulatedLink => cast.documents.link(a.device, b.device)
const settle = (): Promise<void> => clock.advance(60_000)
const write = async (at: DeletionDevice, title: string, text: string): Promise<{ session: SessionId; document: DocumentId }> => {
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
const titles = (at: DeletionDevice): string[] => at.sessions.list.peek().map(({ title }) => title)
const textOf = async (at: DeletionDevice, session: SessionId): Promise<string[]> => {
  const opened = await at.sessions.open(session)
  const texts = opened.documents.list.peek().map(async ({ documentId }) => (await opened.documents.open<Text>(documentId)).doc().text)
  return Promise.all(texts)
}

test('[X1] what one device deletes is gone on every device, with its chunks, and each says so', async () => {
  link(laptop, desk)
  const notes = await write(laptop, 'Notes', 'hello')
  const other = await write(laptop, 'Other', 'stays')
  await settle()
  expect(titles(desk).toSorted()).toEqual(['Notes', 'Other'])
  const [deletion] = await desk.deletions.delete([{ session: notes.session }])
  expect(deletion).toMatchObject({ by: desk.device.id, session: notes.session, state: 'gone' })
  await settle()
  for (const member of [laptop, desk]) {
    expect(titles(member)).toEqual(['Other'])
    expect(await chunksOf(member, notes.document)).toBe(0)
    expect(await textOf(member, other.session)).toEqual(['stays'])
    expect(member.deletions.list.peek()[0]?.goneAt.toSorted()).toEqual([laptop.device.id, desk.device.id].toSorted())
  }
  expect(laptop.device.replica.fingerprint()).toBe(desk.device.replica.fingerprint())
})

test('[X2] whoever waits for a session that is still on its way hears that it is deleted, and the deletion is followed', async () => {
  const notes = await write(laptop, 'Notes', 'hello')
  const opening = expect(desk.sessions.open(notes.session)).rejects.toMatchObject({ code: 'DOCUMENT_DELETED' })
  await laptop.deletions.delete([{ session: notes.session }])
  link(laptop, desk)
  await settle()
  expect(desk.deletions.list.peek()).toMatchObject([{ session: notes.session, state: 'gone' }])
  await opening
})

test('[X2] an open handle is told, and opening or making it again is refused', async () => {
  link(laptop, desk)
  const { document, session } = await write(laptop, 'Notes', 'hello')
  await settle()
  const handle = await desk.device.documents.open<Text>(document)
  const heard: string[] = []
  handle.on('delete', () => heard.push('delete'))
  const waiting = laptop.device.documents.open(document)
  await waiting
  await laptop.deletions.delete([{ session }])
  await settle()
  expect(heard).toEqual(['delete'])
  expect(handle.isDeleted()).toBe(true)
  for (const member of [laptop, desk]) {
    await expect(member.device.documents.open(document)).rejects.toMatchObject({ code: 'DOCUMENT_DELETED' })
    await expect(
      member.device.documents.create(draft => void Object.assign(draft as object, { text: '' }), { documentId: document }),
    ).rejects.toMatchObject({
      code: 'DOCUMENT_DELETED',
    })
  }
})

test('[X3] a deletion outlives a restart, and a sleeper or an old backup brings nothing back', async () => {
  const phone = await cast.join('phone')
  const first = [link(laptop, desk), link(laptop, phone)]
  const { document, session } = await write(laptop, 'Notes', 'hello')
  await settle()
  for (const each of first) each.cut()
  const backup = desk.device.store.crash()
  desk.device.store = backup
  await cast.restart(desk)
  link(laptop, desk)
  await laptop.deletions.delete([{ session }])
  await settle()
  expect(await chunksOf(desk, document)).toBe(0)
  await cast.restart(laptop)
  expect(laptop.device.isDeleted(document)).toBe(true)
  link(laptop, phone)
  await settle()
  for (const member of [laptop, phone]) expect(await chunksOf(member, document)).toBe(0)
  expect(titles(phone)).toEqual([])
  expect(phone.deletions.edits.peek()).toEqual([])
})

test('[X4] what was edited elsewhere meanwhile is kept aside there, and kept as one copy by two who both keep it', async () => {
  const phone = await cast.join('phone')
  const links = [link(laptop, desk), link(laptop, phone)]
  const { document, session } = await write(laptop, 'Notes', 'hello')
  await settle()
  for (const each of links) each.cut()
  link(desk, phone)
  await (
    await desk.sessions.open(session)
  ).views.open({ document, selection: { anchor: 1, head: 3 }, scroll: { top: 2, fraction: 0.5 }, pane: 1 })
  await type(desk, document, 'late ')
  await settle()
  await laptop.deletions.delete([{ session }])
  link(laptop, desk)
  link(laptop, phone)
  await settle()
  for (const member of [desk, phone]) {
    expect(await chunksOf(member, document)).toBe(0)
    expect(member.deletions.edits.peek()).toMatchObject([
      { title: 'Notes', by: laptop.device.id, documents: [{ title: 'Notes.md', edits: 1 }] },
    ])
  }
  expect(laptop.deletions.edits.peek()).toEqual([])
  const [edit] = desk.deletions.edits.peek()
  const kept = await during(desk.deletions.keepEdits(edit?.deletion ?? ''))
  await settle()
  for (const member of [laptop, desk, phone]) {
    expect(member.sessions.list.peek()).toMatchObject([{ id: kept, title: 'Notes' }])
    expect(await during(textOf(member, kept))).toEqual(['late hello'])
    expect(member.deletions.edits.peek()).toEqual([])
  }
  const copy = (await desk.sessions.open(kept)).documents.list.peek()[0]?.documentId as DocumentId
  const lying = await desk.device.store.listDocument(desk.device.documents.docTagOf(copy))
  expect(lying.filter(record => record.class === 'register')).not.toEqual([]) // vouched for: what is in it others wrote
  const { views, focus } = (await desk.sessions.open(kept)).views.layout()
  expect(views).toMatchObject([{ id: focus, selection: { anchor: 6, head: 8 }, scroll: { top: 7, fraction: 0.5 }, pane: 1 }])
})

test('[X5] what was edited meanwhile can be let go', async () => {
  const first = link(laptop, desk)
  const { document, session } = await write(laptop, 'Notes', 'hello')
  await settle()
  first.cut()
  await type(desk, document, 'late ')
  await laptop.deletions.delete([{ session }])
  link(laptop, desk)
  await settle()
  await desk.deletions.discardEdits(desk.deletions.edits.peek()[0]?.deletion ?? '')
  expect(desk.deletions.edits.peek()).toEqual([])
  for await (const [key] of desk.device.records.list('deletion/')) expect(key).not.toContain('/edits/')
  await expect(desk.deletions.keepEdits('00'.repeat(16))).rejects.toMatchObject({ code: 'DELETION_UNKNOWN' })
})

test('[X4] [X5] a document that was added meanwhile is named, comes along with a copy, and goes with what is let go', async () => {
  const first = link(laptop, desk)
  const [kept, gone] = [await write(laptop, 'Kept', 'a'), await write(laptop, 'Gone', 'b')]
  await settle()
  first.cut()
  const added = []
  for (const { session } of [kept, gone]) {
    const there = await desk.sessions.open(session)
    added.push(await there.documents.create({ title: 'Added', initial: { text: 'added' } }))
  }
  await desk.device.documents.flush()
  await laptop.deletions.delete([{ session: kept.session }, { session: gone.session }])
  link(laptop, desk)
  await settle()
  const edits = new Map(desk.deletions.edits.peek().map(each => [each.title, each]))
  expect(edits.get('Kept')?.documents).toMatchObject([{ title: 'Added', edits: 0 }])
  const copy = await during(desk.deletions.keepEdits(edits.get('Kept')?.deletion ?? ''))
  await during(desk.deletions.discardEdits(edits.get('Gone')?.deletion ?? ''))
  await settle()
  expect(await during(textOf(laptop, copy))).toEqual(['added'])
  for (const member of [laptop, desk]) {
    expect(member.device.isDeleted(added[0]?.documentId as DocumentId)).toBe(false)
    expect(member.device.isDeleted(added[1]?.documentId as DocumentId)).toBe(true)
  }
})

test('[X5] what was added meanwhile and another device let go does not keep the rest from being kept, nor anybody from saying what is gone', async () => {
  const first = link(laptop, desk)
  const notes = await write(laptop, 'Notes', 'a')
  await settle()
  first.cut()
  await type(desk, notes.document, 'late ')
  const added = await (await desk.sessions.open(notes.session)).documents.create({ title: 'Added', initial: { text: 'added' } })
  await desk.device.documents.flush()
  await laptop.deletions.delete([{ session: notes.session }])
  link(laptop, desk)
  await settle()
  const [edit] = desk.deletions.edits.peek()
  expect(edit?.documents).toHaveLength(2)
  const [later] = await during(laptop.deletions.delete([{ document: added.documentId }], { confirmed: true }))
  await settle()
  const copy = await during(desk.deletions.keepEdits(edit?.deletion ?? ''))
  await settle()
  expect(await during(textOf(laptop, copy))).toEqual(['late a'])
  expect(desk.deletions.edits.peek()).toEqual([])
  const said = laptop.deletions.list.peek().find(({ id }) => id === later?.id)
  expect(said?.goneAt).toHaveLength(2)
})

test('[X6] more than a fifth of everything needs a yes, and is asked about again on every other device', async () => {
  link(laptop, desk)
  const all = []
  for (let i = 0; i < 6; i++) all.push(await write(laptop, `Notes ${i}`, `text ${i}`))
  await settle()
  const targets = all.slice(0, 2).map(({ session }) => ({ session }))
  expect(await laptop.deletions.plan(targets)).toMatchObject({ count: 4, total: 12, isLarge: true })
  await expect(laptop.deletions.delete(targets)).rejects.toMatchObject({ code: 'DELETION_LARGE' })
  expect(titles(laptop)).toHaveLength(6)
  await laptop.deletions.delete(targets, { confirmed: true })
  await settle()
  expect(titles(laptop)).toHaveLength(4)
  const waiting = desk.deletions.list.peek()
  expect(waiting).toMatchObject([
    { state: 'waiting', why: 'many' },
    { state: 'waiting', why: 'many' },
  ])
  expect(laptop.deletions.list.peek()[0]?.waitingAt).toEqual([desk.device.id])
  for (const { document } of all.slice(0, 2)) expect(await chunksOf(desk, document)).toBeGreaterThan(0)
  await cast.restart(desk)
  expect(desk.deletions.list.peek().map(({ state }) => state)).toEqual(['waiting', 'waiting'])
  link(laptop, desk)
  await desk.deletions.goOn(waiting[0]?.id ?? '')
  const kept = await during(desk.deletions.keep(waiting[1]?.id ?? ''))
  await settle()
  expect(desk.deletions.list.peek().map(({ state }) => state)).toEqual(['gone', 'gone'])
  expect(titles(laptop)).toHaveLength(5)
  expect(await during(textOf(laptop, kept))).toHaveLength(1)
  expect(laptop.deletions.list.peek().every(({ goneAt }) => goneAt.length === 2)).toBe(true)
})

test('[X7] a removed device deletes nothing that nobody had followed; what somebody followed, all follow', async () => {
  const phone = await cast.join('phone')
  const links = [link(laptop, desk), link(laptop, phone)]
  const a = await write(laptop, 'A', 'a')
  const b = await write(laptop, 'B', 'b')
  await settle()
  for (const each of links) each.cut()
  await phone.deletions.delete([{ session: a.session }])
  const between = link(phone, desk)
  await settle()
  between.cut()
  await phone.deletions.delete([{ session: b.session }])
  laptop.device.group.remove(phone.device.id, { time: clock.now() })
  link(laptop, desk)
  await settle()
  expect(titles(laptop)).toEqual(['B'])
  expect(titles(desk)).toEqual(['B'])
  // Its later tombstone, however it comes, waits for a person.
  const late = (
    await phone.device.store.getMany((await phone.device.store.listDocument('0'.repeat(32) as never)).map(({ id }) => id))
  ).filter(chunk => chunk.class === 'register')
  await laptop.device.replica.add(late)
  await cast.restart(laptop)
  expect(titles(laptop)).toEqual(['B'])
  const waits = laptop.deletions.list.peek().filter(({ state }) => state === 'waiting')
  expect(waits).toMatchObject([{ why: 'removed-device', session: b.session }])
  await laptop.deletions.goOn(waits[0]?.id ?? '')
  expect(titles(laptop)).toEqual([])
})

test('[X8] a document that another session lists stays, and one deleted alone leaves its session whole', async () => {
  link(laptop, desk)
  const notes = await write(laptop, 'Notes', 'shared')
  const other = await laptop.sessions.create({ title: 'Other' })
  await other.documents.add(notes.document, { title: 'Shared' })
  const alone = await other.documents.create({ title: 'Alone', initial: { text: 'alone' } })
  await settle()
  await laptop.deletions.delete([{ session: notes.session }])
  await settle()
  expect((await during(textOf(desk, other.id))).toSorted()).toEqual(['alone', 'shared'])
  await desk.deletions.delete([{ document: alone.documentId }])
  await settle()
  expect(await during(textOf(laptop, other.id))).toEqual(['shared'])
  expect(other.documents.list.peek()).toHaveLength(1)
})

test('[X8] an open session leaves out a deleted document that whoever deleted it did not live to take off the list', async () => {
  const first = link(laptop, desk)
  const { document, session } = await write(laptop, 'Notes', 'hello')
  await settle()
  const opened = await during(desk.sessions.open(session))
  const seen: number[] = []
  opened.documents.list.subscribe(list => void seen.push(list.length))
  first.cut()
  await laptop.deletions.delete([{ document }])
  // Nothing else of what it wrote ever arrives.
  const registers = (await laptop.device.store.listDocument(GROUP_DOC_TAG)).filter(each => each.class === 'register')
  const courier = await cast.join('courier')
  await courier.device.replica.add(await laptop.device.store.getMany(registers.map(({ id }) => id)))
  link(courier, desk)
  await settle()
  expect(desk.deletions.list.peek()).toMatchObject([{ documents: [document], state: 'gone' }])
  expect([seen, opened.documents.list.peek()]).toEqual([[0], []])
  await during(opened.close())
  expect(await during(textOf(desk, session))).toEqual([])
})

test('[X8] a session whose view shows a document that was deleted opens all the same', async () => {
  const { document, session } = await write(laptop, 'Notes', 'hello')
  const opened = await laptop.sessions.open(session)
  await opened.views.open({ document })
  await opened.close()
  await laptop.deletions.delete([{ document }])
  const again = await laptop.sessions.open(session)
  expect(again.documents.list.peek()).toEqual([])
})

test('[X10] what lies under the name of its receipts and is not signed by it does not end them', async () => {
  const foreign = sealChunk({
    keys: laptop.device.keyring,
    epoch: 'ee'.repeat(16) as EpochId,
    epochSecret: new Uint8Array(32).fill(7),
    class: 'register',
    documentId: GROUP_DOCUMENT_ID,
    contentKey: registerContentKey(RECEIPT_NAME, laptop.device.id),
    sequence: Number.MAX_SAFE_INTEGER,
    content: new Uint8Array(100),
    random: createSeededRandom(1),
  })
  await laptop.device.store.apply({ put: [{ ...foreign, live: true }] })
  link(laptop, desk)
  const { session } = await write(laptop, 'Notes', 'hello')
  await settle()
  await desk.deletions.delete([{ session }])
  await settle()
  expect(desk.deletions.list.peek()[0]?.goneAt).toContain(laptop.device.id)
})
