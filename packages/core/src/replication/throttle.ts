/** A token bucket per peer: whoever sends more frames than any honest replica is slowed down, never dropped. */
import type { Clock } from '../ports/clock.ts'

export interface Throttle {
  /** Resolves when one more frame may be handled; usually at once (`undefined`). */
  take(signal: AbortSignal): Promise<void> | undefined
}

export function createThrottle(clock: Clock, { burst, perSecond }: { readonly burst: number; readonly perSecond: number }): Throttle {
  let tokens = burst
  let last = clock.monotonic()
  return {
    take(signal) {
      const now = clock.monotonic()
      tokens = Math.min(burst, tokens + ((now - last) * perSecond) / 1_000) - 1
      last = now
      return tokens >= 0 ? undefined : clock.sleep((-tokens * 1_000) / perSecond, { signal })
    },
  }
}
