/**
 * Keeps one member linked, for as long as it is a member. libp2p has a reconnect queue; it gives up after five tries. This one never
 * does: a random delay below 100 ms, doubled after each failure up to 30 s (full jitter, so that two devices that lose each other do
 * not meet in step for ever), back to the start after a link that lasted 10 s or when woken.
 */
import type { CloseCode, Observable } from '@segue/core/sealed'
import type { Clock, Random } from '@segue/core/ports'
import { HEALTHY_AFTER_MS, RECONNECT_FIRST_MS, RECONNECT_MAX_MS } from '../limits.ts'

export interface Reconnect {
  /** Try at once: something changed for the better. */
  wake(): void
  /** A link to this member ended after `wasOpenForMs`. */
  ended(wasOpenForMs: number): void
  stop(): void
}

export interface ReconnectOptions {
  /** Default: 100 ms and 30 s. */
  readonly firstMs?: number
  readonly maxMs?: number
  readonly clock: Clock
  readonly random: Random
  readonly isLinked: Observable<boolean>
  /** Never rejects. 'nowhere' when no address is known: then only a wake helps. */
  dial(signal: AbortSignal): Promise<'up' | 'nowhere' | CloseCode>
}

export function createReconnect(options: ReconnectOptions): Reconnect {
  const { clock, isLinked, random, firstMs = RECONNECT_FIRST_MS, maxMs = RECONNECT_MAX_MS } = options
  const stopped = new AbortController()
  let failures = 0
  let wakeUp: AbortController = new AbortController()

  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await isLinked.when(linked => !linked, { signal: stopped.signal })
      if (failures > 0 && !wakeUp.signal.aborted) await pause(jitteredDelay(failures, { firstMs, maxMs, random }))
      if (stopped.signal.aborted || isLinked.peek()) continue
      if (wakeUp.signal.aborted) wakeUp = new AbortController()
      const wasWoken = wakeUp.signal // a wake while dialling counts for the next try
      const outcome = await options.dial(stopped.signal)
      if (outcome === 'up') continue
      if (!wasWoken.aborted) failures += 1
      if (outcome === 'nowhere' && !wasWoken.aborted) await pause(undefined)
    }
  }

  /** Until the time is over, somebody wakes us, the link is there, or the end. Without a time: until one of the others. */
  const pause = async (ms: number | undefined): Promise<void> => {
    const done = new AbortController()
    const signal = AbortSignal.any([stopped.signal, wakeUp.signal, done.signal])
    const waits: Promise<unknown>[] = [isLinked.when(linked => linked, { signal })]
    waits.push(ms === undefined ? whenAborted(signal) : clock.sleep(ms, { signal }))
    await Promise.race(waits.map(wait => wait.catch(() => undefined))) // an abort is one of the ways to end the pause
    done.abort()
  }

  run().catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error // dial promised not to reject
  })

  return {
    wake() {
      failures = 0
      wakeUp.abort()
    },
    ended(wasOpenForMs) {
      failures = wasOpenForMs >= HEALTHY_AFTER_MS ? 1 : failures + 1
    },
    stop: () => stopped.abort(new Error('no longer a member, or closed')),
  }
}

/** Full jitter: anything from zero to the ceiling, which doubles with each failure in a row. */
export function jitteredDelay(
  failures: number,
  { firstMs, maxMs, random }: { readonly firstMs: number; readonly maxMs: number; readonly random: Random },
): number {
  const ceiling = Math.min(maxMs, firstMs * 2 ** (failures - 1))
  const [high = 0, low = 0] = random.bytes(2)
  return (ceiling * (high * 256 + low)) / 0x1_00_00
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
