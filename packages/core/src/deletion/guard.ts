/** The guard against a slip, a runaway script or a stolen device: more than a fifth of everything at once is asked about first. */
import { DAY_MS } from '../lib/units.ts'

/** Below so many, a fifth is one or two: nobody would read the question any more. */
export const GUARDED_FROM = 10
export const GUARDED_SHARE: number = 1 / 5
/** Deletions of others within so long count together. */
export const BURST_MS: number = DAY_MS

export function isLarge(count: number, total: number): boolean {
  return total >= GUARDED_FROM && count > total * GUARDED_SHARE
}

/** `lately` others deleted and was dropped here without asking, `going` would go now, `staying` would stay. */
export function isBurst(lately: number, going: number, staying: number): boolean {
  return going > 0 && isLarge(lately + going, lately + going + staying)
}
