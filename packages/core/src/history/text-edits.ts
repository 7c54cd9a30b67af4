/**
 * What changed in one text between two states, as replaced stretches of the first state. Automerge's patches are positions in a
 * text that changes with each patch; here they are folded back onto the text they began with.
 */
import type { Patch } from '@automerge/automerge'

/** `from`..`to` of the text before became `text`. Sorted, never touching each other. */
export interface TextEdit {
  readonly from: number
  readonly to: number
  readonly text: string
}

type Piece = { readonly kind: 'kept'; readonly from: number; readonly to: number } | { readonly kind: 'new'; readonly text: string }

/** The edits that `patches` make to the text at `path`, proven by applying them; one edit over all that differs otherwise. */
export function textEdits(
  before: string,
  after: string,
  patches: readonly Patch[],
  path: readonly (string | number)[],
): readonly TextEdit[] {
  const edits = editsOfPatches(before, patches, path)
  return edits !== undefined && applyEdits(before, edits) === after ? edits : oneEdit(before, after)
}

export function applyEdits(before: string, edits: readonly TextEdit[]): string {
  let after = ''
  let at = 0
  for (const edit of edits) {
    after += before.slice(at, edit.from) + edit.text
    at = edit.to
  }
  return after + before.slice(at)
}

/** What the edits make of `from`..`to` of the text before; edits that reach out of it count whole. */
export function applyWithin(before: string, edits: readonly TextEdit[], from: number, to: number): string {
  const inside = edits.filter(edit => edit.from >= from && edit.to <= to)
  return applyEdits(before.slice(0, to), inside).slice(from)
}

/** Where the stretch `from`..`to` of the text before is after the edits, with all that was inserted at its borders. */
export function stretchAfter(edits: readonly TextEdit[], from: number, to: number): { readonly from: number; readonly to: number } {
  let shiftFrom = 0
  let shiftTo = 0
  let start = from
  let end = to
  for (const edit of edits) {
    const growth = edit.text.length - (edit.to - edit.from)
    if (edit.to < from) shiftFrom += growth
    else if (edit.from <= from) start = Math.min(start, edit.from)
    if (edit.from <= to) shiftTo += growth
    if (edit.from <= to && edit.to > to) end = Math.max(end, edit.to)
  }
  return { from: start + shiftFrom, to: end + shiftTo }
}

/** The smallest single edit, never between the halves of a character. */
export function oneEdit(before: string, after: string): readonly TextEdit[] {
  if (before === after) return []
  const shared = Math.min(before.length, after.length)
  let start = 0
  while (start < shared && before[start] === after[start]) start++
  if (isHighHalf(before.charCodeAt(start - 1))) start--
  let end = 0
  while (end < shared - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++
  if (isLowHalf(before.charCodeAt(before.length - end))) end--
  return [{ from: start, to: before.length - end, text: after.slice(start, after.length - end) }]
}

function editsOfPatches(before: string, patches: readonly Patch[], path: readonly (string | number)[]): readonly TextEdit[] | undefined {
  let pieces: Piece[] = [{ kind: 'kept', from: 0, to: before.length }]
  for (const patch of patches) {
    if (patch.action === 'mark' || patch.action === 'unmark' || patch.action === 'conflict') continue
    const isHere = patch.path.length === path.length + 1 && path.every((part, i) => part === patch.path[i])
    const at = patch.path.at(-1)
    if (!isHere || typeof at !== 'number') continue
    if (patch.action === 'splice') pieces = splice(pieces, at, 0, patch.value)
    else if (patch.action === 'del') pieces = splice(pieces, at, patch.length ?? 1, '')
    else return undefined
  }
  const edits: { from: number; to: number; text: string }[] = []
  let at = 0
  let text = ''
  for (const piece of [...pieces, { kind: 'kept', from: before.length, to: before.length } as const]) {
    if (piece.kind === 'new') {
      text += piece.text
      continue
    }
    if (piece.from === piece.to && piece.from !== before.length) continue
    if (piece.from > at || text !== '') edits.push({ from: at, to: piece.from, text })
    at = piece.to
    text = ''
  }
  return edits
}

function splice(pieces: readonly Piece[], at: number, length: number, text: string): Piece[] {
  const result: Piece[] = []
  let offset = 0
  let isInserted = text === ''
  const insert = (): void => {
    if (!isInserted) result.push({ kind: 'new', text })
    isInserted = true
  }
  for (const piece of pieces) {
    const size = piece.kind === 'kept' ? piece.to - piece.from : piece.text.length
    const head = Math.min(Math.max(at - offset, 0), size)
    const tail = Math.min(Math.max(at + length - offset, 0), size)
    if (head > 0) result.push(part(piece, 0, head))
    if (at <= offset + size && offset + head === at) insert()
    if (tail < size) result.push(part(piece, tail, size))
    offset += size
  }
  insert()
  return result
}

function part(piece: Piece, from: number, to: number): Piece {
  return piece.kind === 'kept'
    ? { kind: 'kept', from: piece.from + from, to: piece.from + to }
    : { kind: 'new', text: piece.text.slice(from, to) }
}

function isHighHalf(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}
function isLowHalf(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}
