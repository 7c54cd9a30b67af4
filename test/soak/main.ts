/**
 * `npm run soak -- [--minutes 10] [--rounds 500] [--trust 0.3] [--json]`: the days of test/simulation on seeds nobody has seen, until the time is over;
 * then a relay killed at random that many times while a device writes to it. Says how far it is, each promise that was broken with its
 * seed, then the sums; with --json one document on stdout and everything else on stderr. Ends with 1 when anything was broken.
 */
import { randomInt } from 'node:crypto'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { liveDays } from './days.ts'
import { killRelays } from './kills.ts'
import { memoryText } from './memory.ts'

const USAGE = 'usage: npm run soak -- [--minutes N] [--rounds N] [--seed N] [--days N] [--trust 0..1] [--notes] [--json]'
const OPTIONS = {
  /** Of simulated days; 0: none. */
  minutes: { type: 'string', default: '10' },
  /** Kills of a relay process; 0: none. */
  rounds: { type: 'string', default: '500' },
  /** Begins here instead of anywhere. */
  seed: { type: 'string' },
  /** Ends after this many days, if the time is not over before. */
  days: { type: 'string' },
  /** The share of days on which devices are removed, copied and set back: from 0 to 1. */
  trust: { type: 'string', default: '0.3' },
  /** What happened in each day that broke a promise, line by line. */
  notes: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const
const values = valuesOf(process.argv.slice(2))
const minutes = Number(values.minutes)
const rounds = Number(values.rounds)
const trust = Number(values.trust)
const firstSeed = values.seed === undefined ? randomInt(1_000_000, 2 ** 31) : Number(values.seed)
const mostDays = values.days === undefined ? Number.POSITIVE_INFINITY : Number(values.days)
if (
  !(minutes >= 0) ||
  !Number.isSafeInteger(rounds) ||
  rounds < 0 ||
  !Number.isSafeInteger(firstSeed) ||
  !(mostDays > 0) ||
  !(trust >= 0 && trust <= 1)
) {
  console.error(USAGE)
  process.exit(2)
}

const tell = (line: string): void => void process.stderr.write(`${line}\n`)
const days = await liveDays({ minutes, firstSeed, mostDays, trust, withNotes: values.notes, tell })
const kills = await killRelays(rounds, tell)
const isWhole = days.broken.length === 0 && days.memory.verdict !== 'grows' && kills.failedRounds === 0

if (values.json) process.stdout.write(`${JSON.stringify({ schemaVersion: 1, isWhole, days, kills })}\n`)
else {
  const { acknowledged, deleted, cameOver, kinds, memory, broken } = days
  const ofEach = Object.entries(kinds).map(([kind, count]) => `${count} ${kind}`)
  console.log(`${days.days} days from seed ${firstSeed} (${ofEach.join(', ')}), ${(days.days / days.minutes).toFixed(0)} a minute`)
  console.log(
    `${acknowledged} changes acknowledged, ${deleted} deletions, ${cameOver} devices came over, ${days.minutes.toFixed(1)} minutes`,
  )
  console.log(
    `handoffs: ${Object.entries(days.handoffs)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', ')}`,
  )
  console.log(memoryText(memory))
  console.log(
    `relay killed ${kills.rounds} times in ${kills.minutes.toFixed(1)} minutes, ${kills.confirmed} chunks confirmed, ${kills.failedRounds} rounds failed`,
  )
  for (const output of kills.said) console.log(output)
  console.log(
    isWhole
      ? 'nothing promised was broken'
      : broken.length === 0
        ? 'broken'
        : broken
            .map(({ seed }) => `broken; again with: npm run soak -- --rounds 0 --days 1 --trust ${trust} --notes --seed ${seed}`)
            .join('\n'),
  )
}
process.exit(isWhole ? 0 : 1)

/** Ends the process where they cannot be read. */
function valuesOf(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return process.exit(2)
  }
}
