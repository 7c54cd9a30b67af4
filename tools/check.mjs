/** `npm run check`: everything that is checked without running the product. Each line names the command that repeats it alone. */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { ROOT, bin, runNode } from './lib/run.mjs'

const packages = readdirSync(path.join(ROOT, 'packages')).map(name => `packages/${name}`)

/** @type {readonly {name: string, entry: string, args: readonly string[]}[]} */
const CHECKS = [
  { name: 'types of the packages', entry: 'typescript/bin/tsc', args: ['-b', ...packages] },
  { name: 'types of the tests', entry: 'typescript/bin/tsc', args: ['-p', 'test/tsconfig.json'] },
  { name: 'lint', entry: 'oxlint/bin/oxlint', args: ['--deny-warnings'] },
  { name: 'format', entry: 'oxfmt/bin/oxfmt', args: ['--check'] },
  { name: 'package boundaries', entry: 'turbo/bin/turbo', args: ['boundaries'] },
  { name: 'unused files, exports and dependencies', entry: 'knip/bin/knip.js', args: [] },
  { name: 'one version of each dependency', entry: 'sherif/index.js', args: [] },
  ...packages.map(folder => ({
    name: `${folder} as npm would publish it`,
    entry: 'publint/src/cli.js',
    args: ['run', folder, '--strict'],
  })),
  { name: 'the repository about itself', entry: 'vitest/vitest.mjs', args: ['run', 'test/meta'] },
]

/** @type {string[]} */
const failed = []
for (const { name, entry, args } of CHECKS) {
  console.log(`\n== ${name}: ${entry.slice(0, entry.indexOf('/'))} ${args.join(' ')}`)
  const { code } = await runNode([bin(entry), ...args])
  if (code !== 0) failed.push(name)
}
console.log(failed.length === 0 ? '\nall checks passed' : `\nfailed: ${failed.join('; ')}`)
process.exit(failed.length === 0 ? 0 : 1)
