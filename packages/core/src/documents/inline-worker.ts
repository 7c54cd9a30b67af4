/** The DocumentWorker's work on this thread: for platforms without threads, and for tests. Long jobs hold everything else up. */
import type { DocumentWorker } from '../ports/worker.ts'
import { buildFragments, readBundle, splitBundle } from './bundle.ts'

export function createInlineWorker(): DocumentWorker {
  return {
    readBundle: async (bundle, limits) => readBundle(bundle, limits),
    buildFragments: async (saved, known) => buildFragments(saved, known),
    splitBundle: async (bundle, limits) => splitBundle(bundle, limits),
    close: async () => undefined,
  }
}
