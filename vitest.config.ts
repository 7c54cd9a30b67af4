import { defineConfig } from 'vitest/config'

/** Tests run on the sources (the `@segue/source` export condition), so a test never sees a stale build. */
export default defineConfig({
  resolve: { conditions: ['@segue/source'] },
  ssr: { resolve: { conditions: ['@segue/source'], externalConditions: ['@segue/source'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
})
