import { expect, test } from 'vitest'
import { systemRandom } from './system-random.ts'

test('what is given is as long as asked, never given twice, and belongs to who asked', () => {
  const given = Array.from({ length: 2_000 }, (_, i) => systemRandom.bytes(16 + (i % 32)))
  expect(given.map(({ length }) => length)).toEqual(given.map((_, i) => 16 + (i % 32)))
  expect(new Set(given.map(bytes => Buffer.from(bytes.subarray(0, 16)).toString('hex'))).size).toBe(2_000)
  expect(new Set(given.map(({ buffer }) => buffer)).size).toBe(2_000)
  expect(systemRandom.bytes(100_000).some(byte => byte !== 0)).toBe(true)
  expect(systemRandom.bytes(0).length).toBe(0)
})
