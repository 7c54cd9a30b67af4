/**
 * Changes whose bytes are in order and whose numbers lie: every check of a single change passes, and Automerge fails half way through
 * applying them, so that what it was working on can be neither saved nor copied any more.
 */
import * as A from '@automerge/automerge'
import { documentIdToBinary, type DocumentId } from '@automerge/automerge-repo'
import { expect, test } from 'vitest'
import { sha256 } from '../crypto/hash.ts'
import { concatBytes } from '../lib/bytes.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import { createDocumentCast, type DocumentDevice } from '../testing/document-cast.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { createSimulatedClock } from '../testing/simulated-clock.ts'
import { readCommit, readEnvelope } from './commit.ts'
import { commitContentKey } from './content-keys.ts'
import { createSealer } from './sealer.ts'

interface Note {
  text: string
}
const LIES = ['its number', 'its first operation, low', 'its first operation, high'] as const
type Lie = (typeof LIES)[number]

/** A change on top of `doc` with one number changed, its checksum in order. */
function lyingChange(doc: A.Doc<Note>, lie: Lie): Uint8Array {
  const evil = A.change(A.load<Note>(A.save(doc), { actor: 'ee'.repeat(16) }), { time: 0 }, draft =>
    A.splice(draft, ['text'], 0, 0, 'evil '),
  )
  const envelope = readEnvelope(A.getLastLocalChange(evil) as Uint8Array)
  const contents = Uint8Array.from(envelope?.contents ?? [])
  const seqAt = 1 + 32 + 1 + 16 // one dependency, the actor
  if (lie === 'its number') contents[seqAt] = 9
  else contents[seqAt + 1] = lie === 'its first operation, low' ? 1 : 127
  const length = contents.length < 128 ? [contents.length] : [(contents.length & 0x7f) | 0x80, contents.length >> 7]
  const body = Uint8Array.from([1, ...length, ...contents])
  return concatBytes(Uint8Array.of(0x85, 0x6f, 0x4a, 0x83), sha256(body).subarray(0, 4), body)
}

function sealed({ keyring }: DocumentDevice, id: DocumentId, content: Uint8Array): SealedChunk {
  const documentId = documentIdToBinary(id) as Uint8Array
  const commit = readCommit(content)
  if (!commit.ok) throw new Error(commit.error)
  const sealer = createSealer({ keyring, random: createSeededRandom(9) })
  return sealer.seal({ class: 'commit', documentId, contentKey: commitContentKey(commit.value.hash), content })
}

test.each(LIES)('[D13] [D28] a change that lies about %s costs nobody the document, open or closed', async lie => {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createDocumentCast(clock)
  const laptop = await cast.join('laptop')
  const desk = await cast.join('desk')
  cast.link(laptop, desk)
  const note = await laptop.documents.create<Note>(draft => void (draft.text = 'hello'))
  note.change(draft => A.splice(draft, ['text'], 5, 0, ' world'))
  await laptop.documents.flush()
  await clock.advance(1_000)
  const onDesk = await desk.documents.open<Note>(note.documentId)

  await laptop.replica.add([sealed(laptop, note.documentId, lyingChange(note.doc(), lie))])
  await clock.advance(1_000)
  note.change(draft => A.splice(draft, ['text'], 11, 0, '!'))
  onDesk.change(draft => A.splice(draft, ['text'], 0, 0, 'oh, '))
  await clock.advance(1_000)
  expect([note.doc().text, onDesk.doc().text]).toEqual(['oh, hello world!', 'oh, hello world!'])

  await laptop.documents.flush()
  await desk.documents.flush()
  await cast.restart(desk)
  const again = await desk.documents.open<Note>(note.documentId)
  expect(again.doc().text).toBe('oh, hello world!')
  expect(desk.complaints).toContain('chunk-set-aside')
  again.change(draft => A.splice(draft, ['text'], 0, 4, ''))
  expect(A.load<Note>(A.save(again.doc())).text).toBe('hello world!')
  await cast.close()
})

test.each(LIES)('[D28] what was shown and is not on disk yet stays when a change comes that lies about %s', async lie => {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const cast = createDocumentCast(clock)
  const [laptop, desk] = [await cast.join('laptop'), await cast.join('desk')]
  cast.link(laptop, desk)
  const note = await laptop.documents.create<Note>(draft => void (draft.text = 'hello'))
  await laptop.documents.flush()
  await clock.advance(10_000)
  const onDesk = await desk.documents.open<Note>(note.documentId)
  const lying = lyingChange(note.doc(), lie)

  const letWrite = desk.store.holdWrites()
  note.change(draft => A.splice(draft, ['text'], 5, 0, ' world'))
  await clock.advance(50)
  expect(onDesk.doc().text).toBe('hello world')
  await laptop.replica.add([sealed(laptop, note.documentId, lying)])
  await clock.advance(50)
  expect(desk.complaints.length).toBeGreaterThan(0)
  expect(onDesk.doc().text).toBe('hello world')
  letWrite()
  await clock.advance(1_000)
  expect(onDesk.doc().text).toBe('hello world')
  await cast.close()
})
