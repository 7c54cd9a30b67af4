import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeCbor } from '../lib/codec.ts'
import type { DeviceId, SessionId } from '../lib/ids.ts'
import { binaryDocumentId } from '../testing/document-cast.ts'
import { encodeReceipt, noteReceipt, type Receipt } from './receipts.ts'
import {
  MAX_TOMBSTONE_BYTES,
  TOMBSTONE_PREFIX,
  decodeTombstone,
  encodeTombstone,
  tombstoneBodies,
  type DeletedDocument,
} from './tombstone.ts'
import { editsBeyond, knowledgeOf, packKnowledge, unpackKnowledge } from './versions.ts'

const DESK = 'desk' as DeviceId
const NAME = `${TOMBSTONE_PREFIX}${'ab'.repeat(16)}`
const SESSION = '07'.repeat(16) as SessionId
const documentId = (byte: number): DocumentId => binaryDocumentId(new Uint8Array(16).fill(byte))
const known = new Map([
  ['00112233445566aa', 7],
  ['ff00000000000000', 4_000_000_000],
])

test('[X10] a tombstone comes back as it was written, under its name alone', () => {
  const documents: DeletedDocument[] = [
    { documentId: documentId(1), kind: 'session', known },
    { documentId: documentId(2), kind: 'views', known: undefined },
  ]
  const body = encodeTombstone({ at: 5, session: SESSION, documents })
  expect(decodeTombstone(NAME, body)).toEqual({ ok: true, value: { id: 'ab'.repeat(16), at: 5, session: SESSION, documents } })
  expect(decodeTombstone('deletion/short', body).ok).toBe(false)
  expect(decodeTombstone(`other/${'ab'.repeat(16)}`, body).ok).toBe(false)
})

test('[X10] what is too long for one becomes several, and one document alone goes without what was known', () => {
  const many = new Map(Array.from({ length: 2_000 }, (_, i) => [i.toString(16).padStart(16, '0'), 1] as const))
  const tooMany = new Map(Array.from({ length: 12_000 }, (_, i) => [i.toString(16).padStart(16, '0'), 1] as const))
  const documents: DeletedDocument[] = [1, 2, 3, 4, 5, 6, 7, 8].map(byte => ({
    documentId: documentId(byte),
    kind: 'document',
    known: many,
  }))
  documents.push({ documentId: documentId(9), kind: 'document', known: tooMany })
  const bodies = tombstoneBodies({ at: 1, session: undefined, documents })
  expect(bodies.length).toBeGreaterThan(1)
  const read = bodies.map(body => decodeTombstone(NAME, body))
  expect(bodies.every(body => body.length <= MAX_TOMBSTONE_BYTES)).toBe(true)
  const all = read.flatMap(result => (result.ok ? result.value.documents : []))
  expect(all.map(each => each.documentId)).toEqual(documents.map(each => each.documentId))
  expect(all.map(each => each.known?.size)).toEqual([...Array<number>(8).fill(2_000), undefined])
})

test('[X9] the changes of an actor beyond what was known are edits, also where what was known is not here', () => {
  const first = A.from<{ text: string }>({ text: 'hello' }, { actor: 'aa'.repeat(16) })
  const there = A.change(A.clone(first, { actor: 'bb'.repeat(16) }), doc => void (doc.text = 'there'))
  const here = A.change(A.clone(first, { actor: 'cc'.repeat(16) }), doc => void (doc.text = 'here'))
  const knew = unpackKnowledge(packKnowledge(knowledgeOf(there)))
  expect(editsBeyond(first, knew)).toBe(0)
  expect(editsBeyond(here, knew)).toBe(1)
  expect(editsBeyond(A.merge(here, there), knew)).toBe(1)
})

test('[X10] nothing that comes throws', () => {
  const values = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.anything({ maxDepth: 3 }).map(encodeAny))
  fc.assert(
    fc.property(values, body => {
      decodeTombstone(NAME, body)
      noteReceipt(new Map(), { device: DESK, sequence: 1, body })
    }),
    { numRuns: 10_000 },
  )
  const receipts = new Map<DeviceId, Receipt>()
  noteReceipt(receipts, { device: DESK, sequence: 1, body: encodeReceipt(['ab'.repeat(16)], []) })
  expect(receipts.get(DESK)).toEqual({ sequence: 1, gone: new Set(['ab'.repeat(16)]), waiting: new Set() })
})

function encodeAny(value: unknown): Uint8Array {
  try {
    return encodeCbor(value)
  } catch {
    return new Uint8Array()
  }
}

test('[X1] of what a device says of its deletions the newest stays, whatever order it comes in', () => {
  const receipts = new Map<DeviceId, Receipt>()
  noteReceipt(receipts, { device: DESK, sequence: 2, body: encodeReceipt(['ab'.repeat(16)], []) })
  noteReceipt(receipts, { device: DESK, sequence: 1, body: encodeReceipt([], ['ab'.repeat(16)]) })
  expect(receipts.get(DESK)?.gone.size).toBe(1)
})
