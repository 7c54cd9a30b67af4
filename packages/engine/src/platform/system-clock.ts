/** The Clock port on this machine: Date for people, performance.now() for deadlines, unref'd timers. */
import { sleepOn } from '@segue/core/base'
import type { Clock } from '@segue/core/ports'

export function createSystemClock(): Clock {
  const after = (ms: number, task: () => void): (() => void) => {
    const timer = setTimeout(task, ms)
    timer.unref()
    return () => clearTimeout(timer)
  }
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after,
    sleep(ms, { signal } = {}) {
      if (ms !== 0 || signal?.aborted === true) return sleepOn(after, ms, signal)
      // Only others' turn is asked for: a timer would make it a millisecond at least.
      return new Promise(resolve => setImmediate(resolve))
    },
  }
}
