/** The worker thread's side: answers each batch of jobs in order. A job that Automerge panics on ends the thread; its owner starts another. */
import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import type { Job } from './jobs.ts'

giveWay()
const { answer } = await import('./answer.ts') // takes a while: after giving way
parentPort?.on('message', (jobs: readonly Job[]) => parentPort?.postMessage(jobs.map(answer), []))

/** To the thread that people type on. On Linux 0 is this thread alone; elsewhere it would be the whole process. */
function giveWay(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // a container may forbid it; then all threads are equal
  }
}
