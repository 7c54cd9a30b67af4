/**
 * Keeps the daemon alive: a process of its own that starts it, and starts it again when it dies (with back-off, at most ten times an
 * hour). It holds the StartMessage in memory, so that a restart asks nobody for a passphrase. When the daemon is locked, a supervisor takes
 * over that was never told one, because what a process was told stays in its memory. It ends when the daemon ends cleanly, when the first
 * start fails, and when it is to start a daemon again whose runtime file was taken away (`segue down` meanwhile).
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { programFile } from '../programs.ts'
import { launchDaemon } from './launch.ts'
import { EXIT_LOCKED, type StartAnswer, type StartChange, type StartMessage } from './start-message.ts'

const MAX_RESTARTS_AN_HOUR = 10
const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 60_000
const HOUR_MS = 3_600_000

const input = createInterface({ input: process.stdin })
let message = JSON.parse(((await once(input, 'line')) as [string])[0]) as StartMessage
input.close()
const { paths, lifetime } = message

let child: ChildProcess | undefined
let wasReady = false
const stopping = new AbortController()
const stop = (): void => {
  stopping.abort()
  child?.kill('SIGTERM')
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop)
if (lifetime === 'starter') process.on('disconnect', stop)

const restarts: number[] = []
for (;;) {
  const code = await runDaemon()
  if (stopping.signal.aborted || code === 0) process.exit(0)
  if (code === EXIT_LOCKED) {
    message = { ...message, unlock: { kind: 'locked' } }
    if (lifetime === 'starter') continue // whoever started it holds on to this process, and knows the passphrase itself
    const { answer } = await launchDaemon(message)
    process.exit(answer.type === 'ready' ? 0 : 1)
  }
  if (!wasReady) process.exit(1)
  const now = Date.now()
  restarts.push(now)
  while (restarts.length > 0 && now - (restarts[0] as number) > HOUR_MS) restarts.shift()
  if (restarts.length > MAX_RESTARTS_AN_HOUR) {
    rmSync(paths.runtime, { force: true })
    process.exit(1)
  }
  await sleep(Math.min(FIRST_PAUSE_MS * 2 ** (restarts.length - 1), MAX_PAUSE_MS), undefined, { signal: stopping.signal }).catch(() =>
    process.exit(0),
  )
  if (!existsSync(paths.runtime)) process.exit(0)
}

async function runDaemon(): Promise<number> {
  child = spawn(process.execPath, [programFile('daemon')], { stdio: ['pipe', 'ignore', 'ignore', 'ipc'] })
  child.stdin?.on('error', () => undefined) // it died before it read: `exit` tells
  child.stdin?.end(`${JSON.stringify(message)}\n`)
  child.on('message', (answer: StartAnswer | StartChange) => {
    if (answer.type === 'start-with') {
      message = { ...message, ...answer.change }
      return
    }
    wasReady ||= answer.type === 'ready'
    if (!process.connected) return
    process.send?.(answer, () => {
      if (lifetime !== 'starter') process.disconnect?.()
    })
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal === null ? (code ?? 1) : 1
}
