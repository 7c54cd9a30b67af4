/** A real relay process, killed at random while a device writes to it: the test that `npm test` has, again and again. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export interface KillReport {
  readonly rounds: number
  /** Rounds of runs in which something confirmed was missing, or that did not end well otherwise. */
  readonly failedRounds: number
  /** Chunks that relays had confirmed, in the runs that went well. */
  readonly confirmed: number
  readonly minutes: number
  /** What the failed runs said. */
  readonly said: readonly string[]
}

/** At most this many rounds in one run, so that there is something to tell meanwhile. */
const ROUNDS_A_RUN = 50

export async function killRelays(rounds: number, tell: (line: string) => void): Promise<KillReport> {
  const startedAt = performance.now()
  const said: string[] = []
  let [done, failedRounds, confirmed] = [0, 0, 0]
  while (done < rounds) {
    const now = Math.min(ROUNDS_A_RUN, rounds - done)
    const { isWell, output } = await run(now)
    confirmed += isWell ? Number(/(\d+) chunks confirmed/.exec(output)?.[1] ?? 0) : 0
    if (!isWell) {
      failedRounds += now
      said.push(output)
    }
    done += now
    tell(
      `killed the relay ${done} of ${rounds} times${failedRounds === 0 ? `, nothing of ${confirmed} confirmed chunks was lost` : `: FAILED in ${failedRounds} of them`}`,
    )
  }
  return { rounds, failedRounds, confirmed, minutes: (performance.now() - startedAt) / 60_000, said }
}

/** With everything it said. */
async function run(rounds: number): Promise<{ readonly isWell: boolean; readonly output: string }> {
  const [vitest, root] = [new URL('../../node_modules/vitest/vitest.mjs', import.meta.url), new URL('../../', import.meta.url)]
  const child = spawn(process.execPath, [fileURLToPath(vitest), 'run', 'packages/relay/src/kill-nine.test.ts'], {
    cwd: fileURLToPath(root),
    env: { ...process.env, SEGUE_KILL_ROUNDS: String(rounds) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => (output += piece.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { isWell: code === 0, output }
}
