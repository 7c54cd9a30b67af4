/** The worker thread's side: answers each job in order. A job that Automerge panics on ends the thread; its owner starts another. */
import { parentPort } from 'node:worker_threads'
import { buildFragments, readBundleContents, splitBundle } from '@segue/core/documents-worker'
import { nativeHasher } from '../platform/native-hasher.ts'
import type { Job, JobAnswer, JobResults } from './jobs.ts'

parentPort?.on('message', (job: Job) => {
  let answer: JobAnswer
  try {
    answer = { ok: true, value: run(job) }
  } catch (error) {
    answer = { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
  parentPort?.postMessage(answer, [])
})

function run(job: Job): JobResults[Job['kind']] {
  switch (job.kind) {
    case 'read-bundle':
      return readBundleContents(job.bundle, { ...job, hasher: nativeHasher })
    case 'split-bundle':
      return splitBundle(job.bundle, job)
    case 'build-fragments':
      return buildFragments(job.saved, job.known)
  }
}
