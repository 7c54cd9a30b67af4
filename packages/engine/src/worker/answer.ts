/** What the document worker's thread does. */
import { buildFragments, readBundle, splitBundle } from '@segue/core/documents-worker'
import { nativeHasher } from '../platform/native-hasher.ts'
import type { Job, JobAnswer, JobResults } from './jobs.ts'

export function answer(job: Job): JobAnswer {
  try {
    return { ok: true, value: run(job) }
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

function run(job: Job): JobResults[Job['kind']] {
  switch (job.kind) {
    case 'read-bundle':
      return readBundle(job.bundle, { ...job, hasher: nativeHasher })
    case 'split-bundle':
      return splitBundle(job.bundle, job)
    case 'build-fragments':
      return buildFragments(job.saved, job.known)
  }
}
