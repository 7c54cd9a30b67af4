import * as A from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl, type DocHandle } from '@automerge/automerge-repo'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDocumentCast, type DocumentCast, type DocumentDevice } from '../testing/document-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'

interface Note {
  text: string
  [key: string]: unknown
}

let clock: SimulatedClock
let cast: DocumentCast
let laptop: DocumentDevice
let desk: DocumentDevice

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createDocumentCast(clock)
  laptop = await cast.join('laptop')
  desk = await cast.join('desk')
})
afterEach(async () => {
  let isClosed = false
  const closed = cast.close().then(() => (isClosed = true))
  await clock.runUntil(() => isClosed)
  await closed
})

const note = (draft: Note): void => void (draft.text = '')

function typeInto(handle: DocHandle<Note>, text: string): void {
  for (const letter of text) handle.change(draft => A.splice(draft, ['text'], draft.text.length, 0, letter))
}

async function within<T>(promise: Promise<T>): Promise<T> {
  let isSettled = false
  const settled = promise.finally(() => (isSettled = true))
  settled.catch(() => undefined)
  await clock.runUntil(() => isSettled)
  return settled
}

async function commitsOf(device: DocumentDevice, handle: DocHandle<Note>): Promise<number> {
  const records = await device.store.listDocument(device.documents.docTagOf(handle.documentId))
  return records.filter(record => record.class === 'commit').length
}

test('[D1] each local change is one commit chunk', async () => {
  const handle = await laptop.documents.create(note)
  typeInto(handle, 'abc')
  await laptop.documents.flush()
  expect(await commitsOf(laptop, handle)).toBe(4)
})

test('[D1] merged changes are captured as well', async () => {
  const handle = await laptop.documents.create(note)
  let branch = A.clone(handle.doc())
  for (let i = 0; i < 3; i++) branch = A.change(branch, draft => void (draft[`k${i}`] = i))
  handle.update(doc => A.merge(doc, branch))
  await laptop.documents.flush()
  expect(await commitsOf(laptop, handle)).toBe(4)
})

test('[D1] a change made at earlier heads is captured and read back', async () => {
  const handle = await laptop.documents.create(note)
  const heads = handle.heads()
  typeInto(handle, 'ab')
  handle.changeAt(heads, draft => A.splice(draft, ['text'], 0, 0, 'z'))
  const shown = handle.doc()
  await laptop.documents.evict(handle.documentId)
  expect((await laptop.documents.open<Note>(handle.documentId)).doc()).toEqual(shown)
})

test('[D2] a change made by a listener while another is applied is captured', async () => {
  cast.link(laptop, desk)
  const handle = await laptop.documents.create(note)
  const there = await within(desk.documents.open<Note>(handle.documentId))
  there.once('change', () => there.change(draft => void (draft['seen'] = true)))
  typeInto(handle, 'a')
  await clock.runUntil(() => handle.doc()['seen'] === true)
  expect(await commitsOf(desk, handle)).toBe(3)
})

test('[D3] each opening has a fresh actor, and no actor and number are used twice', async () => {
  const handle = await laptop.documents.create(note)
  const actors = new Set<string>()
  for (let i = 0; i < 5; i++) {
    const opened = await laptop.documents.open<Note>(handle.documentId)
    actors.add(A.getActorId(opened.doc()))
    typeInto(opened, 'x')
    await laptop.documents.evict(handle.documentId)
  }
  expect(actors.size).toBe(5)
  const changes = A.getAllChanges((await laptop.documents.open(handle.documentId)).doc()).map(A.decodeChange)
  expect(new Set(changes.map(({ actor, seq }) => `${actor} ${seq}`)).size).toBe(changes.length)
})

test('[D3] a restart from an older store does not repeat a number', async () => {
  cast.link(laptop, desk)
  const handle = await laptop.documents.create(note)
  const there = await within(desk.documents.open<Note>(handle.documentId))
  const release = laptop.store.holdWrites()
  typeInto(handle, 'lost here, kept there')
  await clock.runUntil(() => there.doc().text.endsWith('there'))
  await cast.restart(laptop)
  release()
  const again = await laptop.documents.open<Note>(handle.documentId)
  expect(again.doc().text).toBe('')
  typeInto(again, 'new ')
  cast.link(laptop, desk)
  await clock.runUntil(() => again.doc().text.length === 25 && there.doc().text.length === 25)
  expect(there.doc()).toEqual(again.doc())
})

