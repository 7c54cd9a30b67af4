/** The DocumentWorker's work on this thread: for platforms without threads, and for tests. Long jobs hold everything else up. */
import type { DocumentWorker } from '../ports/worker.ts'
import { buildFragments, readBundleContents } from './bundle.ts'

export function createInlineWorker(): DocumentWorker {
  return {
    readBundle: async (bundle, limits) => readBundleContents(bundle, limits),
    buildFragments: async (saved, known) => buildFragments(saved, known),
    close: async () => undefined,
  }
}
