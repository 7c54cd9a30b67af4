/**
 * Stretches of a text that two sides edited without knowledge of each other, where the edits touch at what both had before.
 * Found from the graph of changes alone: no device's arrival order, no moment of merging has a part in it.
 */
import * as A from '@automerge/automerge'
import { forksOf, type Fork } from './graph.ts'
import { valueAt } from './plain-values.ts'
import { applyWithin, stretchAfter, textEdits, type TextEdit } from './text-edits.ts'

export interface TextConflict {
  readonly fork: Fork
  readonly path: readonly (string | number)[]
  readonly object: string
  /** The character before the stretch at the base ('start' at the beginning): with the fork's roots it names the conflict. */
  readonly after: string
  readonly base: string
  /** In the order of `fork.sides`. */
  readonly sides: readonly [string, string]
  /** The stretch in the text now, UTF-16 units. */
  readonly from: number
  readonly to: number
}

/** History only grows and what a fork holds never changes: of one document, both are read once. */
export interface ForkCache {
  heads: readonly string[]
  readonly changes: A.ChangeMetadata[]
  /** By the sides of the fork. */
  readonly stretches: Map<string, readonly Stretch[]>
}

export function createForkCache(): ForkCache {
  return { heads: [], changes: [], stretches: new Map() }
}

interface Stretch extends Omit<TextConflict, 'from' | 'to'> {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** Looks below the given keys of the root, or everywhere. `isSettled` spares the work for forks that were looked at already. */
export function textConflicts(
  doc: A.Doc<unknown>,
  isSettled: (fork: Fork) => boolean,
  under?: readonly string[],
  cache: ForkCache = createForkCache(),
): readonly TextConflict[] {
  const heads = A.getHeads(doc)
  if (!A.hasHeads(doc, [...cache.heads])) cache.changes.length = 0 // opened anew and not all here yet: read it all again
  for (const change of A.getChangesMetaSince(doc, cache.changes.length === 0 ? [] : [...cache.heads])) cache.changes.push(change)
  cache.heads = heads
  const forks = forksOf(cache.changes).filter(fork => !isSettled(fork))
  return forks.flatMap(fork => {
    const key = fork.sides.join()
    const stretches = cache.stretches.get(key) ?? stretchesOf(doc, fork, under)
    cache.stretches.set(key, stretches)
    return stretches.length === 0 ? [] : placeNow(doc, fork, stretches)
  })
}

/** Where the stretches are now; those whose text is no longer there are no conflict any more. */
function placeNow(doc: A.Doc<unknown>, fork: Fork, stretches: readonly Stretch[]): readonly TextConflict[] {
  const heads = A.getHeads(doc)
  const later = A.diff(doc, [...fork.base], heads)
  return stretches.flatMap(({ text, start, end, ...conflict }) => {
    const now = valueAt(doc, conflict.path)
    if (typeof now !== 'string' || objectAt(doc, heads, conflict.path) !== conflict.object) return []
    return [{ ...conflict, ...stretchAfter(textEdits(text, now, later, conflict.path), start, end) }]
  })
}

function stretchesOf(doc: A.Doc<unknown>, fork: Fork, under: readonly string[] | undefined): readonly Stretch[] {
  const base = [...fork.base]
  const [one, other] = fork.sides.map(side => A.diff(doc, base, [side])) as [A.Patch[], A.Patch[]]
  const paths = touchedTexts(one).filter(path => under === undefined || under.includes(String(path[0])))
  const othersPaths = new Set(touchedTexts(other).map(path => JSON.stringify(path)))
  const backend = A.getBackend(doc)
  return paths.flatMap(path => {
    const object = othersPaths.has(JSON.stringify(path)) ? objectAt(doc, base, path) : undefined
    const isOneText = fork.sides.every(side => objectAt(doc, [side], path) === object)
    if (object === undefined || !isOneText || typeof valueAt(doc, path) !== 'string') return []
    const text = backend.text(object, base)
    const edits = [
      textEdits(text, backend.text(object, [fork.sides[0]]), one, path),
      textEdits(text, backend.text(object, [fork.sides[1]]), other, path),
    ] as const
    return touching(...edits).flatMap(({ from, to }): Stretch[] => {
      const sides = [applyWithin(text, edits[0], from, to), applyWithin(text, edits[1], from, to)] as const
      // Both took the same away and put nothing there: they agree.
      if (sides[0] === sides[1] && onlyDeletes(edits[0], from, to) && onlyDeletes(edits[1], from, to)) return []
      const after = from === 0 ? 'start' : backend.getCursor(object, from - 1, base)
      return [{ fork, path, object, after, base: text.slice(from, to), sides, text, start: from, end: to }]
    })
  })
}

/** Paths of texts that the patches edit. Paths through lists are left to the values: an index names no text for good. */
function touchedTexts(patches: readonly A.Patch[]): readonly (string | number)[][] {
  const paths = new Map<string, (string | number)[]>()
  for (const patch of patches) {
    if (patch.action !== 'splice' && patch.action !== 'del') continue
    const path = patch.path.slice(0, -1)
    if (typeof patch.path.at(-1) === 'number' && path.every(key => typeof key === 'string')) paths.set(JSON.stringify(path), path)
  }
  return [...paths.values()]
}

/** Stretches of the base that hold edits of both sides, each as wide as the edits that touch one another. */
function touching(one: readonly TextEdit[], other: readonly TextEdit[]): readonly { readonly from: number; readonly to: number }[] {
  const all = [...one.map(edit => ({ ...edit, side: 1 })), ...other.map(edit => ({ ...edit, side: 2 }))]
  const stretches: { from: number; to: number; sides: number }[] = []
  for (const edit of all.sort((a, b) => a.from - b.from || a.to - b.to)) {
    const last = stretches.at(-1)
    if (last !== undefined && edit.from <= last.to) {
      last.to = Math.max(last.to, edit.to)
      last.sides |= edit.side
    } else stretches.push({ from: edit.from, to: edit.to, sides: edit.side })
  }
  return stretches.filter(stretch => stretch.sides === 3)
}

function onlyDeletes(edits: readonly TextEdit[], from: number, to: number): boolean {
  return edits.every(edit => edit.to < from || edit.from > to || edit.text === '')
}

/** The id of the text at `path` in the state that `heads` name. (`A.getObjectId` answers for the present, even for a view.) */
function objectAt(doc: A.Doc<unknown>, heads: readonly string[], path: readonly (string | number)[]): string | undefined {
  const backend = A.getBackend(doc)
  let object = '_root'
  for (const key of path) {
    const found = backend.getWithType(object, key, [...heads])
    if (found === null || found === undefined || !OBJECTS.includes(found[0])) return undefined
    object = String(found[1])
  }
  return object
}

const OBJECTS: readonly string[] = ['map', 'list', 'text', 'table']
