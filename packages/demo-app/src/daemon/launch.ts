/** Starts a supervised daemon, and waits until it says how that went. */
import { spawn } from 'node:child_process'
import { programFile } from '../programs.ts'
import type { StartAnswer, StartMessage } from './start-message.ts'

export interface Launched {
  readonly answer: StartAnswer
  /** Of the supervisor. */
  readonly pid: number
  /** Resolves when the supervisor, and with it the daemon, has ended. */
  readonly ended: Promise<void>
}

/** The daemon outlives this process unless its message says otherwise. Rejects when it ends without a word. */
export function launchDaemon(message: StartMessage): Promise<Launched> {
  const isAttached = message.lifetime === 'starter'
  const child = spawn(process.execPath, [programFile('supervisor')], { detached: true, stdio: ['pipe', 'ignore', 'ignore', 'ipc'] })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.stdin?.on('error', () => undefined) // it ended before it read: `exit` tells
  child.stdin?.end(`${JSON.stringify(message)}\n`)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => reject(new Error('The daemon ended while it started. segue logs may say why.')))
    child.once('message', (answer: StartAnswer) => {
      child.removeAllListeners('exit')
      const over = child.exitCode === null ? new Promise<void>(done => child.once('exit', () => done())) : ended
      if (!isAttached) {
        if (child.connected) child.disconnect()
        child.unref()
      }
      resolve({ answer, pid: child.pid ?? 0, ended: over })
    })
  })
}
