/**
 * `npm run soak -- --minutes 10`: the days of test/simulation on seeds nobody has seen, until the time is over. Prints each day that broke a
 * promise with its seed, then counts, and how memory grew from the first tenth to the last. Exits 1 when anything was broken.
 */
import { randomInt } from 'node:crypto'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { liveDay } from '../simulation/day.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    /** Begins here instead of anywhere. */
    seed: { type: 'string' },
    /** Ends after this many days, if the time is not over before. */
    days: { type: 'string' },
    /** What happened in each day that broke a promise, line by line. */
    notes: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes)
const firstSeed = values.seed === undefined ? randomInt(1_000_000, 2 ** 31) : Number(values.seed)
const mostDays = values.days === undefined ? Number.POSITIVE_INFINITY : Number(values.days)
if (!(minutes > 0) || !Number.isSafeInteger(firstSeed) || !(mostDays > 0)) {
  console.error('usage: npm run soak -- [--minutes N] [--seed N] [--days N] [--notes]')
  process.exit(2)
}

const startedAt = performance.now()
const outcomes = new Map<string, number>()
const heapMb: number[] = []
const broken: number[] = []
let acknowledged = 0
let seed = firstSeed
for (; seed - firstSeed < mostDays && performance.now() - startedAt < minutes * 60_000; seed++) {
  const report = await liveDay(seed)
  acknowledged += report.acknowledged
  for (const [kind, count] of report.outcomes) outcomes.set(kind, (outcomes.get(kind) ?? 0) + count)
  if (report.violations.length > 0) {
    broken.push(seed)
    for (const { invariant, text } of report.violations.slice(0, 10)) console.log(`seed ${seed} [${invariant}] ${text}`)
    if (values.notes) console.log(report.notes.join('\n'))
  }
  globalThis.gc?.()
  heapMb.push(process.memoryUsage().heapUsed / 1_048_576)
}

const hours = (performance.now() - startedAt) / 3_600_000
const tenth = Math.max(1, Math.floor(heapMb.length / 10))
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0) / numbers.length
const growthMb = mean(heapMb.slice(-tenth)) - mean(heapMb.slice(0, tenth))
console.log(`${seed - firstSeed} days from seed ${firstSeed}, ${acknowledged} changes acknowledged, ${(hours * 60).toFixed(1)} minutes`)
console.log(`handoffs: ${[...outcomes].map(([kind, count]) => `${count} ${kind}`).join(', ')}`)
console.log(
  `heap: ${growthMb.toFixed(1)} MB more in the last tenth than in the first${globalThis.gc === undefined ? ' (collected when Node liked: no --expose-gc)' : ''}`,
)
console.log(broken.length === 0 ? 'nothing promised was broken' : `broken: ${broken.map(each => `SEED=${each}`).join(' ')}`)
process.exit(broken.length === 0 ? 0 : 1)
