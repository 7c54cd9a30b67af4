/** Starts a supervised daemon that outlives this process, and waits until it says how that went. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { StartAnswer, StartMessage } from './start-message.ts'

export interface LaunchOptions {
  /** Stay attached: the daemon ends with this process. For tests, the demo and `segue up --foreground`. */
  readonly attached?: boolean
}

export interface Launched {
  readonly answer: StartAnswer
  /** Of the supervisor. */
  readonly pid: number
}

export function launchDaemon(message: StartMessage, { attached = false }: LaunchOptions = {}): Promise<Launched> {
  const entry = fileURLToPath(new URL('./supervisor.js', import.meta.url))
  const child = spawn(process.execPath, [entry], { detached: !attached, stdio: ['pipe', 'ignore', 'ignore', 'ipc'] })
  child.stdin?.end(`${JSON.stringify(message)}\n`)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error('the daemon ended while starting; segue logs may say why')))
    child.once('message', (answer: StartAnswer) => {
      child.removeAllListeners('exit')
      if (child.connected) child.disconnect()
      if (!attached) child.unref()
      resolve({ answer, pid: child.pid ?? 0 })
    })
  })
}
