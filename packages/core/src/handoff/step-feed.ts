/** The steps of one handoff for any number of readers. A slow reader sees the latest bytes, not all of them: memory is bounded. */
import type { Step } from './outcome.ts'

export interface StepFeed {
  publish(step: Step): void
  end(): void
  readonly steps: AsyncIterable<Step>
}

export function createStepFeed(): StepFeed {
  const readers = new Set<Reader>()
  let ended = false
  return {
    publish(step) {
      for (const reader of readers) reader.push(step)
    },
    end() {
      ended = true
      for (const reader of readers) reader.end()
      readers.clear()
    },
    steps: {
      [Symbol.asyncIterator]() {
        const reader = createReader(() => readers.delete(reader))
        if (ended) reader.end()
        else readers.add(reader)
        return reader.iterator
      },
    },
  }
}

interface Reader {
  push(step: Step): void
  end(): void
  readonly iterator: AsyncIterator<Step, undefined>
}

function createReader(onReturn: () => void): Reader {
  const queue: Step[] = []
  let waiting: ((result: IteratorResult<Step, undefined>) => void) | undefined
  let ended = false
  const finished = { done: true, value: undefined } as const
  return {
    push(step) {
      if (waiting !== undefined) {
        waiting({ done: false, value: step })
        waiting = undefined
        return
      }
      const last = queue.at(-1)
      if (last?.state === 'underway' && last.milestone === step.milestone) queue.pop()
      queue.push(step)
    },
    end() {
      ended = true
      waiting?.(finished)
      waiting = undefined
    },
    iterator: {
      next() {
        const step = queue.shift()
        if (step !== undefined) return Promise.resolve({ done: false, value: step })
        if (ended) return Promise.resolve(finished)
        return new Promise(resolve => {
          waiting = resolve
        })
      },
      return() {
        ended = true
        onReturn()
        return Promise.resolve(finished)
      },
    },
  }
}
