/** Time that stands still until a test moves it. Timers fire inside `advance`, in order; what they start runs when the test next awaits. */
import { sleepOn } from '../lib/sleep.ts'
import type { Clock } from '../ports/clock.ts'

export interface ManualClock extends Clock {
  /** Moves both clocks and fires what is due on the way. */
  advance(ms: number): void
  /** Moves the wall clock only, as a person or NTP would. */
  setWallClock(now: number): void
  /** Timers not yet fired or cancelled. */
  timers(): number
}

export function createManualClock({ now = 1_700_000_000_000 }: { readonly now?: number } = {}): ManualClock {
  let wall = now
  let elapsed = 0
  const timers = new Set<{ readonly at: number; readonly task: () => void }>()
  const after = (ms: number, task: () => void): (() => void) => {
    const timer = { at: elapsed + Math.max(0, ms), task }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  return {
    now: () => wall,
    monotonic: () => elapsed,
    after,
    sleep: (ms, { signal } = {}) => sleepOn(after, ms, signal),
    advance(ms) {
      const end = elapsed + ms
      for (;;) {
        const [next] = [...timers].filter(timer => timer.at <= end).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        wall += next.at - elapsed
        elapsed = next.at
        next.task()
      }
      wall += end - elapsed
      elapsed = end
    },
    setWallClock(time) {
      wall = time
    },
    timers: () => timers.size,
  }
}
