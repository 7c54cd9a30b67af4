/**
 * Who descends from whom, answered at once: every entry's causal past as bits, one for each entry linked before it. Ten thousand
 * entries take about six megabytes.
 */
import type { EntryId } from '../lib/ids.ts'
import type { Linked } from './graph.ts'

export interface Ancestry {
  /** Parents before children. */
  learn(entry: Linked): void
  forget(id: EntryId): void
  /** Whether `ancestor` is in the causal past of `of`, which it is not itself. */
  isBefore(ancestor: EntryId, of: EntryId): boolean
  /** So many entries were forgotten that learning the rest anew saves room. */
  isSparse(): boolean
  clear(): void
}

export function createAncestry(): Ancestry {
  const places = new Map<EntryId, number>()
  const pasts = new Map<EntryId, Uint32Array>()
  let next = 0
  return {
    learn({ id, parents }) {
      const past = new Uint32Array((next + 31) >>> 5)
      for (const parent of parents) {
        const place = places.get(parent)
        const before = pasts.get(parent)
        if (place === undefined || before === undefined) continue
        for (let i = 0; i < before.length; i++) past[i] = (past[i] as number) | (before[i] as number)
        past[place >>> 5] = (past[place >>> 5] as number) | (1 << (place & 31))
      }
      places.set(id, next++)
      pasts.set(id, past)
    },
    forget(id) {
      places.delete(id)
      pasts.delete(id)
    },
    isBefore(ancestor, of) {
      const place = places.get(ancestor)
      const past = pasts.get(of)
      if (place === undefined || past === undefined || place >>> 5 >= past.length) return false
      return (((past[place >>> 5] as number) >>> (place & 31)) & 1) === 1
    },
    isSparse: () => next > 1_000 + 2 * places.size,
    clear() {
      places.clear()
      pasts.clear()
      next = 0
    },
  }
}
