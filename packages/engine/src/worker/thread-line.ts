/** A thread, and what it was asked: it answers each batch of jobs in order. Batches may be asked before others are answered. */
import { Worker } from 'node:worker_threads'
import { SegueError } from '@segue/core'
import { threadFile } from '../thread-file.ts'
import type { Job, JobAnswer } from './jobs.ts'

export interface ThreadLine {
  /** Never rejects. */
  ask(jobs: readonly Job[]): Promise<LineAnswer>
  end(): Promise<void>
}

export type LineAnswer =
  | { readonly answers: readonly JobAnswer[] }
  /** The thread is of no use any more. Where this was all it was asked, one of these jobs broke it. */
  | { readonly failure: unknown; readonly isAlone: boolean }

export interface ThreadLineOptions {
  /** Of the batch that it is at. */
  readonly deadlineMs: number
  /** It is gone, whatever ended it. */
  readonly onEnded: () => void
}

export function openThreadLine({ deadlineMs, onEnded }: ThreadLineOptions): ThreadLine {
  const thread = new Worker(threadFile, { resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB } })
  const asked: ((answer: LineAnswer) => void)[] = []
  let deadline: NodeJS.Timeout | undefined

  /** It keeps the process alive while it has something to do. */
  const watch = (): void => {
    clearTimeout(deadline)
    if (asked.length === 0) return thread.unref()
    thread.ref()
    deadline = setTimeout(() => fail(new SegueError('TIMED_OUT')), deadlineMs)
  }
  const fail = (failure: unknown): void => {
    clearTimeout(deadline)
    const isAlone = asked.length === 1
    for (const resolve of asked.splice(0)) resolve({ failure, isAlone })
  }
  thread.unref()
  thread.on('message', (answers: readonly JobAnswer[]) => {
    asked.shift()?.({ answers })
    watch()
  })
  thread.on('error', fail)
  thread.once('exit', () => {
    fail(new Error('the document worker ended'))
    onEnded()
  })
  return {
    ask: jobs =>
      new Promise(resolve => {
        asked.push(resolve)
        if (asked.length === 1) watch()
        thread.postMessage(jobs, [])
      }),
    async end() {
      await thread.terminate()
    },
  }
}

/** JavaScript heap of the thread; what Automerge holds in WebAssembly comes on top and is bounded by the jobs' own limits. */
const MAX_HEAP_MB = 512
