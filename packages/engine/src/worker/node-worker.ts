/**
 * The DocumentWorker port on a Node worker thread: started with the first job or by `warmUp`, replaced when a job crashes it or takes too
 * long, ended after a while without any. What is asked for in one breath goes over in one message: whoever asked may be busy when the
 * first is done. The thread does not keep the process alive while it has nothing to do.
 */
import { Worker } from 'node:worker_threads'
import { SegueError } from '@segue/core'
import type { DocumentWorker } from '@segue/core/ports'
import { threadFile } from '../thread-file.ts'
import type { Job, JobAnswer, JobResults } from './jobs.ts'

export interface NodeWorkerOptions {
  /** A job that takes longer is given up with its thread. Default one minute (260,000 edits take 1.3 s). */
  readonly jobDeadlineMs?: number
  /** Without a job for this long the thread ends: it holds some 40 MB. Default one minute. */
  readonly idleMs?: number
  /** A thread is gone, whatever ended it. */
  readonly onEnded?: () => void
}

export function createNodeWorker({ jobDeadlineMs = JOB_DEADLINE_MS, idleMs = IDLE_MS, onEnded }: NodeWorkerOptions = {}): DocumentWorker {
  let thread: Worker | undefined
  let waiting: Waiting[] = []
  let running: Promise<void> | undefined
  let idle: NodeJS.Timeout | undefined
  let isClosed = false

  const discard = async (): Promise<void> => {
    clearTimeout(idle)
    const old = thread
    thread = undefined
    await old?.terminate()
  }
  const started = (): Worker => {
    clearTimeout(idle)
    if (thread !== undefined) return thread
    const made = startThread()
    thread = made
    made.on('error', () => undefined) // whoever waits for an answer hears of it; without one nobody needs to
    made.once('exit', () => {
      if (thread === made) thread = undefined
      onEnded?.()
    })
    return made
  }
  const rest = (): void => {
    clearTimeout(idle)
    if (isClosed) return
    idle = setTimeout(() => void discard(), idleMs)
    idle.unref()
  }
  const askFor = async (jobs: readonly Job[]): Promise<readonly JobAnswer[]> => {
    if (isClosed) throw new SegueError('CLOSED')
    try {
      return await ask(started(), jobs, jobDeadlineMs)
    } catch (error) {
      await discard()
      throw isClosed ? new SegueError('CLOSED') : error
    }
  }
  const settle = ({ resolve, reject }: Waiting, answer: JobAnswer): void => {
    if (answer.ok) resolve(answer.value)
    else reject(new RangeError(answer.reason))
  }
  /** One of them broke the thread or took too long: each by itself, so that it alone fails. */
  const runApart = async (batch: readonly Waiting[], failure: unknown): Promise<void> => {
    for (const each of batch) {
      if (batch.length === 1) return each.reject(failure)
      await askFor([each.job]).then(
        answers => settle(each, answers[0] as JobAnswer),
        error => each.reject(error),
      )
    }
  }
  const run = async (): Promise<void> => {
    await Promise.resolve() // what is asked for in the same breath shares the message
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        const answers = await askFor(batch.map(({ job }) => job))
        for (const [i, each] of batch.entries()) settle(each, answers[i] as JobAnswer)
      } catch (error) {
        await runApart(batch, error)
      }
    }
    running = undefined
    rest()
  }
  const enqueue = <Kind extends Job['kind']>(job: Extract<Job, { kind: Kind }>): Promise<JobResults[Kind]> =>
    new Promise((resolve, reject) => {
      if (isClosed) return reject(new SegueError('CLOSED'))
      waiting.push({ job, resolve: value => resolve(value as JobResults[Kind]), reject })
      running ??= run()
    })
  return {
    warmUp() {
      if (isClosed || running !== undefined) return
      started()
      rest()
    },
    readBundle: (bundle, { maxInflatedBytes }) => enqueue({ kind: 'read-bundle', bundle, maxInflatedBytes }),
    splitBundle: (bundle, { maxInflatedBytes }) => enqueue({ kind: 'split-bundle', bundle, maxInflatedBytes }),
    buildFragments: (saved, known) => enqueue({ kind: 'build-fragments', saved, known }),
    async close() {
      isClosed = true
      for (const { reject } of waiting) reject(new SegueError('CLOSED'))
      waiting = []
      await discard()
    },
  }
}

interface Waiting {
  readonly job: Job
  readonly resolve: (value: JobResults[Job['kind']]) => void
  readonly reject: (reason: unknown) => void
}

const JOB_DEADLINE_MS = 60_000
const IDLE_MS = 60_000
/** JavaScript heap of the thread; what Automerge holds in WebAssembly comes on top and is bounded by the jobs' own limits. */
const MAX_HEAP_MB = 512

function startThread(): Worker {
  const thread = new Worker(threadFile, { resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB } })
  thread.unref()
  return thread
}

function ask(thread: Worker, jobs: readonly Job[], deadlineMs: number): Promise<readonly JobAnswer[]> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      thread.off('message', onMessage)
      thread.off('error', onError)
      thread.off('exit', onExit)
      thread.unref()
    }
    const onMessage = (answers: readonly JobAnswer[]): void => {
      stop()
      resolve(answers)
    }
    const onError = (error: unknown): void => {
      stop()
      reject(error instanceof Error ? error : new Error(String(error)))
    }
    const onExit = (): void => onError(new Error('the document worker ended'))
    const timer = setTimeout(() => onError(new SegueError('TIMED_OUT')), deadlineMs)
    thread.on('message', onMessage)
    thread.on('error', onError)
    thread.on('exit', onExit)
    thread.ref()
    thread.postMessage(jobs, [])
  })
}
