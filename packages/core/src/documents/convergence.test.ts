import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { beforeEach, expect, test } from 'vitest'
import { createDocumentCast, type DocumentCast, type DocumentDevice } from '../testing/document-cast.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/simulated-clock.ts'

interface Note {
  text: string
}

const RECORDED = new URL('../../../../../shared/data/sveltecomponent.json.gz', import.meta.url)
let clock: SimulatedClock
let cast: DocumentCast

beforeEach(() => {
  clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  cast = createDocumentCast(clock)
})

async function joinAll(...names: readonly string[]): Promise<readonly DocumentDevice[]> {
  const devices: DocumentDevice[] = []
  for (const name of names) devices.push(await cast.join(name))
  return devices
}

async function within<T>(promise: Promise<T>): Promise<T> {
  let isSettled = false
  const settled = promise.finally(() => (isSettled = true))
  settled.catch(() => undefined)
  await clock.runUntil(() => isSettled)
  return settled
}

const startNote = (device: DocumentDevice): Promise<DocHandle<Note>> =>
  within(device.documents.create<Note>(draft => void (draft.text = '')))
const sameHeads = (handles: readonly DocHandle<Note>[]): boolean =>
  new Set(handles.map(handle => handle.heads().toSorted().join())).size === 1

/** One keystroke or deletion of somebody who mostly types on, sometimes jumps. */
function createTypist(seed: number): (handle: DocHandle<Note>) => void {
  const random = createSeededRandom(seed)
  let at = 0
  const dice = (sides: number): number => (((random.bytes(1)[0] as number) << 8) | (random.bytes(1)[0] as number)) % sides
  return handle => {
    const { length } = handle.doc().text
    at = dice(20) === 0 ? dice(length + 1) : Math.min(at, length)
    const isDeletion = at > 0 && dice(6) === 0
    const letter = 'etaoin shrdlu\n'[dice(14)] as string
    handle.change(draft => A.splice(draft, ['text'], isDeletion ? at - 1 : at, isDeletion ? 1 : 0, isDeletion ? '' : letter))
    at += isDeletion ? -1 : 1
  }
}

async function liveBytes(device: DocumentDevice, handle: DocHandle<Note>): Promise<{ chunks: number; bytes: number }> {
  const records = (await device.store.listDocument(device.documents.docTagOf(handle.documentId))).filter(record => record.live)
  return { chunks: records.length, bytes: records.reduce((sum, record) => sum + record.byteLength, 0) }
}

test('[D14] five devices that type at the same time, through cuts, show the same', async () => {
  const devices = await joinAll('laptop', 'desk', 'phone', 'tablet', 'tower')
  const [laptop] = devices as readonly [DocumentDevice, ...DocumentDevice[]]
  const first = await startNote(laptop)
  const link = (): readonly { cut(): void }[] => devices.flatMap((a, i) => devices.slice(i + 1).map(b => cast.link(a, b)))
  let links = link()
  const handles: DocHandle<Note>[] = []
  for (const device of devices) handles.push(await within(device.documents.open<Note>(first.documentId)))
  const typists = devices.map((_, i) => createTypist(i + 1))
  for (let round = 0; round < 40; round++) {
    for (const [i, handle] of handles.entries()) typists[i]?.(handle)
    if (round % 20 === 9) for (const each of links) each.cut()
    if (round % 20 === 15) links = link()
    await clock.advance(3)
  }
  await clock.runUntil(() => sameHeads(handles))
  for (const handle of handles) expect(handle.doc().text).toBe(first.doc().text)
  expect(A.getAllChanges(first.doc()).length).toBe(201)
})

test('[D14] [D19] every chunk twice and shuffled, compacted or not, gives the same document', async () => {
  const [laptop, desk] = (await joinAll('laptop', 'desk')) as [DocumentDevice, DocumentDevice]
  const handle = await startNote(laptop)
  const typist = createTypist(7)
  for (let i = 0; i < 1_500; i++) typist(handle)
  const tag = laptop.documents.docTagOf(handle.documentId)
  await within(laptop.documents.flush())
  const commits = await laptop.store.getMany((await laptop.store.listDocument(tag)).map(record => record.id))
  expect(await within(laptop.documents.compact(handle.documentId))).toBeGreaterThan(0)
  const fragments = await laptop.store.getMany((await laptop.store.listDocument(tag)).map(record => record.id))
  const random = createSeededRandom(11)
  const all = [...commits, ...commits, ...fragments, ...fragments]
  const shuffled = all.map(chunk => ({ chunk, at: random.bytes(4).join() })).toSorted((a, b) => (a.at < b.at ? -1 : 1))
  for (let i = 0; i < shuffled.length; i += 50) await within(desk.replica.add(shuffled.slice(i, i + 50).map(({ chunk }) => chunk)))
  const there = await within(desk.documents.open<Note>(handle.documentId))
  expect(there.heads()).toEqual(handle.heads())
  expect(there.doc()).toEqual(handle.doc())
})

