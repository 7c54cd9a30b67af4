/**
 * A file's text into a document. A change of 5 MB takes 13 s and 2.5 GB to apply, so it goes in pieces and is bounded. Sizes are
 * in bytes of UTF-8; positions in Automerge's texts are in UTF-16 units, as in JavaScript, and a piece never cuts a surrogate pair.
 */
import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { fromUtf8, utf8 } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import { IMPORT_PIECE_BYTES, MAX_TEXT_BYTES } from '../wire/limits.ts'
import type { AnyDoc } from './any-doc.ts'

/** Pieces of at most `maxBytes` (at least 4) of UTF-8 each, which joined are `text`. */
export function cutText(text: string, maxBytes: number): readonly string[] {
  const pieces: string[] = []
  let start = 0
  let bytes = 0
  for (let at = 0; at < text.length;) {
    const point = text.codePointAt(at) as number
    const pointBytes = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
    if (bytes + pointBytes > maxBytes) {
      pieces.push(text.slice(start, at))
      start = at
      bytes = 0
    }
    bytes += pointBytes
    at += point < 0x10000 ? 1 : 2
  }
  if (start < text.length) pieces.push(text.slice(start))
  return pieces
}

/** Throws DOCUMENT_TOO_LARGE or DOCUMENT_NOT_TEXT. */
export function checkText(text: string): void {
  const bytes = utf8(text)
  if (bytes.length > MAX_TEXT_BYTES) throw new SegueError('DOCUMENT_TOO_LARGE', { size: `${bytes.length} bytes` })
  if (fromUtf8(bytes) !== text) throw new SegueError('DOCUMENT_NOT_TEXT')
}

/** Replaces the text at `path`, one change a piece. `between` two of them others get their turn. */
export async function importTextInto(
  handle: DocHandle<unknown>,
  path: readonly string[],
  text: string,
  between: () => Promise<void>,
): Promise<void> {
  checkText(text)
  const props: A.Prop[] = [...path]
  handle.change(draft => clearText(draft as Record<string, unknown>, path))
  let last: { readonly cursor: A.Cursor; readonly length: number } | undefined
  for (const piece of cutText(text, IMPORT_PIECE_BYTES)) {
    if (last !== undefined) await between()
    // Somebody may write into the text meanwhile: the next piece belongs after the last one, wherever that is now.
    const at: number = last === undefined ? 0 : A.getCursorPosition(handle.doc(), props, last.cursor) + last.length
    handle.change(draft => A.splice(draft as AnyDoc, props, at, 0, piece))
    // A character outside the first plane is one element of two units: the cursor stands at its first.
    const length = (piece.codePointAt(piece.length - 2) ?? 0) > 0xffff ? 2 : 1
    last = { cursor: A.getCursor(handle.doc(), props, at + piece.length - length), length }
  }
}

function clearText(draft: Record<string, unknown>, path: readonly string[]): void {
  const last = path.at(-1)
  if (last === undefined) throw new RangeError('a text has a path')
  let parent: Record<string, unknown> = draft
  for (const key of path.slice(0, -1)) {
    const next = parent[key]
    if (typeof next !== 'object' || next === null) throw new RangeError(`nothing at ${key}`)
    parent = next as Record<string, unknown>
  }
  const present = parent[last]
  if (typeof present === 'string') A.splice(draft, [...path], 0, present.length)
  else parent[last] = ''
}
