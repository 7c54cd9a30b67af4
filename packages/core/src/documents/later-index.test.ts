import { beforeEach, expect, test } from 'vitest'
import { binaryDocumentId, createDocumentCast, newSessionId, type DocumentDevice } from '../testing/document-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { createIndex, type DocumentIndex } from './index-document.ts'
import { createLaterIndex } from './later-index.ts'

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const firstDocument = binaryDocumentId(new Uint8Array(16).fill(1))
const session = { id: newSessionId(1), documentId: firstDocument, title: 'Report', createdAt: 5 }

let clock: SimulatedClock
let laptop: DocumentDevice
let opened: number

beforeEach(async () => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  laptop = await createDocumentCast(clock).join('laptop')
  opened = 0
  const before = await openNow()
  before.putDocument({ id: firstDocument, kind: 'text' })
  before.putSession(session)
  await before.close()
})

function openNow(): Promise<DocumentIndex> {
  return createIndex(laptop.documents, binaryDocumentId(laptop.group.rootDocumentId))
}

function openLater(): DocumentIndex {
  return createLaterIndex({
    open: () => {
      opened++
      return openNow()
    },
    clock,
    logger: quiet,
  })
}

test('[D30] empty at first, and complete after a while, by itself', async () => {
  const index = openLater()
  expect(index.isRead()).toBe(false)
  expect(index.sessions.peek()).toEqual([])
  await clock.advance(1_000)
  expect(index.isRead()).toBe(true)
  expect(index.sessions.peek()).toEqual([session])
  expect(index.documents.peek()).toEqual([{ id: firstDocument, kind: 'text' }])
})

test('[D30] what is put at once is read for at once, and a session keeps the time it was made', async () => {
  const index = openLater()
  const second = binaryDocumentId(new Uint8Array(16).fill(2))
  index.putDocument({ id: second, kind: 'text' })
  index.putSession({ ...session, title: 'Annual report', createdAt: 9 })
  await clock.advance(1_000)
  expect(opened).toBe(1)
  expect(index.documents.peek().map(({ id }) => id)).toEqual([firstDocument, second])
  expect(index.sessions.peek()).toEqual([{ ...session, title: 'Annual report' }])
})

test('[D30] closed before it was read, it never is', async () => {
  await openLater().close()
  await clock.advance(1_000)
  expect(opened).toBe(0)
})

test('[D30] what was put just before closing is there the next time', async () => {
  const index = openLater()
  index.putSession({ ...session, id: newSessionId(2), title: 'Last minute' })
  await index.close()
  expect(
    (await openNow()).sessions
      .peek()
      .map(({ title }) => title)
      .toSorted(),
  ).toEqual(['Last minute', 'Report'])
})

test('[D30] whoever waits for it does not wait for the clock', async () => {
  const index = openLater()
  await index.whenRead()
  expect(index.sessions.peek()).toEqual([session])
})
