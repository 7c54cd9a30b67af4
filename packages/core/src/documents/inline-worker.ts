/** The DocumentWorker's work on this thread: for platforms without threads, and for tests. Long jobs hold everything else up. */
import type { DocumentWorker } from '../ports/worker.ts'
import { buildFragments, readBundleContents, splitBundle } from './bundle.ts'

export function createInlineWorker(): DocumentWorker {
  return {
    readBundle: async (bundle, limits) => readBundleContents(bundle, limits),
    buildFragments: async (saved, known) => buildFragments(saved, known),
    splitBundle: async (bundle, limits) => splitBundle(bundle, limits),
    close: async () => undefined,
  }
}
