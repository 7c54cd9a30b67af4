import * as A from '@automerge/automerge'
import { binaryDocumentId, newSessionId } from '../testing/document-cast.ts'
import { beforeEach, expect, test } from 'vitest'
import { createDocumentCast, type DocumentCast, type DocumentDevice } from '../testing/document-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { createIndex, type DocumentIndex, type OpenIndex } from './index-document.ts'
import { ROOT_GENESIS, ROOT_GENESIS_HASH } from './root-genesis.ts'

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

function indexOf(device: DocumentDevice): Promise<OpenIndex> {
  return createIndex(device.documents, binaryDocumentId(device.group.rootDocumentId))
}

test('[D26] the pinned genesis is what it was', () => {
  expect(A.decodeChange(ROOT_GENESIS)).toMatchObject({ hash: ROOT_GENESIS_HASH, actor: '00'.repeat(16), seq: 1, time: 0, deps: [] })
})

test('[D26] what two devices add before they ever met is all there', async () => {
  const here = await indexOf(laptop)
  const there = await indexOf(desk)
  for (let i = 0; i < 20; i++) {
    here.putDocument({ id: binaryDocumentId(new Uint8Array(16).fill(i)), kind: 'text', title: `laptop ${i}` })
    there.putDocument({ id: binaryDocumentId(new Uint8Array(16).fill(i, 1)), kind: 'text' })
    there.putSession({ id: newSessionId(i), documentId: binaryDocumentId(new Uint8Array(16).fill(99)), title: `s${i}`, createdAt: 5 })
  }
  cast.link(laptop, desk)
  const isComplete = ({ documents, sessions }: DocumentIndex): boolean => documents.peek().length === 39 && sessions.peek().length === 20
  await clock.runUntil(() => isComplete(here) && isComplete(there))
  expect(here.documents.peek()).toEqual(there.documents.peek())
  expect(here.sessions.peek()[3]).toEqual({
    id: newSessionId(3),
    documentId: binaryDocumentId(new Uint8Array(16).fill(99)),
    title: 's3',
    createdAt: 5,
  })
})

test('[D26] the genesis is one chunk, however many load it, and loading it again adds nothing', async () => {
  const index = await indexOf(laptop)
  await indexOf(desk)
  await laptop.documents.flush()
  cast.link(laptop, desk)
  await clock.advance(5_000)
  await index.close()
  await laptop.documents.evict(index.handle.documentId)
  await indexOf(laptop)
  await laptop.documents.flush()
  const commits = await laptop.store.listDocument(laptop.documents.docTagOf(index.handle.documentId))
  expect(commits.filter(record => record.class === 'commit').length).toBe(1)
})

test('[D26] putting the same entry twice is one change', async () => {
  const index = await indexOf(laptop)
  const entry = { id: binaryDocumentId(new Uint8Array(16).fill(5)), kind: 'text', title: 'a' }
  index.putDocument(entry)
  const before = index.handle.heads()
  index.putDocument(entry)
  expect(index.handle.heads()).toEqual(before)
  index.putDocument({ ...entry, title: 'b' })
  expect(index.documents.peek()).toEqual([{ ...entry, title: 'b' }])
})
