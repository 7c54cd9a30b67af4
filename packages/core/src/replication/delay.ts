/** Gathers items for a moment, then hands over all of them. */
import type { Clock } from '../ports/clock.ts'

export interface Delay<Item> {
  add(items: readonly Item[]): void
  /** What waits is let go. */
  end(): void
}

export function createDelay<Item>(clock: Clock, ms: number, onDue: (items: readonly Item[]) => void): Delay<Item> {
  let waiting: Item[] = []
  let cancel: (() => void) | undefined
  let hasEnded = false
  return {
    add(items) {
      if (hasEnded) return
      for (const item of items) waiting.push(item)
      cancel ??= clock.after(ms, () => {
        const due = waiting
        waiting = []
        cancel = undefined
        onDue(due)
      })
    },
    end() {
      hasEnded = true
      cancel?.()
      waiting = []
    },
  }
}
