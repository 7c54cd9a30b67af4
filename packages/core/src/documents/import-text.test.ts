import { expect, test } from 'vitest'
import * as fc from 'fast-check'
import { utf8 } from '../lib/bytes.ts'
import { checkText, cutText } from './import-text.ts'

test('[D23] pieces join to the text, fit the size, and cut no character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.integer({ min: 4, max: 40 }), (text, size) => {
      const pieces = cutText(text, size)
      expect(pieces.join('')).toBe(text)
      for (const piece of pieces) {
        expect(utf8(piece).length).toBeLessThanOrEqual(size)
        expect(new TextDecoder().decode(utf8(piece))).toBe(piece)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('[D23] the limit is 1 MiB of UTF-8, whatever the number of letters', () => {
  checkText('a'.repeat(2 ** 20))
  checkText('😀'.repeat(2 ** 18))
  expect(() => checkText(`${'a'.repeat(2 ** 20)}a`)).toThrow(expect.objectContaining({ code: 'DOCUMENT_TOO_LARGE' }))
  expect(() => checkText(`${'é'.repeat(2 ** 19)}a`)).toThrow(expect.objectContaining({ code: 'DOCUMENT_TOO_LARGE' }))
})

test('[D23] half a surrogate pair is not text', () => {
  expect(() => checkText('a\ud83d')).toThrow(expect.objectContaining({ code: 'DOCUMENT_NOT_TEXT' }))
})
