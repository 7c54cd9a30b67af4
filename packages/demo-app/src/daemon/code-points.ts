/**
 * Recorded typing counts Unicode code points, Automerge UTF-16 units. While a text has no astral characters both are the same and
 * nothing is kept; from the first one on, their positions are kept sorted.
 */
export interface CodePointIndex {
  /** Translates one edit, in order; the index follows it. */
  splice(at: number, deleted: number, inserted: string): { readonly at: number; readonly deleted: number }
}

export function createCodePointIndex(text: string): CodePointIndex {
  /** Code point positions of the characters that take two units, ascending. */
  let wide = wideIn(text, 0)
  return {
    splice(at, deleted, inserted) {
      const first = lowerBound(wide, at)
      const afterLast = lowerBound(wide, at + deleted)
      const range = { at: at + first, deleted: deleted + (afterLast - first) }
      const added = wideIn(inserted, at)
      if (wide.length > 0 || added.length > 0) {
        const shift = Array.from(inserted).length - deleted
        wide = [...wide.slice(0, first), ...added, ...wide.slice(afterLast).map(position => position + shift)]
      }
      return range
    },
  }
}

function wideIn(text: string, offset: number): number[] {
  const found: number[] = []
  let position = offset
  for (const character of text) {
    if (character.length === 2) found.push(position)
    position += 1
  }
  return found
}

/** Index of the first position that is not below `at`. */
function lowerBound(positions: readonly number[], at: number): number {
  let low = 0
  let high = positions.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((positions[middle] as number) < at) low = middle + 1
    else high = middle
  }
  return low
}
