/** This machine's time, which a test can put forward: what would be due by then is due now, so that nobody waits for a grace to pass. */
import { sleepOn } from '@segue/core/base'
import type { Clock } from '@segue/core/ports'
import { createSystemClock } from '@segue/engine/testing'

export interface AheadClock extends Clock {
  skip(ms: number): void
}

export function createAheadClock(): AheadClock {
  const system = createSystemClock()
  const waiting = new Set<{ readonly dueAt: number; readonly task: () => void; cancel: () => void }>()
  let aheadMs = 0

  const monotonic = (): number => system.monotonic() + aheadMs
  const after = (ms: number, task: () => void): (() => void) => {
    const run = (): void => {
      waiting.delete(entry)
      task()
    }
    const entry = { dueAt: monotonic() + ms, task: run, cancel: system.after(ms, run) }
    waiting.add(entry)
    return () => {
      waiting.delete(entry)
      entry.cancel()
    }
  }
  return {
    now: () => system.now() + aheadMs,
    monotonic,
    after,
    sleep: (ms, { signal } = {}) => (ms === 0 ? system.sleep(0, { signal }) : sleepOn(after, ms, signal)),
    skip(ms) {
      aheadMs += ms
      for (const entry of [...waiting].toSorted((a, b) => a.dueAt - b.dueAt)) {
        entry.cancel()
        entry.cancel = system.after(Math.max(0, entry.dueAt - monotonic()), entry.task)
      }
    },
  }
}
