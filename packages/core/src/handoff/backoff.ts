/** When to say or try something again: doubling from half a second to ten, jittered so that two sides never march in step. */
import type { Random } from '../ports/random.ts'
import { SECOND_MS } from '../lib/units.ts'

export const FIRST_RETRY_MS = 500
export const LONGEST_RETRY_MS: number = 10 * SECOND_MS

/** Between half of the full delay and all of it. */
export function retryDelayMs(tries: number, random: Random): number {
  const full = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(tries, 16))
  return Math.round(full / 2 + (full / 2) * ((random.bytes(1)[0] ?? 0) / 255))
}
