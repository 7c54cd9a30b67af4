import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalBytes, utf8 } from '../lib/bytes.ts'
import { pad, padmeLength, unpad } from './padding.ts'

// Worked out by hand from the definition: E = floor(log2 L), S = floor(log2 E) + 1, the last E - S bits become zero.
test.each([
  [0, 0],
  [1, 1],
  [2, 2],
  [8, 8],
  [9, 10],
  [33, 36],
  [100, 104],
  [129, 144],
  [1_000, 1_024],
  [1_025, 1_088],
  [65_537, 67_584],
  [1_048_577, 1_081_344],
])('%i bytes are padded to %i', (length, padded) => {
  expect(padmeLength(length)).toBe(padded)
})

test('padding adds at most 12% and never shrinks as the length grows', () => {
  let before = 0
  for (let length = 2; length < 100_000; length++) {
    const padded = padmeLength(length)
    if (padded < length || padded > length * 1.12 || padded < before) throw new Error(`${length} -> ${padded}`)
    before = padded
  }
})

test('what was padded comes back', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), bytes => equalBytes(unpad(pad(bytes)) ?? utf8('lost'), bytes)))
})

test('padding other than zeros, or of another length, is refused', () => {
  const padded = pad(utf8('x'.repeat(101)))
  const scribbled = padded.slice()
  scribbled[padded.length - 1] = 1
  expect(unpad(scribbled)).toBeUndefined()
  expect(unpad(padded.subarray(0, padded.length - 1))).toBeUndefined()
  expect(unpad(new Uint8Array([255, 255, 255, 255, 0]))).toBeUndefined()
  expect(unpad(new Uint8Array(3))).toBeUndefined()
})
