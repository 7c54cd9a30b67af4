/** Gathers items for a moment, then hands over all of them. */
import type { Clock } from '../ports/clock.ts'

export interface Delay<Item> {
  /** A promise when so many wait, or are being worked on, that whoever brings them has to wait as well. */
  add(items: readonly Item[]): Promise<void> | undefined
  /** What waits is let go. */
  end(): void
}

export interface DelayOptions<Item> {
  readonly ms: number
  readonly maxWaiting: number
  /** Never rejects. */
  readonly onDue: (items: readonly Item[]) => Promise<void>
}

export function createDelay<Item>(clock: Clock, { ms, maxWaiting, onDue }: DelayOptions<Item>): Delay<Item> {
  let waiting: Item[] = []
  let underWay = 0
  let last: Promise<void> = Promise.resolve()
  let cancel: (() => void) | undefined
  let hasEnded = false
  const handOver = (): void => {
    const due = waiting
    waiting = []
    cancel = undefined
    underWay += due.length
    last = Promise.all([last, onDue(due)]).then(() => void (underWay -= due.length))
  }
  return {
    add(items) {
      if (hasEnded) return undefined
      for (const item of items) waiting.push(item)
      if (waiting.length + underWay <= maxWaiting) {
        cancel ??= clock.after(ms, handOver)
        return undefined
      }
      cancel?.()
      handOver()
      return last
    },
    end() {
      hasEnded = true
      cancel?.()
      waiting = []
    },
  }
}
