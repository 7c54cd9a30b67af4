import { availableParallelism } from 'node:os'
import { defaultExclude, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What waits most goes first, and what is in small pieces last, so that no long file is left over when the others are done. */
const ORDER = ['kills', 'days', 'own', 'shared', 'devices']

class LongestFirst extends BaseSequencer {
  override async sort(...[files]: Parameters<BaseSequencer['sort']>): ReturnType<BaseSequencer['sort']> {
    const placeOf = ({ project }: TestSpecification): number => ORDER.indexOf(project.name)
    return (await super.sort(files)).toSorted((a, b) => placeOf(a) - placeOf(b))
  }
}

const PARTS = 'packages/{core,storage,net}/src'
const DEVICES = '{packages/{engine,relay}/src,test/integration}'
const KILLS = `{${PARTS},${DEVICES}}/**/*kill*.test.ts`
/** They replace modules. */
const REPLACING = 'packages/engine/src/{forgetting,open-segue}.test.ts'

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
    // Files of a project without isolation share a process, one after the other, and load once what they import: loading the engine takes
    // longer than most tests of it. Nothing there changes or measures what is global. All other files have a process each.
    projects: [
      { extends: true, test: { name: 'kills', include: [KILLS] } },
      { extends: true, test: { name: 'days', include: ['test/simulation/**/*.test.ts'], isolate: false } },
      {
        extends: true,
        test: { name: 'own', include: ['packages/demo-app/src/**/*.test.ts', 'test/{e2e,meta}/**/*.test.ts', REPLACING] },
      },
      {
        extends: true,
        test: { name: 'shared', include: [`${PARTS}/**/*.test.ts`], exclude: [...defaultExclude, KILLS], isolate: false },
      },
      {
        extends: true,
        test: { name: 'devices', include: [`${DEVICES}/**/*.test.ts`], exclude: [...defaultExclude, KILLS, REPLACING], isolate: false },
      },
    ],
  },
})
