import nacl from 'tweetnacl'
import { expect, test } from 'vitest'
import { concatBytes, toHex, utf8 } from '../lib/bytes.ts'
import { GROUP_DOC_TAG, LOG_EPOCH, hexId, type EpochId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { pad } from './padding.ts'
import {
  CHUNK_HEADER_BYTES,
  GROUP_DOCUMENT_ID,
  chunkIdOf,
  docTagOf,
  isNamedRight,
  openChunk,
  parseChunk,
  parseHeader,
  sealChunk,
  type ChunkToSeal,
} from './seal.ts'

const random = createSeededRandom(4)
const keys = { idKey: random.bytes(32), tagKey: random.bytes(32) }
const epoch = hexId<EpochId>(random.bytes(16))
const epochSecret = random.bytes(32)
const report: ChunkToSeal = {
  keys,
  epoch,
  epochSecret,
  class: 'commit',
  documentId: random.bytes(16),
  contentKey: random.bytes(32),
  sequence: 0,
  content: utf8('a change of the report'),
  random,
}

test('what is sealed opens, and is named right', () => {
  const chunk = sealChunk(report)
  const opened = openChunk(chunk, epochSecret)
  expect(opened).toEqual({ ok: true, value: { documentId: report.documentId, content: report.content } })
  expect(isNamedRight(chunk, keys, report.documentId, report.contentKey)).toBe(true)
  expect(isNamedRight(chunk, keys, report.documentId, random.bytes(32))).toBe(false)
  expect(isNamedRight(chunk, keys, random.bytes(16), report.contentKey)).toBe(false)
})

test('a replica without keys reads the header from the bytes', () => {
  const { bytes, ...header } = sealChunk({ ...report, class: 'register', sequence: 7 })
  expect(parseHeader(bytes)).toEqual({ ok: true, value: header })
  expect(parseChunk(bytes)).toEqual({ ok: true, value: { ...header, bytes } })
})

test('the header has 74 bytes, in the order of the format', () => {
  const chunk = sealChunk({ ...report, class: 'register', sequence: 258 })
  const expected = `0103${epoch}${chunk.docTag}${chunk.id}0000000000000102`
  expect(toHex(chunk.bytes.subarray(0, CHUNK_HEADER_BYTES))).toBe(expected)
})

test('two devices that seal the same content get the same id and other bytes', () => {
  const laptop = sealChunk(report)
  const desk = sealChunk(report)
  expect(desk.id).toBe(laptop.id)
  expect(desk.bytes).not.toEqual(laptop.bytes)
})

test('the class is part of the name', () => {
  expect(chunkIdOf(keys.idKey, 'commit', report.documentId, report.contentKey)).not.toBe(
    chunkIdOf(keys.idKey, 'fragment', report.documentId, report.contentKey),
  )
})

test('group-wide things have the docTag of zeros', () => {
  expect(docTagOf(keys.tagKey, GROUP_DOCUMENT_ID)).toBe(GROUP_DOC_TAG)
  expect(docTagOf(keys.tagKey, report.documentId)).not.toBe(GROUP_DOC_TAG)
})

test('sizes are padded: lengths close together look the same', () => {
  const lengths = new Set([200, 201, 205, 208].map(size => sealChunk({ ...report, content: new Uint8Array(size) }).bytes.length))
  expect(lengths.size).toBe(1)
})

test('a changed byte anywhere is noticed', () => {
  const chunk = sealChunk(report)
  for (let at = 0; at < chunk.bytes.length; at++) {
    const bytes = chunk.bytes.slice()
    bytes[at] = (bytes[at] as number) ^ 1
    const parsed = parseChunk(bytes)
    if (parsed.ok && openChunk(parsed.value, epochSecret).ok) throw new Error(`byte ${at} is not protected`)
  }
})

test('a header moved onto other sealed bytes is noticed, even by somebody who holds the keys', () => {
  const inner = sealChunk(report)
  const outer = sealChunk({ ...report, contentKey: random.bytes(32) })
  const nonce = random.bytes(24)
  const plain = pad(inner.bytes.subarray(0, CHUNK_HEADER_BYTES), report.documentId, report.content)
  const forged = parseChunk(concatBytes(outer.bytes.subarray(0, CHUNK_HEADER_BYTES), nonce, nacl.secretbox(plain, nonce, epochSecret)))
  expect(forged.ok && openChunk(forged.value, epochSecret)).toEqual({ ok: false, error: 'the header inside the seal is another' })
})

test('fields beside the bytes that are not those of the bytes are noticed', () => {
  const chunk = sealChunk(report)
  expect(openChunk({ ...chunk, id: sealChunk({ ...report, contentKey: random.bytes(32) }).id }, epochSecret).ok).toBe(false)
})

test.each([
  ['a commit with a sequence', { class: 'commit', sequence: 1 }],
  ['a log chunk of an epoch', { class: 'log', documentId: GROUP_DOCUMENT_ID }],
  ['a log chunk of a document', { class: 'log', epoch: LOG_EPOCH }],
  ['a commit under the log key', { class: 'commit', epoch: LOG_EPOCH }],
] as const)('%s is refused by its header', (_, change) => {
  expect(parseHeader(sealChunk({ ...report, ...change }).bytes).ok).toBe(false)
})

test('versions and classes from the future are refused', () => {
  const { bytes } = sealChunk(report)
  for (const [at, value] of [
    [0, 2],
    [1, 5],
    [1, 0],
  ] as const) {
    const changed = bytes.slice()
    changed[at] = value
    expect(parseHeader(changed).ok).toBe(false)
  }
})

test('10,000 pieces of garbage neither parse wrongly nor open', () => {
  const chunk = sealChunk(report)
  for (let i = 0; i < 10_000; i++) {
    const bytes =
      i % 3 === 0 ? random.bytes(i % 300) : chunk.bytes.slice(0, chunk.bytes.length - (i % 3 === 1 ? 0 : i % chunk.bytes.length))
    if (i % 3 === 1) bytes.set(random.bytes(4), i % (bytes.length - 4))
    const parsed = parseChunk(bytes)
    if (parsed.ok && bytes.length > 0 && toHex(bytes) !== toHex(chunk.bytes) && openChunk(parsed.value, epochSecret).ok)
      throw new Error(`opened ${i}`)
  }
})
