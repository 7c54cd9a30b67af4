/**
 * The DocumentWorker port on a Node worker thread: started with the first job or by `warmUp`, replaced when a job crashes it or takes too
 * long, ended after a while without any. What is asked for in one breath goes over in one message, and nothing waits here for answers to
 * what went before: whoever asked may be busy for long, applying to a copy what is checked.
 */
import { SegueError } from '@segue/core'
import type { DocumentWorker } from '@segue/core/ports'
import type { Job, JobAnswer, JobResults } from './jobs.ts'
import { openThreadLine, type ThreadLine } from './thread-line.ts'

export interface NodeWorkerOptions {
  /** A job that takes longer is given up with its thread. Default one minute (260,000 edits take 1.3 s). */
  readonly jobDeadlineMs?: number
  /** Without a job for this long the thread ends: it holds some 40 MB. Default one minute. */
  readonly idleMs?: number
  /** A thread is gone, whatever ended it. */
  readonly onEnded?: () => void
}

export function createNodeWorker({ jobDeadlineMs = JOB_DEADLINE_MS, idleMs = IDLE_MS, onEnded }: NodeWorkerOptions = {}): DocumentWorker {
  let line: ThreadLine | undefined
  let waiting: Waiting[] = []
  let isDue = false
  /** Batches that are with the thread. */
  let asked = 0
  /** What was with a thread that broke. */
  const suspects: Waiting[] = []
  let mending: Promise<void> | undefined
  let idle: NodeJS.Timeout | undefined
  let isClosed = false

  const started = (): ThreadLine => {
    clearTimeout(idle)
    if (line !== undefined) return line
    const made = openThreadLine({
      deadlineMs: jobDeadlineMs,
      onEnded() {
        if (line === made) line = undefined
        onEnded?.()
      },
    })
    return (line = made)
  }
  const discard = async (): Promise<void> => {
    clearTimeout(idle)
    const old = line
    line = undefined
    await old?.end()
  }
  const rest = (): void => {
    clearTimeout(idle)
    if (isClosed || asked > 0 || mending !== undefined) return
    idle = setTimeout(() => void discard(), idleMs)
    idle.unref()
  }
  const settle = ({ resolve, reject }: Waiting, answer: JobAnswer): void => {
    if (answer.ok) resolve(answer.value)
    else reject(new RangeError(answer.reason))
  }
  const post = (): void => {
    isDue = false
    if (mending !== undefined || waiting.length === 0) return
    const batch = waiting
    waiting = []
    void send(batch)
  }
  const send = async (batch: readonly Waiting[]): Promise<void> => {
    asked++
    const answer = await started().ask(batch.map(({ job }) => job))
    asked--
    if ('answers' in answer) for (const [i, each] of batch.entries()) settle(each, answer.answers[i] as JobAnswer)
    else if (isClosed) for (const { reject } of batch) reject(new SegueError('CLOSED'))
    else if (answer.isAlone && batch.length === 1) {
      batch[0]?.reject(answer.failure)
      mending ??= mend()
    } else {
      suspects.push(...batch)
      mending ??= mend()
    }
    rest()
  }
  /** One of them broke the thread or took too long: each by itself, so that it alone fails. */
  const mend = async (): Promise<void> => {
    await discard()
    for (let each = suspects.shift(); each !== undefined; each = suspects.shift()) {
      if (isClosed) {
        each.reject(new SegueError('CLOSED'))
        continue
      }
      const answer = await started().ask([each.job])
      if ('answers' in answer) settle(each, answer.answers[0] as JobAnswer)
      else {
        each.reject(isClosed ? new SegueError('CLOSED') : answer.failure)
        await discard()
      }
    }
    mending = undefined
    post()
    rest()
  }
  const enqueue = <Kind extends Job['kind']>(job: Extract<Job, { kind: Kind }>): Promise<JobResults[Kind]> =>
    new Promise((resolve, reject) => {
      if (isClosed) return reject(new SegueError('CLOSED'))
      waiting.push({ job, resolve: value => resolve(value as JobResults[Kind]), reject })
      if (isDue) return
      isDue = true
      queueMicrotask(post)
    })
  return {
    warmUp() {
      if (isClosed) return
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
      await mending
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