test('[D19] a compacted and an uncompacted replica end equal, and their summaries too', async () => {
  const [laptop, desk] = (await joinAll('laptop', 'desk')) as [DocumentDevice, DocumentDevice]
  const link = cast.link(laptop, desk)
  const here = await startNote(laptop)
  const there = await within(desk.documents.open<Note>(here.documentId))
  const typist = createTypist(3)
  for (let i = 0; i < 1_200; i++) typist(here)
  await clock.runUntil(() => sameHeads([here, there]))
  link.cut()
  await within(laptop.documents.compact(here.documentId))
  const other = createTypist(4)
  for (let i = 0; i < 50; i++) {
    typist(here)
    other(there)
  }
  cast.link(laptop, desk)
  await clock.runUntil(() => sameHeads([here, there]) && laptop.replica.fingerprint() === desk.replica.fingerprint())
  expect(there.doc()).toEqual(here.doc())
  await laptop.documents.evict(here.documentId)
  await laptop.replica.putSnapshot(laptop.documents.docTagOf(here.documentId), undefined)
  expect((await within(laptop.documents.open<Note>(here.documentId))).doc()).toEqual(there.doc())
})

test('[D20] compacting again makes nothing, and after more typing only what is new', async () => {
  const [laptop] = (await joinAll('laptop')) as [DocumentDevice]
  const handle = await startNote(laptop)
  const typist = createTypist(5)
  for (let i = 0; i < 1_500; i++) typist(handle)
  const first = await within(laptop.documents.compact(handle.documentId))
  expect(first).toBeGreaterThan(0)
  expect(await within(laptop.documents.compact(handle.documentId))).toBe(0)
  for (let i = 0; i < 1_500; i++) typist(handle)
  await within(laptop.documents.evict(handle.documentId))
  const second = await within(laptop.documents.compact(handle.documentId))
  expect(second).toBeGreaterThan(0)
  expect(laptop.documents.state(handle.documentId).peek()).toBe('closed')
})

test('[D20] an idle document is compacted by itself', async () => {
  const [laptop] = (await joinAll('laptop')) as [DocumentDevice]
  const handle = await startNote(laptop)
  const typist = createTypist(6)
  for (let i = 0; i < 1_500; i++) typist(handle)
  await clock.advance(30_000)
  expect((await liveBytes(laptop, handle)).chunks).toBeLessThan(1_000)
  expect(laptop.complaints).toEqual([])
})

test('[D21] 20,000 letters are less than a tenth of their size when compacted', async () => {
  const [laptop] = (await joinAll('laptop')) as [DocumentDevice]
  const handle = await startNote(laptop)
  for (let i = 0; i < 20_000; i++) handle.change(draft => A.splice(draft, ['text'], i, 0, 'a'))
  await within(laptop.documents.flush())
  const before = await liveBytes(laptop, handle)
  await within(laptop.documents.compact(handle.documentId))
  const after = await liveBytes(laptop, handle)
  expect(after.bytes).toBeLessThan(before.bytes / 10)
})

test.skipIf(!existsSync(RECORDED))('[D14] a recorded typing session arrives letter for letter', async () => {
  const [laptop, desk] = (await joinAll('laptop', 'desk')) as [DocumentDevice, DocumentDevice]
  const recording = JSON.parse(gunzipSync(readFileSync(RECORDED)).toString()) as Recording
  cast.link(laptop, desk)
  const here = await startNote(laptop)
  const there = await within(desk.documents.open<Note>(here.documentId))
  for (const [i, { patches }] of recording.txns.slice(0, 1_000).entries()) {
    here.change(draft => {
      for (const [at, deleted, inserted] of patches) A.splice(draft, ['text'], at, deleted, inserted)
    })
    if (i % 100 === 0) await clock.advance(5)
  }
  await clock.runUntil(() => sameHeads([here, there]))
  expect(there.doc().text).toBe(here.doc().text)
})

interface Recording {
  readonly txns: readonly { readonly patches: readonly (readonly [number, number, string])[] }[]
}
