/** Random that repeats: the same seed gives the same run. For tests and simulations only. */
import type { Random } from '../ports/random.ts'

export interface SeededRandom extends Random {
  readonly seed: number
  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number
  chance(probability: number): boolean
  /** Throws RangeError for an empty list. */
  pick<Value>(values: readonly Value[]): Value
  shuffle<Value>(values: readonly Value[]): Value[]
  /** A stream of its own, so that one part's draws do not shift another's. */
  fork(label: number): SeededRandom
}

export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  // mulberry32 (Tommy Ettinger, public domain)
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    seed,
    below,
    chance: probability => next() < probability,
    pick(values) {
      if (values.length === 0) throw new RangeError('nothing to pick from')
      return values[below(values.length)] as (typeof values)[number]
    },
    shuffle(values) {
      const shuffled = [...values]
      for (let i = shuffled.length - 1; i > 0; i--) {
        const j = below(i + 1)
        const kept = shuffled[i] as (typeof values)[number]
        shuffled[i] = shuffled[j] as (typeof values)[number]
        shuffled[j] = kept
      }
      return shuffled
    },
    bytes: length => Uint8Array.from({ length }, () => below(256)),
    fork: label => createSeededRandom(Math.imul(seed + 1, 0x85ebca6b) ^ Math.imul(label + 1, 0xc2b2ae35)),
  }
}