test('[D4] flush waits for the disk', async () => {
  const handle = await laptop.documents.create(note)
  const release = laptop.store.holdWrites()
  typeInto(handle, 'a')
  let isFlushed = false
  const flushed = laptop.documents.flush(handle.documentId).then(() => (isFlushed = true))
  await clock.advance(100)
  expect(isFlushed).toBe(false)
  release()
  await within(flushed)
})

test('[D5] find opens a closed document', async () => {
  const handle = await laptop.documents.create(note)
  typeInto(handle, 'hello')
  await laptop.documents.evict(handle.documentId)
  expect(laptop.documents.state(handle.documentId).peek()).toBe('closed')
  const found = await laptop.documents.repo.find<Note>(handle.url)
  expect(found.doc().text).toBe('hello')
  expect(await laptop.documents.repo.find<Note>(handle.url)).toBe(found)
})

test('[D5] find waits for a document on its way', async () => {
  const handle = await laptop.documents.create(note)
  const finding = desk.documents.repo.find<Note>(handle.url)
  await clock.advance(1_000)
  expect(desk.documents.state(handle.documentId).peek()).toBe('arriving')
  cast.link(laptop, desk)
  expect((await within(finding)).doc().text).toBe('')
  expect(desk.documents.state(handle.documentId).peek()).toBe('open')
})

test('[D5] an aborted find rejects with the reason and leaves nothing open', async () => {
  const controller = new AbortController()
  const { documentId } = parseAutomergeUrl(generateAutomergeUrl())
  const finding = laptop.documents.repo.find(documentId, { signal: controller.signal })
  await clock.advance(10)
  controller.abort(new Error('enough'))
  await expect(finding).rejects.toThrow('enough')
  expect(laptop.documents.repo.handles[documentId]).toBeUndefined()
})

test('[D5] findWithProgress goes from loading to ready', async () => {
  const handle = await laptop.documents.create(note)
  await laptop.documents.evict(handle.documentId)
  const progress = laptop.documents.repo.findWithProgress<Note>(handle.url)
  expect(progress.state).toBe('loading')
  const states: string[] = []
  if ('subscribe' in progress) progress.subscribe(({ state }) => states.push(state))
  await clock.runUntil(() => states.length > 0)
  expect(states).toEqual(['ready'])
  expect(laptop.documents.repo.findWithProgress<Note>(handle.url).state).toBe('ready')
})

test('[D6] what repo.create, import and clone make arrives elsewhere', async () => {
  cast.link(laptop, desk)
  const { repo } = laptop.documents
  const created = repo.create<Note>({ text: 'created' })
  const empty = repo.create<Note>()
  empty.change(draft => void (draft.text = 'empty at first'))
  const imported = repo.import<Note>(A.save(A.from<Note>({ text: 'imported' })))
  const cloned = repo.clone(imported)
  cloned.change(draft => void (draft['cloned'] = true))
  for (const handle of [created, empty, imported, cloned]) {
    const there = await within(desk.documents.repo.find<Note>(handle.url))
    await clock.runUntil(() => there.heads().join() === handle.heads().join())
    expect(there.doc()).toEqual(handle.doc())
  }
})

test('[D6] importing into a closed document adds to it', async () => {
  const handle = await laptop.documents.create(note)
  typeInto(handle, 'abc')
  const branch = A.save(A.change(A.clone(handle.doc()), draft => void (draft['more'] = 1)))
  typeInto(handle, 'def')
  await laptop.documents.evict(handle.documentId)
  const imported = laptop.documents.repo.import<Note>(branch, { docId: handle.documentId })
  await clock.runUntil(() => imported.doc().text === 'abcdef')
  expect(imported.doc()).toEqual({ text: 'abcdef', more: 1 })
})

