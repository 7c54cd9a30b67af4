/** Conflicts of one document as a person meets them: named, with both sides, a suggestion, and what each choice does. */
import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { labelledHash, type HashPart } from '../crypto/hash.ts'
import { toHex } from '../lib/bytes.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { Kind } from '../session/contract.ts'
import type { Choice, Conflict, ConflictKind, ConflictSide } from './contract.ts'
import type { Fork } from './graph.ts'
import { copyOf, isSameValue, shown, valueAt, type Container } from './plain-values.ts'
import { textConflicts, type ForkCache, type TextConflict } from './text-conflicts.ts'
import { oneEdit } from './text-edits.ts'
import { valueConflicts, type ValueConflict } from './value-conflicts.ts'

export const EXCERPT_CHARACTERS = 512

/** A conflict with what a choice does to the document. Marking it as settled is the caller's. */
export interface FoundConflict extends Conflict {
  readonly resolve: (choice: Choice) => void | Promise<void>
}

export interface Searched {
  readonly handle: DocHandle<unknown>
  readonly kind: 'session' | Kind
  readonly self: DeviceId
  /** The device behind each actor, where that is known. */
  readonly authors: ReadonlyMap<string, DeviceId>
  readonly isSettled: (fork: Fork) => boolean
  readonly cache: ForkCache
  /** False for a value that was in conflict before what the caller asks about. */
  readonly isNew: (operation: string) => boolean
}

/** Which parts of Segue's own structures a person has something to say about; a member document is the app's, all of it. */
const UNDER: Readonly<Record<'session' | Kind, readonly string[] | undefined>> = {
  session: ['title', 'documents'],
  documents: undefined,
  drafts: ['drafts'],
  views: [],
  preferences: ['values'],
}

export function findConflicts(searched: Searched): readonly FoundConflict[] {
  const { handle, kind, isSettled, isNew, cache } = searched
  const doc = handle.doc()
  const values = valueConflicts(doc, UNDER[kind]).filter(
    conflict => isAsked(kind, conflict.path) && conflict.values.some(each => isNew(each.operation)),
  )
  const texts = textConflicts(doc, isSettled, UNDER[kind], cache).filter(conflict => isAsked(kind, conflict.path))
  return [...values.map(conflict => ofValue(searched, conflict)), ...texts.map(conflict => ofText(searched, conflict))]
}

/** The same parts give the same id on every device. */
export function conflictId(kind: ConflictKind, parts: readonly HashPart[]): string {
  return `${kind}-${toHex(labelledHash('conflict', [kind, ...parts]).slice(0, 16))}`
}

export function excerpt(text: string): string {
  return text.length <= EXCERPT_CHARACTERS ? text : `${text.slice(0, EXCERPT_CHARACTERS - 1)}…`
}

function isAsked(kind: 'session' | Kind, path: readonly (string | number)[]): boolean {
  if (kind === 'session') return path.at(-1) === 'title'
  return kind !== 'drafts' || path.at(-1) === 'text'
}

function ofValue(searched: Searched, { path, object, values }: ValueConflict): FoundConflict {
  const { handle, kind } = searched
  const sides = values.map(({ operation, value }) => ({ value, actors: new Set([operation.slice(operation.indexOf('@') + 1)]) }))
  // The shown value against the first that differs from it; which of the two is ours is the writers' question.
  const [first, second] = [sides[0], sides.find(side => !isSameValue(side.value, sides[0]?.value))] as [ValueSide, ValueSide]
  const [ours, theirs] = isOurs(searched, second.actors) && !isOurs(searched, first.actors) ? [second, first] : [first, second]
  const isText = typeof ours.value === 'string' && typeof theirs.value === 'string'
  const set = (value: unknown): void =>
    handle.change(draft => void ((valueAt(draft, path.slice(0, -1)) as Container)[path.at(-1) as string] = copyOf(value)))
  return {
    id: conflictId('value', [handle.documentId, object, ...values.map(each => each.operation).sort()]),
    kind: 'value',
    document: handle.documentId,
    documentKind: kind,
    path,
    ours: sideOf(searched, shown(ours.value), ours.actors),
    theirs: sideOf(searched, shown(theirs.value), theirs.actors),
    base: undefined,
    now: excerpt(shown(first.value)),
    choices: isText ? ['ours', 'theirs', 'both', 'text'] : ['ours', 'theirs'],
    suggested: ours === first ? 'ours' : 'theirs',
    because: 'shown-everywhere-now',
    resolve(choice) {
      const value = chosenValue(choice, ours.value, theirs.value)
      // What is shown already stays the object it is: edits to it that are on their way keep their place.
      const isKept = isSameValue(value, first.value) && typeof value === 'object'
      if (!isKept && !(typeof value === 'string' && value === first.value)) set(value)
    },
  }
}

interface ValueSide {
  readonly value: unknown
  readonly actors: ReadonlySet<string>
}

function chosenValue(choice: Choice, ours: unknown, theirs: unknown): unknown {
  if (typeof choice === 'object') return choice.text
  if (choice === 'both') return `${String(ours)}\n${String(theirs)}`
  return choice === 'ours' ? ours : theirs
}

function ofText(searched: Searched, conflict: TextConflict): FoundConflict {
  const { handle, kind } = searched
  const { fork, path, object, after, base, from, to } = conflict
  const oursIsSecond = isOurs(searched, fork.actors[1]) && !isOurs(searched, fork.actors[0])
  const [ours, theirs] = oursIsSecond ? ([1, 0] as const) : ([0, 1] as const)
  const now = (valueAt(handle.doc(), path) as string).slice(from, to)
  const isSame = conflict.sides[0] === conflict.sides[1]
  return {
    id: conflictId('text', [handle.documentId, object, after, ...fork.roots]),
    kind: 'text',
    document: handle.documentId,
    documentKind: kind,
    path,
    ours: sideOf(searched, conflict.sides[ours], fork.actors[ours]),
    theirs: sideOf(searched, conflict.sides[theirs], fork.actors[theirs]),
    base: excerpt(base),
    now: excerpt(now),
    choices: ['ours', 'theirs', 'both', 'text'],
    suggested: isSame ? 'ours' : 'both',
    because: isSame ? 'same-on-both' : 'nothing-is-lost',
    resolve(choice) {
      if (choice === 'both') return // the merge holds what both wrote
      const text = typeof choice === 'object' ? choice.text : conflict.sides[choice === 'ours' ? ours : theirs]
      const [edit] = oneEdit(now, text)
      if (edit === undefined) return
      handle.change(draft => A.splice(draft as A.Doc<unknown>, [...path], from + edit.from, edit.to - edit.from, edit.text))
    },
  }
}

function sideOf({ authors: devices }: Searched, text: string, actors: ReadonlySet<string>): ConflictSide {
  const authors = new Set([...actors].map(actor => devices.get(actor)))
  return { excerpt: excerpt(text), author: authors.size === 1 ? [...authors][0] : undefined, did: text === '' ? 'removed' : 'wrote' }
}

function isOurs({ handle, self, authors }: Searched, actors: ReadonlySet<string>): boolean {
  const own = A.getActorId(handle.doc())
  return [...actors].some(actor => actor === own || authors.get(actor) === self)
}
