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

/** Looks below the given keys of the root, or everywhere. `isSettled` spares the work for forks that were looked at already. */
export function textConflicts(
  doc: A.Doc<unknown>,
  isSettled: (fork: Fork) => boolean,
  under?: readonly string[],
): readonly TextConflict[] {
  const forks = forksOf(A.getChangesMetaSince(doc, [])).filter(fork => !isSettled(fork))
  return forks.flatMap(fork => conflictsOfFork(doc, fork, under))
}

function conflictsOfFork(doc: A.Doc<unknown>, fork: Fork, under: readonly string[] | undefined): readonly TextConflict[] {
  const base = [...fork.base]
  const [one, other] = fork.sides.map(side => A.diff(doc, base, [side])) as [A.Patch[], A.Patch[]]
  const paths = touchedTexts(one).filter(path => under === undefined || under.includes(String(path[0])))
  const othersPaths = new Set(touchedTexts(other).map(path => JSON.stringify(path)))
  const shared = paths.filter(path => othersPaths.has(JSON.stringify(path)))
  if (shared.length === 0) return []
  const before = A.view(doc, base)
  const views = fork.sides.map(side => A.view(doc, [side])) as [A.Doc<unknown>, A.Doc<unknown>]
  const later = A.diff(doc, base, A.getHeads(doc))
  return shared.flatMap(path => {
    const object = objectAt(doc, base, path)
    const text = valueAt(before, path)
    const now = valueAt(doc, path)
    const made = views.map(view => valueAt(view, path))
    const states = [A.getHeads(doc), ...fork.sides.map(side => [side])]
    const isOneText = states.every(heads => objectAt(doc, heads, path) === object)
    if (object === undefined || !isOneText || typeof text !== 'string' || typeof now !== 'string') return []
    const edits = [textEdits(text, made[0] as string, one, path), textEdits(text, made[1] as string, other, path)] as const
    const since = textEdits(text, now, later, path)
    return touching(...edits).flatMap(({ from, to }): TextConflict[] => {
      const sides = [applyWithin(text, edits[0], from, to), applyWithin(text, edits[1], from, to)] as const
      // Both took the same away and put nothing there: they agree.
      if (sides[0] === sides[1] && onlyDeletes(edits[0], from, to) && onlyDeletes(edits[1], from, to)) return []
      const after = from === 0 ? 'start' : A.getCursor(before, [...path], from - 1)
      return [{ fork, path, object, after, base: text.slice(from, to), sides, ...stretchAfter(since, from, to) }]
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
    if (found === null || found === undefined || !OBJECTS.includes(String(found[0]))) return undefined
    object = String(found[1])
  }
  return object
}

const OBJECTS: readonly string[] = ['map', 'list', 'text', 'table']
