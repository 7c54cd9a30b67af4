/**
 * Keeps the daemon alive: a process of its own that starts it, and starts it again when it dies (with back-off, at most ten times an
 * hour). It holds the StartMessage in memory, so that a restart asks nobody for a passphrase. Ends when the daemon ends cleanly.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { EXIT_DO_NOT_RESTART, type StartAnswer } from './start-message.ts'

const MAX_RESTARTS_AN_HOUR = 10
const FIRST_PAUSE_MS = 500
const MAX_PAUSE_MS = 60_000
const HOUR_MS = 3_600_000

const input = createInterface({ input: process.stdin })
const [startLine] = (await once(input, 'line')) as [string]
input.close()

let child: ChildProcess
let isStopping = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    isStopping = true
    child.kill('SIGTERM')
  })
}

const restarts: number[] = []
for (;;) {
  const code = await runDaemon()
  if (isStopping || code === 0) process.exit(0)
  if (code === EXIT_DO_NOT_RESTART) process.exit(code)
  const now = Date.now()
  restarts.push(now)
  while (restarts.length > 0 && now - (restarts[0] as number) > HOUR_MS) restarts.shift()
  if (restarts.length > MAX_RESTARTS_AN_HOUR) process.exit(1)
  await sleep(Math.min(FIRST_PAUSE_MS * 2 ** (restarts.length - 1), MAX_PAUSE_MS))
}

async function runDaemon(): Promise<number> {
  const entry = fileURLToPath(new URL('./main.js', import.meta.url))
  child = spawn(process.execPath, [entry], { stdio: ['pipe', 'ignore', 'ignore', 'ipc'] })
  child.stdin?.end(`${startLine}\n`)
  child.on('message', (answer: StartAnswer) => {
    if (process.connected) process.send?.(answer, () => process.disconnect?.())
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal === null ? (code ?? 1) : 1
}
