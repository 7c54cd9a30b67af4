/**
 * `npm test`: builds, runs everything, and ends with one line: `N passed, N failed, N skipped`.
 * What was skipped is listed by name with its reason; nothing is left out silently. Arguments go to vitest (a path, -t NAME).
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { bin, build, runNode } from './lib/run.mjs'

await build()
const scratch = mkdtempSync(path.join(tmpdir(), 'segue-test-'))
const totals = { passed: 0, failed: 0, skipped: [] }
try {
  const report = path.join(scratch, 'vitest.json')
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)]
  const { code } = await runNode([bin('vitest/vitest.mjs'), ...args])
  count(report, code)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
for (const name of totals.skipped) console.log(`skipped: ${name}`)
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped.length} skipped`)
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1)

function count(reportFile, exitCode) {
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
      else totals.skipped.push(test.fullName)
    }
  }
  // an error outside any test (an unhandled rejection, a leaked process) fails the run too
  if (exitCode !== 0 && totals.failed === 0) totals.failed += 1
}
