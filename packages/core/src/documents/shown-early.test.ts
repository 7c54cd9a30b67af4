import * as A from '@automerge/automerge'
import { beforeEach, expect, test } from 'vitest'
import { createDocumentCast, type DocumentCast, type DocumentDevice } from '../testing/document-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'

interface Note {
  text: string
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
  cast.link(laptop, desk)
})

test('[D29] a letter shows while the disk has not taken it yet; whenContains waits for the disk', async () => {
  const here = await laptop.documents.create<Note>(draft => void (draft.text = ''))
  const opening = desk.documents.open<Note>(here.documentId)
  await clock.advance(1_000)
  const there = await opening
  await clock.advance(1_000)

  const letGo = desk.store.holdWrites()
  here.change(draft => A.splice(draft, ['text'], 0, 0, 'x'))
  let isContained = false
  void desk.documents.whenContains(here.documentId, A.getHeads(here.doc())).then(() => (isContained = true))
  await clock.advance(500)
  expect(there.doc().text).toBe('x')
  expect(isContained).toBe(false)
  letGo()
  await clock.runUntil(() => isContained)
  expect(A.getHeads(there.doc())).toEqual(A.getHeads(here.doc()))
})

test('[D29] a document opened while its chunks are between check and disk gets them', async () => {
  await clock.advance(1_000)
  const letGo = desk.store.holdWrites()
  const here = await laptop.documents.create<Note>(draft => void (draft.text = 'on its way'))
  await clock.advance(500) // checked on the desk by now, and nobody had it open
  const opening = desk.documents.open<Note>(here.documentId)
  await clock.advance(500)
  letGo()
  await clock.advance(500)
  expect((await opening).doc().text).toBe('on its way')
})
