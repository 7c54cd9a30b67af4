/**
 * Makes a document's content what it was, as one new change that touches only what differs: texts by the stretches that
 * changed, maps and lists deeply. Objects that are still there stay the same objects, so cursors and edits made elsewhere at the
 * same time keep their place.
 */
import * as A from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { copyOf, isList, isMap, isSameValue, valueAt, type Container } from './plain-values.ts'
import { textEdits } from './text-edits.ts'

type Path = readonly (string | number)[]

interface Task {
  readonly draft: A.Doc<unknown>
  readonly now: A.Doc<unknown>
  readonly past: A.Doc<unknown>
  readonly patches: readonly A.Patch[]
}

/** Below `under` only (a key of the root), or everywhere. False when nothing differed; then nothing was written. */
export function bringBack(handle: DocHandle<unknown>, heads: readonly string[], under?: string): boolean {
  const now = handle.doc()
  const then = A.view(now, [...heads])
  const patches = A.diff(now, A.getHeads(now), [...heads])
  let isChanged = false
  handle.change(draft => {
    const task: Task = { draft: draft as A.Doc<unknown>, now, past: then, patches }
    isChanged = under === undefined ? bringMap(task, []) : bringItem(task, [], under)
  })
  return isChanged
}

function bringMap(task: Task, path: Path): boolean {
  const keys = new Set([...Object.keys(valueAt(task.now, path) as object), ...Object.keys(valueAt(task.past, path) as object)])
  return [...keys].map(key => bringItem(task, path, key)).some(isChanged => isChanged)
}

function bringItem(task: Task, path: Path, key: string | number): boolean {
  const here = [...path, key]
  const now = valueAt(task.now, here)
  const then = valueAt(task.past, here)
  if (typeof now === 'string' && typeof then === 'string') return bringText(task, here, now, then)
  if (isMap(now) && isMap(then)) return bringMap(task, here)
  if (isList(now) && isList(then)) return bringList(task, here, now, then)
  if (isSameValue(now, then)) return false
  const container = valueAt(task.draft, path) as Container
  if (then === undefined) delete container[key]
  else if (A.isCounter(now) && A.isCounter(then)) (container[key] as A.Counter).increment(then.value - now.value)
  else container[key] = copyOf(then)
  return true
}

function bringText(task: Task, path: Path, now: string, then: string): boolean {
  if (isRich(task.now, path) || isRich(task.past, path)) {
    const spans = A.spans(task.past, [...path])
    if (isSameValue(A.spans(task.now, [...path]), spans)) return false
    A.updateSpans(task.draft, [...path], spans)
    return true
  }
  // Back to front, so that earlier positions stay right.
  const edits = textEdits(now, then, task.patches, path)
  for (const edit of edits.toReversed()) A.splice(task.draft, [...path], edit.from, edit.to - edit.from, edit.text)
  return edits.length > 0
}

/** With marks or blocks, which a plain splice would lose. */
function isRich(doc: A.Doc<unknown>, path: Path): boolean {
  const spans = A.spans(doc, [...path])
  return spans.some(span => span.type !== 'text' || Object.keys(span.marks ?? {}).length > 0)
}

/** What both have at the ends stays; between, item takes the place of item. */
function bringList(task: Task, path: Path, now: readonly unknown[], then: readonly unknown[]): boolean {
  if (isSameValue(now, then)) return false
  const shared = Math.min(now.length, then.length)
  let start = 0
  while (start < shared && isSameValue(now[start], then[start])) start++
  let end = 0
  while (end < shared - start && isSameValue(now[now.length - 1 - end], then[then.length - 1 - end])) end++
  const list = valueAt(task.draft, path) as unknown[]
  list.splice(start, now.length - end - start, ...then.slice(start, then.length - end).map(copyOf))
  return true
}
