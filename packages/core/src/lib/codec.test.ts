import * as v from 'valibot'
import { expect, test } from 'vitest'
import { bytesUpTo, decodeCbor, encodeCbor } from './codec.ts'

const FRAME = v.strictObject({ type: v.literal('chunks'), chunks: v.pipe(v.array(bytesUpTo(8)), v.maxLength(4)) })

test('decoding stops at the first thing that is wrong, so what a wrong frame costs is bounded by its size', () => {
  const frame = encodeCbor({ type: 'chunks', chunks: Array.from({ length: 200_000 }, () => 0) })
  expect(decodeCbor(FRAME, frame, frame.length)).toEqual({ ok: false, error: { reason: 'wrong-shape', detail: 'chunks.0' } })
})

test('a map cannot give itself a prototype', () => {
  const bytes = Uint8Array.from([
    0xa1,
    0x69,
    ...new TextEncoder().encode('__proto__'),
    0xa1,
    0x64,
    ...new TextEncoder().encode('type'),
    0x01,
  ])
  const decoded = decodeCbor(v.object({ type: v.number() }), bytes, bytes.length)
  expect(decoded).toMatchObject({ ok: false, error: { reason: 'wrong-shape' } })
})
