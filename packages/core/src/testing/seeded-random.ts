/** Bytes from a seed, for tests and the simulation only: mulberry32. A run is repeated by its seed. */
import type { Random } from '../ports/random.ts'

export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 24
  }
  return { bytes: length => Uint8Array.from({ length }, next) }
}
