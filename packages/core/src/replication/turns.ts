/**
 * Bulk work in slices: so much of a turn of the event loop for everything that is not urgent together, else a letter waits for one slice
 * of each. While somebody types, here or there, bulk rests after each slice: two devices that fill both cores
 * make letters wait for the operating system as well.
 */
import type { Clock } from '../ports/clock.ts'
import { SECOND_MS } from '../lib/units.ts'

export interface Turns {
  /** Undefined: there is time left. Else resolves when there is again, first come, first served. */
  next(): Promise<void> | undefined
  /** For work within a turn: whether there is time left. */
  hasTime(): boolean
  /** A letter came or was made. */
  hurry(): void
  /** Somebody types. */
  isHurried(): boolean
}

export function createTurns(clock: Clock): Turns {
  const waiting: (() => void)[] = []
  /** Of the slice that is running. */
  let endsAt: number | undefined
  let hurriesUntil = -Infinity

  const begin = (): void => {
    endsAt = clock.monotonic() + SLICE_MS
    void clock.sleep(0).then(end)
  }
  const end = async (): Promise<void> => {
    if (isHurried()) await clock.sleep(REST_MS)
    endsAt = undefined
    if (waiting.length === 0) return
    begin()
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      next()
      await Promise.resolve() // it works now, up to where it waits for something
      if (!hasTime()) return
    }
  }
  const hasTime = (): boolean => endsAt !== undefined && clock.monotonic() < endsAt
  const isHurried = (): boolean => clock.monotonic() < hurriesUntil
  return {
    isHurried,
    next() {
      if (endsAt === undefined) begin()
      else if (waiting.length > 0 || !hasTime()) return new Promise(resolve => waiting.push(resolve))
      return undefined
    },
    hasTime,
    hurry() {
      hurriesUntil = clock.monotonic() + HURRY_MS
    },
  }
}

/** Of 20 ms in which a letter is to be seen, on two devices. */
const SLICE_MS = 3
const REST_MS = 6
/** Whoever typed now will type again. */
const HURRY_MS: number = SECOND_MS