test('[D6] delete is refused, because it would come back', async () => {
  const handle = await laptop.documents.create(note)
  expect(() => laptop.documents.repo.delete(handle.documentId)).toThrow(/session/)
})

test('[D7] an evicted document opens again with the same heads', async () => {
  const handle = await laptop.documents.create(note)
  typeInto(handle, 'hello')
  const heads = A.getHeads(handle.doc())
  await laptop.documents.evict(handle.documentId)
  expect(handle.isReady()).toBe(false)
  const again = await laptop.documents.open(handle.documentId)
  expect(A.getHeads(again.doc())).toEqual(heads)
})

test('[D7] a retained document stays open', async () => {
  const handle = await laptop.documents.create(note)
  const release = laptop.documents.retain(handle.documentId)
  await laptop.documents.evict(handle.documentId)
  expect(handle.isReady()).toBe(true)
  release()
  await laptop.documents.evict(handle.documentId)
  expect(handle.isReady()).toBe(false)
})

test('[D7] beyond the maximum, idle documents are closed, and those with listeners are not', async () => {
  await cast.restart(laptop, { maxOpenDocuments: 2 })
  const listened = await laptop.documents.create(note)
  listened.on('change', () => undefined)
  const idle = await laptop.documents.create(note)
  await clock.advance(10 * 60_000)
  await laptop.documents.create(note)
  await clock.runUntil(() => !idle.isReady())
  expect(listened.isReady()).toBe(true)
})

test('[D8] headsOf leaves a closed document closed', async () => {
  const handle = await laptop.documents.create(note)
  typeInto(handle, 'hello')
  const heads = A.getHeads(handle.doc())
  expect(await laptop.documents.headsOf(handle.documentId)).toEqual(heads)
  await laptop.documents.evict(handle.documentId)
  expect(await laptop.documents.headsOf(handle.documentId)).toEqual(heads)
  expect(laptop.documents.state(handle.documentId).peek()).toBe('closed')
  expect(await laptop.documents.headsOf(parseAutomergeUrl(generateAutomergeUrl()).documentId)).toEqual([])
})

test('[D9] whenContains waits for the heads, their history, and the disk', async () => {
  const handle = await laptop.documents.create(note)
  typeInto(handle, 'hello')
  await laptop.documents.flush()
  const heads = A.getHeads(handle.doc())
  // The last change alone, without what it builds on.
  const tag = laptop.documents.docTagOf(handle.documentId)
  const ids = (await laptop.store.listDocument(tag)).filter(record => record.class === 'commit').map(record => record.id)
  await desk.replica.add(await laptop.store.getMany(ids.slice(-1)))
  let contains = false
  const waiting = desk.documents.whenContains(handle.documentId, heads).then(() => (contains = true))
  await clock.advance(1_000)
  expect(contains).toBe(false)
  cast.link(laptop, desk)
  await within(waiting)
  expect(await desk.documents.headsOf(handle.documentId)).toEqual(heads)
  expect((await desk.store.listDocument(tag)).length).toBeGreaterThanOrEqual(6)
})

test('[D46] warming up leaves nothing behind', async () => {
  const before = { timers: clock.waiting(), chunks: laptop.store.size().chunks }
  laptop.documents.warmUp()
  await laptop.documents.flush()
  expect(Object.keys(laptop.documents.repo.handles)).toEqual([])
  expect({ timers: clock.waiting(), chunks: laptop.store.size().chunks }).toEqual(before)
})

test('[D10] close makes everything durable, then rejects what waits', async () => {
  const handle = await laptop.documents.create(note)
  const finding = laptop.documents.repo.find(parseAutomergeUrl(generateAutomergeUrl()).documentId)
  finding.catch(() => undefined)
  typeInto(handle, 'hello')
  await within(laptop.documents.close())
  expect(await commitsOf(laptop, handle)).toBe(6)
  await expect(finding).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(laptop.documents.open(handle.documentId)).rejects.toMatchObject({ code: 'CLOSED' })
})

