/**
 * Positions in a text that stay where they belong while others type. A point stands right behind one character, named by an
 * Automerge cursor; when that character goes, the point stands where it was. So a caret stays behind the letter typed last,
 * also at the end of the text, where a plain Automerge cursor would run off with whatever is appended.
 */
import * as A from '@automerge/automerge'
import type { DocumentPath } from './contract.ts'

/** 'start' or an Automerge cursor to the character the point stands behind. */
export type Point = string

const START: Point = 'start'

/** The text at `path`, or undefined when there is none. */
export function textAt(doc: unknown, path: DocumentPath): string | undefined {
  let value: unknown = doc
  for (const key of path) value = typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[key] : undefined
  return typeof value === 'string' ? value : undefined
}

/** The point at `position` (UTF-16 units; beyond the ends means at the ends), or undefined where there is no text. */
export function pointAt(doc: A.Doc<unknown>, path: DocumentPath, position: number): Point | undefined {
  const text = textAt(doc, path)
  if (text === undefined) return undefined
  const at = Math.min(Math.max(0, Math.trunc(position)), text.length)
  return at === 0 ? START : A.getCursor(doc, [...path], at - 1)
}

/** Where the point is now, or undefined when its text is not here (replaced, removed, or still on its way). */
export function positionOf(doc: A.Doc<unknown>, path: DocumentPath, point: Point): number | undefined {
  const text = textAt(doc, path)
  if (text === undefined) return undefined
  if (point === START) return 0
  try {
    const at = A.getCursorPosition(doc, [...path], point)
    if (at >= text.length) return text.length
    const isThere = A.getCursor(doc, [...path], at) === point
    return isThere ? at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) : at
  } catch {
    return undefined // a cursor of a text that this document does not have
  }
}
