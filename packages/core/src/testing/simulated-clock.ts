/**
 * Time that stands still until it is told to go on. Between two instants everything that can happen without time happens:
 * promises settle, listeners run. A run with the same seed is the same run.
 */
import { sleepOn } from '../lib/sleep.ts'
import type { Clock } from '../ports/clock.ts'

export interface SimulatedClock extends Clock {
  /** Goes on by `ms`, doing what falls due on the way, in order. */
  advance(ms: number): Promise<void>
  /** Goes on, `stepMs` at a time, until `work` is over; gives or throws what it does. */
  during<T>(work: Promise<T>, stepMs: number): Promise<T>
  /** Goes on until `holds`; throws after `limitMs`. Gives the milliseconds it took. */
  runUntil(holds: () => boolean, options?: { readonly limitMs?: number }): Promise<number>
  /** Number of things waiting for their time: a leak shows here. */
  waiting(): number
}

export interface SimulatedClockOptions {
  /** Milliseconds since 1970 at the beginning. */
  readonly startsAt?: number
  /** How wrong this machine's wall clock is. */
  readonly offByMs?: number
  /** Resolves when all promises have settled: on Node `() => new Promise(done => setImmediate(done))`. Default: many turns. */
  readonly settle?: () => Promise<void>
}

export function createSimulatedClock(options: SimulatedClockOptions = {}): SimulatedClock {
  const { startsAt = NEW_YEAR_2026_MS, offByMs = 0, settle = manyTurns } = options
  let elapsed = 0
  let order = 0
  const due: Due[] = []

  const after = (ms: number, task: () => void): (() => void) => {
    const entry: Due = { at: elapsed + Math.max(0, ms), order: order++, task }
    insert(due, entry)
    return () => {
      const index = due.indexOf(entry)
      if (index >= 0) due.splice(index, 1)
    }
  }
  const step = async (until: number): Promise<boolean> => {
    await settle()
    const next = due[0]
    if (next === undefined || next.at > until) return false
    due.shift()
    elapsed = next.at
    next.task()
    return true
  }
  const advance = async (ms: number): Promise<void> => {
    const until = elapsed + ms
    while (await step(until));
    elapsed = until
  }
  return {
    now: () => startsAt + offByMs + elapsed,
    monotonic: () => elapsed,
    after,
    sleep: (ms, { signal } = {}) => sleepOn(after, ms, signal),
    async during(work, stepMs) {
      const over = new AbortController()
      const done = work.finally(() => over.abort())
      done.catch(() => undefined) // the caller hears of it
      while (!over.signal.aborted) await advance(stepMs)
      return done
    },
    advance,
    async runUntil(holds, { limitMs = 60_000 } = {}) {
      const started = elapsed
      await settle()
      while (!holds()) {
        if (!(await step(started + limitMs))) throw new Error(`not so after ${limitMs} simulated ms`)
        await settle()
      }
      return elapsed - started
    },
    waiting: () => due.length,
  }
}

const NEW_YEAR_2026_MS = 1_767_225_600_000

interface Due {
  readonly at: number
  readonly order: number
  readonly task: () => void
}

/** Kept sorted by (time, order of asking). */
function insert(due: Due[], entry: Due): void {
  let low = 0
  let high = due.length
  while (low < high) {
    const middle = (low + high) >> 1
    const other = due[middle] as Due
    if (other.at < entry.at || (other.at === entry.at && other.order < entry.order)) low = middle + 1
    else high = middle
  }
  due.splice(low, 0, entry)
}

async function manyTurns(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve()
}
