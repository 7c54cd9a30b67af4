/**
 * When to apply what arrived. Applying costs time proportional to the object touched and hardly more for ten changes than for
 * one, so chunks are gathered: one microtask long while applying is quick, and, as it grows slower, for about as long as the
 * last application took, so that typing always gets at least half of the thread.
 */
import type { Clock } from '../ports/clock.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'

export interface Materialiser {
  push(chunks: readonly SealedChunk[]): void
  /** Applies what is gathered now, without waiting. */
  drain(): void
  /** Nothing is applied between `pause` and `resume`; what arrives is gathered. */
  pause(): void
  resume(): void
  close(): void
}

export function createMaterialiser(components: {
  readonly clock: Clock
  /** Synchronous; must not throw. */
  readonly apply: (chunks: readonly SealedChunk[]) => void
}): Materialiser {
  const { clock, apply } = components
  let gathered: SealedChunk[] = []
  let isPaused = false
  let isScheduled = false
  let isClosed = false
  let cancel: (() => void) | undefined
  let costMs = 0
  let endedAt = Number.NEGATIVE_INFINITY

  const drain = (): void => {
    cancel?.()
    cancel = undefined
    isScheduled = false
    if (isPaused || isClosed || gathered.length === 0) return
    const batch = gathered
    gathered = []
    const startedAt = clock.monotonic()
    apply(batch)
    endedAt = clock.monotonic()
    costMs = endedAt - startedAt
  }
  const schedule = (): void => {
    if (isScheduled || isPaused || isClosed || gathered.length === 0) return
    isScheduled = true
    const restMs = costMs < QUICK_MS ? 0 : Math.min(MAX_REST_MS, costMs) - (clock.monotonic() - endedAt)
    if (restMs > 0) cancel = clock.after(restMs, drain)
    else queueMicrotask(drain)
  }
  return {
    push(chunks) {
      for (const chunk of chunks) gathered.push(chunk)
      schedule()
    },
    drain,
    pause() {
      isPaused = true
    },
    resume() {
      isPaused = false
      schedule()
    },
    close() {
      isClosed = true
      cancel?.()
      gathered = []
    },
  }
}

/** Below this an application is not worth gathering for. */
const QUICK_MS = 2
/** The longest that a chunk is kept back, so that text is visible within 250 ms. */
const MAX_REST_MS = 120
