/**
 * The DocumentWorker port on a Node worker thread: started with the first job, one job at a time, replaced when a job crashes it
 * or takes too long. The thread does not keep the process alive while it has nothing to do.
 */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'
import { SegueError } from '@segue/core'
import type { DocumentWorker } from '@segue/core/ports'
import type { Job, JobAnswer, JobResults } from './jobs.ts'

export interface NodeWorkerOptions {
  /** A job that takes longer is given up with its thread. Default one minute (260,000 edits take 1.3 s). */
  readonly jobDeadlineMs?: number
}

export function createNodeWorker({ jobDeadlineMs = JOB_DEADLINE_MS }: NodeWorkerOptions = {}): DocumentWorker {
  let thread: Worker | undefined
  let last: Promise<unknown> = Promise.resolve()
  let isClosed = false

  const discard = async (): Promise<void> => {
    const old = thread
    thread = undefined
    await old?.terminate()
  }
  const runNow = async <Kind extends Job['kind']>(job: Extract<Job, { kind: Kind }>): Promise<JobResults[Kind]> => {
    if (isClosed) throw new SegueError('CLOSED')
    thread ??= startThread()
    let answer: JobAnswer
    try {
      answer = await ask(thread, job, jobDeadlineMs)
    } catch (error) {
      await discard()
      throw error
    }
    if (!answer.ok) throw new RangeError(answer.reason)
    return answer.value as JobResults[Kind]
  }
  const run = <Kind extends Job['kind']>(job: Extract<Job, { kind: Kind }>): Promise<JobResults[Kind]> => {
    const result = last.then(() => runNow(job))
    last = result.catch(() => undefined) // its caller hears of it; the next job does not care
    return result
  }
  return {
    readBundle: (bundle, { maxInflatedBytes }) => run({ kind: 'read-bundle', bundle, maxInflatedBytes }),
    splitBundle: (bundle, { maxInflatedBytes }) => run({ kind: 'split-bundle', bundle, maxInflatedBytes }),
    buildFragments: (saved, known) => run({ kind: 'build-fragments', saved, known }),
    async close() {
      isClosed = true
      await discard()
    },
  }
}

const JOB_DEADLINE_MS = 60_000
/** JavaScript heap of the thread; what Automerge holds in WebAssembly comes on top and is bounded by the jobs' own limits. */
const MAX_HEAP_MB = 512

/** From a build the thread is thread.js. From the sources (tests, development) it is thread.ts, and tsx has to load it. */
function startThread(): Worker {
  const limits = { resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB } }
  const thread = import.meta.url.endsWith('.ts') ? startFromSource(limits) : new Worker(new URL('./thread.js', import.meta.url), limits)
  thread.unref()
  return thread
}

function startFromSource(options: WorkerOptions): Worker {
  const tsx = new URL('./dist/esm/api/index.mjs', pathToFileURL(createRequire(import.meta.url).resolve('tsx/package.json'))).href
  const source = new URL('./thread.ts', import.meta.url).href
  const start = `import('${tsx}').then(({ register }) => { register(); return import('${source}') })`
  return new Worker(start, { ...options, eval: true, execArgv: ['--conditions=@segue/source'] })
}

function ask(thread: Worker, job: Job, deadlineMs: number): Promise<JobAnswer> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      thread.off('message', onMessage)
      thread.off('error', onError)
      thread.off('exit', onExit)
      thread.unref()
    }
    const onMessage = (answer: JobAnswer): void => {
      stop()
      resolve(answer)
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
    thread.postMessage(job, [])
  })
}
