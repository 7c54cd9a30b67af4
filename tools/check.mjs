/** `npm run check`: everything that is checked without running the product. Each line names the command that repeats it alone. */
import { bin, runNode } from './lib/run.mjs'

const CHECKS = [
  ['types of the packages', ['typescript/bin/tsc', '-b']],
  ['types of the tests', ['typescript/bin/tsc', '-p', 'test/tsconfig.json']],
  ['lint', ['oxlint/bin/oxlint', '--deny-warnings']],
  ['format', ['oxfmt/bin/oxfmt', '--check']],
  ['package boundaries', ['turbo/bin/turbo', 'boundaries']],
  ['unused files, exports and dependencies', ['knip/bin/knip.js']],
  ['one version of each dependency', ['sherif/index.js']],
  ['the repository about itself', ['vitest/vitest.mjs', 'run', 'test/meta']],
]
const failed = []
for (const [name, [entry, ...args]] of CHECKS) {
  console.log(`\n== ${name}: ${entry.split('/')[0]} ${args.join(' ')}`)
  const { code } = await runNode([bin(entry), ...args])
  if (code !== 0) failed.push(name)
}
console.log(failed.length === 0 ? '\nall checks passed' : `\nfailed: ${failed.join('; ')}`)
process.exit(failed.length === 0 ? 0 : 1)