test('[D10] a store that cannot be written does not keep it from closing', async () => {
  const handle = await laptop.documents.create(note)
  laptop.store.failWrites(new Error('disk full'))
  typeInto(handle, 'a')
  await within(laptop.documents.close())
  expect(laptop.complaints).toContain('closed-before-durable')
})

test('[D11] a change arrives as one change event of the open handle', async () => {
  cast.link(laptop, desk)
  const handle = await laptop.documents.create(note)
  const there = await within(desk.documents.open<Note>(handle.documentId))
  let events = 0
  there.on('change', () => events++)
  typeInto(handle, 'a')
  await clock.runUntil(() => there.doc().text === 'a')
  expect(events).toBe(1)
})

test('[D11] what came out of chunks is not captured again', async () => {
  cast.link(laptop, desk)
  const handle = await laptop.documents.create(note)
  const added: string[] = []
  const { add } = desk.replica
  desk.replica.add = (chunks, options) => {
    added.push(...chunks.map(chunk => chunk.class))
    return add(chunks, options)
  }
  const there = await within(desk.documents.open<Note>(handle.documentId))
  typeInto(handle, 'abc')
  await clock.runUntil(() => there.doc().text === 'abc')
  there.change(draft => void (draft['own'] = true))
  await within(desk.documents.flush())
  expect(added).toEqual(['commit', 'register'])
})

test('[D15] chunks whose key was missing are applied when it is there', async () => {
  const handle = await laptop.documents.create(note)
  desk.isLocked = true
  cast.link(laptop, desk)
  const opening = desk.documents.open<Note>(handle.documentId)
  typeInto(handle, 'secret')
  await clock.advance(1_000)
  expect(desk.documents.state(handle.documentId).peek()).toBe('arriving')
  desk.isLocked = false
  desk.documents.onKeysChanged()
  await within(opening)
  await clock.runUntil(() => desk.documents.repo.handles[handle.documentId]?.doc().text === 'secret')
})

test('[D22] with a snapshot, without it, and with a damaged one a document opens the same', async () => {
  const handle = await laptop.documents.create(note)
  typeInto(handle, 'x'.repeat(100))
  const shown = handle.doc()
  const tag = laptop.documents.docTagOf(handle.documentId)
  await laptop.documents.evict(handle.documentId)
  const snapshot = await laptop.replica.getSnapshot(tag)
  expect(snapshot).toBeDefined()
  const reopened = await laptop.documents.open<Note>(handle.documentId)
  expect(reopened.doc()).toEqual(shown)
  typeInto(reopened, 'yz')
  await laptop.documents.evict(handle.documentId)
  expect((await laptop.documents.open<Note>(handle.documentId)).doc().text).toBe(`${'x'.repeat(100)}yz`)
  for (const other of [undefined, new Uint8Array(300), (snapshot as Uint8Array).slice(0, -1)]) {
    await laptop.documents.evict(handle.documentId)
    await laptop.replica.putSnapshot(tag, other)
    expect((await laptop.documents.open<Note>(handle.documentId)).doc().text).toBe(`${'x'.repeat(100)}yz`)
  }
})

test('[D23] a text of several pieces is inserted whole, in several changes, also over another', async () => {
  cast.link(laptop, desk)
  const text = '😀é'.repeat(30_000)
  const handle = await laptop.documents.create(note)
  typeInto(handle, 'before')
  await within(laptop.documents.importText(handle as DocHandle<unknown>, ['text'], text))
  expect(handle.doc().text).toBe(text)
  const there = await within(desk.documents.open<Note>(handle.documentId))
  await clock.runUntil(() => there.doc().text === text)
  await laptop.documents.flush()
  expect(await commitsOf(laptop, handle)).toBe(1 + 6 + 1 + 3)
})

test('[D23] a refused text changes nothing', async () => {
  const handle = await laptop.documents.create(note)
  const before = handle.heads()
  await expect(laptop.documents.importText(handle as DocHandle<unknown>, ['text'], 'a'.repeat(2 ** 20 + 1))).rejects.toMatchObject({
    code: 'DOCUMENT_TOO_LARGE',
  })
  expect(handle.heads()).toEqual(before)
})
