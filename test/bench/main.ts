/**
 * `npm run bench -- [P1 P2 ...] [--json] [--full] [--smoke]`: measures the product and its peers in the same run on the same work.
 * Timings are reported, never judged: the exit code says only whether everything ran.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import type { Bench, Result } from './bench.ts'
import { compileDevices } from './compile-devices.ts'
import { editLatency } from './p1-edit-latency.ts'
import { firstSync } from './p2-first-sync.ts'
import { reconnect } from './p3-reconnect.ts'
import { away } from './p4-away.ts'
import { opening } from './p8-opening.ts'
import { relay } from './p9-relay.ts'
import { reportOf, tableOf } from './report.ts'

const BENCHES: readonly Bench[] = [editLatency, firstSync, reconnect, away, opening, relay]

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
  },
})
const wanted = positionals.map(id => id.toUpperCase())
const unknown = wanted.filter(id => !BENCHES.some(bench => bench.id === id))
/** Each figure is the median of this many, after a warm-up. */
const ROUNDS = 5

if (unknown.length > 0) {
  process.stderr.write(`no such bench: ${unknown.join(', ')}; there are ${BENCHES.map(({ id }) => id).join(', ')}\n`)
  process.exit(2)
}

const root = await mkdtemp(path.join(tmpdir(), 'segue-bench-'))
const say = (line: string): void => void process.stderr.write(`${line}\n`)
const results: Result[] = []
let hasFailed = false
try {
  await compileDevices()
  for (const bench of BENCHES.filter(({ id }) => wanted.length === 0 || wanted.includes(id))) {
    say(`${bench.id}: ${bench.what}`)
    try {
      const scratch = (name: string): Promise<string> => mkdtemp(path.join(root, `${bench.id}-${name}-`))
      results.push(...(await bench.run({ full: flags.full, smoke: flags.smoke, rounds: flags.smoke ? 1 : ROUNDS, scratch, say })))
    } catch (error) {
      hasFailed = true
      say(`${bench.id} could not be measured: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    }
  }
} finally {
  await rm(root, { recursive: true, force: true })
}
const report = reportOf(results)
process.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : `\n${tableOf(report)}\n`)
process.exit(hasFailed ? 1 : 0)
