/**
 * `npm test`: builds, runs everything, and ends with one line: `N passed, N failed, N skipped`. Without arguments, a second lane then runs
 * the part of the tests below on Node 24. What was skipped is listed by name with its reason; nothing is left out silently. Arguments go to
 * vitest (a path, -t NAME); `--node-24` first runs just them, or just the second lane, on Node 24.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { build } from './lib/build.mjs'
import { findNode24 } from './lib/node-24.mjs'
import { bin, runNode } from './lib/run.mjs'

/** What another Node could change: the platform's own crypto, threads, sockets and files. e2e/packages.test.ts has Node 24 by itself. */
const SECOND_LANE = ['packages/storage', 'packages/net', 'packages/engine/src/worker', 'packages/engine/src/platform']

await build()
const scratch = mkdtempSync(path.join(tmpdir(), 'segue-test-'))
const totals = { passed: 0, failed: 0 }
/** @type {string[]} */
const skipped = []
const isOnlyNode24 = process.argv[2] === '--node-24'
const chosen = process.argv.slice(isOnlyNode24 ? 3 : 2)
try {
  if (!isOnlyNode24) await lane('', process.execPath, chosen)
  if (isOnlyNode24 || chosen.length === 0) {
    const { path: node, reason } = findNode24()
    if (node === undefined) skipped.push(`the second lane (not run: ${reason})`)
    else if (node !== process.execPath || isOnlyNode24) await lane('on Node 24: ', node, chosen.length === 0 ? SECOND_LANE : chosen)
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
for (const name of skipped) console.log(`skipped: ${name}`)
console.log(`${totals.passed} passed, ${totals.failed} failed, ${skipped.length} skipped`)
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1)

/** @param {string} prefix @param {string} node @param {readonly string[]} chosen */
async function lane(prefix, node, chosen) {
  if (prefix !== '') console.log(`\n${prefix}${chosen.join(' ')}`)
  const report = path.join(scratch, `vitest-${prefix.length}.json`)
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...chosen]
  const { code } = await runNode([bin('vitest/vitest.mjs'), ...args], { node })
  count(prefix, report, code)
}

/** @param {string} prefix @param {string} reportFile @param {number} exitCode */
function count(prefix, reportFile, exitCode) {
  const failedBefore = totals.failed
  let report
  try {
    report = JSON.parse(readFileSync(reportFile, 'utf8'))
  } catch {
    totals.failed += 1 // the runner died before it could write: that is a failure, whatever it printed
    return
  }
  for (const file of report.testResults) {
    if (file.status === 'failed' && file.assertionResults.length === 0) totals.failed += 1 // did not even load
    for (const test of file.assertionResults) {
      if (test.status === 'passed') totals.passed += 1
      else if (test.status === 'failed') totals.failed += 1
      else skipped.push(prefix + test.fullName)
    }
  }
  // an error outside any test (an unhandled rejection, a leaked process) fails the run too
  if (exitCode !== 0 && totals.failed === failedBefore) totals.failed += 1
}
