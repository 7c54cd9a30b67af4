/** How much changed between two states of a document, counted without looking at what it says. */
import * as A from '@automerge/automerge'
import { valueAt } from './plain-values.ts'

export interface ChangeCounts {
  readonly inserted: number
  readonly deleted: number
  readonly changed: number
}

export function countChanges(doc: A.Doc<unknown>, from: readonly string[], to: readonly string[]): ChangeCounts {
  let inserted = 0
  let deleted = 0
  let changed = 0
  const before = A.view(doc, [...from])
  for (const patch of A.diff(doc, [...from], [...to])) {
    if (patch.action === 'splice') inserted += patch.value.length
    else if (patch.action === 'del' && typeof valueAt(before, patch.path.slice(0, -1)) === 'string') deleted += patch.length ?? 1
    else if (patch.action === 'insert') changed += patch.values.length
    else if (patch.action === 'del') changed += patch.length ?? 1
    else if (patch.action === 'put' || patch.action === 'inc') changed += 1
  }
  return { inserted, deleted, changed }
}
