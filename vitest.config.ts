import { availableParallelism } from 'node:os'
import { defaultExclude, defineConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'

/** Kinds of files, those that take longest first, so that no long one is left over when the others are done. */
const LONGEST_FIRST = [/kill/, /\/test\/simulation\//, /\/test\/e2e\//, /\/test\/integration\//, /\/packages\/relay\//, /./]

class LongestFirst extends BaseSequencer {
  override async sort(...[files]: Parameters<BaseSequencer['sort']>): ReturnType<BaseSequencer['sort']> {
    const kindOf = ({ moduleId }: { readonly moduleId: string }): number => LONGEST_FIRST.findIndex(kind => kind.test(moduleId))
    return (await super.sort(files)).toSorted((a, b) => kindOf(a) - kindOf(b))
  }
}

/** Their files share a process, one after the other, and load what they import once. All other files have one each. */
const SHARED = 'packages/{core,storage,net}/src'

/** Tests run on the sources (the `@segue/source` export condition), so a test never sees a stale build. */
export default defineConfig({
  resolve: { conditions: ['@segue/source'] },
  ssr: { resolve: { conditions: ['@segue/source'], externalConditions: ['@segue/source'] } },
  test: {
    // Only what hangs ends here: four at a time on two cores, and whatever else the machine does.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Twice the cores of a small machine: tests of whole devices wait for processes, disks and links more than they compute.
    maxWorkers: Math.max(4, availableParallelism()),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: { name: 'shared', include: [`${SHARED}/**/*.test.ts`], exclude: [...defaultExclude, '**/kill-*'], isolate: false },
      },
      {
        extends: true,
        test: {
          name: 'own',
          include: ['packages/{demo-app,engine,relay}/src/**/*.test.ts', `${SHARED}/**/kill-*.test.ts`, 'test/**/*.test.ts'],
        },
      },
    ],
  },
})
