/** One timer: setting it again replaces what it was set for. */
import type { Clock } from '../ports/clock.ts'

export interface Alarm {
  set(ms: number, task: () => void): void
  cancel(): void
  isSet(): boolean
}

export function createAlarm(clock: Clock): Alarm {
  let stop: (() => void) | undefined
  const cancel = (): void => {
    stop?.()
    stop = undefined
  }
  return {
    set(ms, task) {
      cancel()
      stop = clock.after(ms, () => {
        stop = undefined
        task()
      })
    },
    cancel,
    isSet: () => stop !== undefined,
  }
}
