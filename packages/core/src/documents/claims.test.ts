import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { beforeEach, expect, test } from 'vitest'
import { openChunk } from '../crypto/index.ts'
import { utf8 } from '../lib/bytes.ts'
import type { ChunkId, DeviceId, EpochId } from '../lib/ids.ts'
import { createDocumentCast, type DocumentCast, type DocumentDevice } from '../testing/document-cast.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'
import { readClaim, type Claim } from './claims.ts'

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
})

async function claimsIn(
  device: DocumentDevice,
  handle: DocHandle<Note>,
): Promise<readonly { device: DeviceId; claim: Claim; sequence: number }[]> {
  const records = await device.store.listDocument(device.documents.docTagOf(handle.documentId))
  const chunks = await device.store.getMany(records.filter(record => record.class === 'register').map(record => record.id))
  return chunks.map(chunk => {
    const opened = openChunk(chunk, device.keyring.secretOf(chunk.epoch) as Uint8Array)
    if (!opened.ok) throw new Error(opened.error)
    const read = readClaim(opened.value.content, chunk.sequence, opened.value.documentId)
    if (!read.ok) throw new Error(read.error)
    return { ...read.value, sequence: chunk.sequence }
  })
}

const type = (handle: DocHandle<Note>): void => handle.change(draft => A.splice(draft, ['text'], 0, 0, 'x'))

test('[D24] a second after own changes, a claim names the latest', async () => {
  const handle = await laptop.documents.create<Note>(draft => void (draft.text = ''))
  type(handle)
  await clock.advance(999)
  expect(await claimsIn(laptop, handle)).toEqual([])
  await clock.advance(1)
  expect(await claimsIn(laptop, handle)).toMatchObject([{ device: laptop.id, claim: { own: A.getHeads(handle.doc()) } }])
})

test('[D24] typing for ten seconds makes ten claims', async () => {
  const handle = await laptop.documents.create<Note>(draft => void (draft.text = ''))
  for (let i = 0; i < 100; i++) {
    type(handle)
    await clock.advance(100)
  }
  const [claim] = await claimsIn(laptop, handle)
  expect(claim?.sequence).toBeGreaterThanOrEqual(9)
  expect(claim?.sequence).toBeLessThanOrEqual(10)
})

test('[D24] closing a document claims what is not claimed yet', async () => {
  const handle = await laptop.documents.create<Note>(draft => void (draft.text = ''))
  type(handle)
  const heads = A.getHeads(handle.doc())
  await laptop.documents.evict(handle.documentId)
  expect(await claimsIn(laptop, handle)).toMatchObject([{ claim: { own: heads } }])
})

test('[D24] what others wrote is not claimed', async () => {
  cast.link(laptop, desk)
  const handle = await laptop.documents.create<Note>(draft => void (draft.text = ''))
  let there: DocHandle<Note> | undefined
  void desk.documents.open<Note>(handle.documentId).then(opened => (there = opened))
  await clock.runUntil(() => there !== undefined)
  type(handle)
  await clock.advance(5_000)
  expect(new Set((await claimsIn(desk, handle)).map(({ device }) => device))).toEqual(new Set([laptop.id]))
})

test('[D25] after a restart the sequence goes on, and the new claim vouches for the changes of both runs', async () => {
  const handle = await laptop.documents.create<Note>(draft => void (draft.text = ''))
  type(handle)
  await clock.advance(2_000)
  const [before] = await claimsIn(laptop, handle)
  await cast.restart(laptop)
  const again = await laptop.documents.open<Note>(handle.documentId)
  type(again)
  await clock.advance(2_000)
  const [after] = await claimsIn(laptop, handle)
  expect(after?.sequence).toBe((before?.sequence ?? 0) + 1)
  expect(after?.claim.own).toEqual([...A.getHeads(again.doc()), ...(before?.claim.own ?? [])])
})

test('[D27] the actors of a document are known by device, on every device and after a restart', async () => {
  cast.link(laptop, desk)
  const handle = await laptop.documents.create<Note>(draft => void (draft.text = ''))
  let there: DocHandle<Note> | undefined
  void desk.documents.open<Note>(handle.documentId).then(opened => (there = opened))
  await clock.runUntil(() => there !== undefined)
  type(handle)
  type(there as DocHandle<Note>)
  await clock.advance(5_000)
  const [here, other] = [A.getActorId(handle.doc()), A.getActorId((there as DocHandle<Note>).doc())]
  const expected = new Map([
    [here, laptop.id],
    [other, desk.id],
  ])
  expect(await laptop.documents.authors(handle.documentId)).toEqual(expected)
  expect(await desk.documents.authors(handle.documentId)).toEqual(expected)
  await cast.restart(laptop)
  const again = await laptop.documents.open<Note>(handle.documentId)
  type(again)
  await clock.advance(2_000)
  expect(await laptop.documents.authors(handle.documentId)).toEqual(new Map([...expected, [A.getActorId(again.doc()), laptop.id]]))
})

test('[D24] the first change of a document made through the repo is claimed too', async () => {
  const handle = laptop.documents.repo.create<Note>({ text: 'made at once' })
  await clock.advance(1_000)
  expect(await claimsIn(laptop, handle)).toMatchObject([{ device: laptop.id, claim: { own: A.getHeads(handle.doc()) } }])
})

test('[D24] what a disk that could not be read kept from being claimed is claimed when it can', async () => {
  const handle = await laptop.documents.create<Note>(draft => void (draft.text = ''))
  const { get } = laptop.store
  laptop.store.get = () => Promise.reject(new Error('a bad block'))
  await expect(laptop.documents.flush()).rejects.toThrow('a bad block')
  await clock.advance(2_000)
  laptop.store.get = get
  await clock.advance(1_000)
  expect(await claimsIn(laptop, handle)).toMatchObject([{ claim: { own: A.getHeads(handle.doc()) } }])
  await laptop.documents.flush()
})

test('[D32] a register of an epoch nobody has, put in the place of a claim, does not end the claims', async () => {
  const handle = await laptop.documents.create<Note>(draft => void (draft.text = ''))
  await clock.advance(2_000)
  const { documentId } = handle
  const [claim] = await laptop.store
    .listDocument(laptop.documents.docTagOf(documentId))
    .then(all => all.filter(each => each.class === 'register'))
  const chunk = await laptop.store.get(claim?.id as ChunkId)
  if (chunk === undefined) throw new Error('no claim')
  const sequence = Number.MAX_SAFE_INTEGER
  const squat = { ...chunk, epoch: 'ee'.repeat(16) as EpochId, sequence, bytes: chunk.bytes.slice().fill(9, 74) }
  const records = new Map([[`unchecked/${chunk.id}`, utf8(chunk.docTag)]])
  await laptop.store.apply({ put: [squat], records })
  await cast.restart(laptop)
  const again = await laptop.documents.open<Note>(documentId)
  type(again)
  await clock.advance(2_000)
  expect(await claimsIn(laptop, again)).toMatchObject([{ device: laptop.id, sequence: 1, claim: { own: A.getHeads(again.doc()) } }])
})
