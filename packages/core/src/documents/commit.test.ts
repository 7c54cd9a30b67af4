import { randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import * as A from '@automerge/automerge'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { concatBytes } from '../lib/bytes.ts'
import { readCommit } from './commit.ts'
import { inflate } from './byte-reader.ts'

function variedDocument(): A.Doc<Record<string, unknown>> {
  let doc = A.from<Record<string, unknown>>({
    text: '',
    map: {},
    list: [1, 'two', null, true],
    n: 1.5,
    at: new Date(5),
    count: new A.Counter(3),
  })
  for (let i = 0; i < 300; i++) {
    doc = A.change(doc, i % 3 === 0 ? { message: `step ${i}` } : {}, draft => {
      A.splice(draft, ['text'], 0, i % 5 === 0 ? 0 : 0, i % 2 === 0 ? 'aé' : '😀')
      Object.assign(draft['map'] as object, { [`k${i % 40}`]: i })
      if (i % 7 === 0) (draft['count'] as A.Counter).increment(2)
      if (i % 11 === 0) A.mark(draft, ['text'], { start: 0, end: 1, expand: 'both' }, 'bold', true)
      if (i % 13 === 0) (draft['list'] as unknown[]).push(i)
    })
  }
  return A.merge(
    doc,
    A.change(A.clone(doc), draft => void (draft['other'] = 1)),
  )
}

test('[D16] hash, deps, actor and seq are those that Automerge decodes', () => {
  for (const bytes of A.getAllChanges(variedDocument())) {
    const { hash, deps, actor, seq } = A.decodeChange(bytes)
    expect(readCommit(bytes)).toEqual({ ok: true, value: { hash, deps, actor, seq } })
  }
})

test('[D16] a deflated change has the hash of the plain one', () => {
  const plain = A.getLastLocalChange(A.from({ text: 'hello '.repeat(10_000) })) as Uint8Array
  const headerBytes = 9 + lebBytes(plain.length)
  const deflated = deflateRawSync(plain.subarray(headerBytes))
  const packed = concatBytes(plain.subarray(0, 8), new Uint8Array([2]), leb(deflated.length), deflated)
  expect(readCommit(packed)).toEqual(readCommit(plain))
})

test('[D16] what would inflate beyond the limit is refused', () => {
  const bomb = deflateRawSync(new Uint8Array(100 * 2 ** 20))
  expect(bomb.length).toBeLessThan(110_000)
  expect(inflate(bomb, 2 ** 20)).toBeUndefined()
  const commit = concatBytes(new Uint8Array([0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 2]), leb(bomb.length), bomb)
  expect(readCommit(commit)).toMatchObject({ ok: false })
})

test('[D16] more operations than fit into the limit are refused', () => {
  const bytes = A.getLastLocalChange(A.from({ text: 'a'.repeat(50_000) })) as Uint8Array
  expect(readCommit(bytes)).toMatchObject({ ok: true })
  expect(readCommit(bytes, { maxInflatedBytes: 100_000 })).toMatchObject({ ok: false })
})

test('[D16] two changes, a trailing byte, a flipped byte are no commit', () => {
  const bytes = A.getLastLocalChange(A.from({ a: 1 })) as Uint8Array
  expect(readCommit(concatBytes(bytes, bytes))).toMatchObject({ ok: false })
  expect(readCommit(concatBytes(bytes, new Uint8Array(1)))).toMatchObject({ ok: false })
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice()
    flipped[at] = (flipped[at] as number) ^ 1
    expect(readCommit(flipped), `byte ${at}`).toMatchObject({ ok: false })
  }
})

test('[D16] no bytes make it throw', () => {
  const magic = new Uint8Array([0x85, 0x6f, 0x4a, 0x83])
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isPrefixed) => {
      expect(readCommit(isPrefixed ? concatBytes(magic, bytes) : bytes).ok).toBe(false)
    }),
    { numRuns: 10_000 },
  )
  for (const type of [1, 2]) {
    for (let i = 0; i < 500; i++) {
      const contents = randomBytes(100)
      readCommit(concatBytes(magic, new Uint8Array([0, 0, 0, 0, type]), leb(100), contents))
    }
  }
})

function leb(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest >= 128 ? (rest % 128) | 0x80 : rest)
    if (rest < 128) return new Uint8Array(bytes)
  }
}

function lebBytes(total: number): number {
  for (let bytes = 1; ; bytes++) if (leb(total - 9 - bytes).length === bytes) return bytes
}
