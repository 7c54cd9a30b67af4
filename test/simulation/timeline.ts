/** The virtual time of a day, a log of what happened in it, and waiting for things without any of it being real. */
import { createSimulatedClock, type SimulatedClock } from '@segue/core/testing'

export interface TimeLine {
  readonly clock: SimulatedClock
  /** Time goes on until `work` is settled; throws when that takes longer than the limit. */
  during<Value>(work: Promise<Value>, limitMs?: number): Promise<Value>
  /** Aborts after so much virtual time. */
  timeout(ms: number): AbortSignal
  note(event: string): void
  /** What was noted, oldest first. */
  readonly notes: readonly string[]
}

export function createTimeLine(): TimeLine {
  const clock = createSimulatedClock({ settle: () => new Promise(done => setImmediate(done)) })
  const notes: string[] = []
  return {
    clock,
    async during(work, limitMs = 60_000) {
      let isSettled = false
      const settled = (): void => void (isSettled = true)
      work.then(settled, settled)
      await clock.runUntil(() => isSettled, { limitMs })
      return work
    },
    timeout(ms) {
      const controller = new AbortController()
      clock.after(ms, () => controller.abort(new Error('the simulated person lost patience')))
      return controller.signal
    },
    note: event => void notes.push(`${(clock.monotonic() / 1_000).toFixed(3)} ${event}`),
    notes,
  }
}
