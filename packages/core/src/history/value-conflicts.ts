/** Places in maps and lists that were given different values at the same time: what Automerge's getConflicts names. */
import * as A from '@automerge/automerge'
import { isList, isMap, isSameValue, type Container } from './plain-values.ts'

export interface ValueConflict {
  readonly path: readonly (string | number)[]
  /** Automerge's id of the map or list; the same on every device. */
  readonly object: string
  /** By operation id ("counter@actor"), which names the writer; the one shown now first, then by id. */
  readonly values: readonly { readonly operation: string; readonly value: unknown }[]
}

/** Looks below the given keys of the root, or everywhere. Equal values are no conflict. */
export function valueConflicts(doc: A.Doc<unknown>, under?: readonly string[]): readonly ValueConflict[] {
  const found: ValueConflict[] = []
  const visit = (container: Container, path: readonly (string | number)[]): void => {
    const keys: readonly (string | number)[] = isList(container) ? container.map((_, i) => i) : Object.keys(container)
    for (const key of keys) {
      if (path.length === 0 && under !== undefined && !under.includes(String(key))) continue
      const here = [...path, key]
      const shown = container[key]
      const all = A.getConflicts(container, key) as Record<string, unknown> | undefined
      if (all !== undefined) addConflict(container, here, shown, all)
      if (isMap(shown) || isList(shown)) visit(shown as Container, here)
    }
  }
  const addConflict = (container: Container, path: readonly (string | number)[], shown: unknown, all: Record<string, unknown>): void => {
    const operations = Object.keys(all).sort()
    const isShown = (operation: string): boolean => isSameValue(all[operation], shown)
    const first = operations.filter(isShown)
    const values = [...first, ...operations.filter(operation => !isShown(operation))]
    if (first.length === operations.length) return
    found.push({ path, object: A.getObjectId(container) ?? '', values: values.map(operation => ({ operation, value: all[operation] })) })
  }
  visit(doc, [])
  return found
}
