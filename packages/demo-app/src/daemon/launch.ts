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

/** This process was told to end (SIGINT, SIGTERM) before the daemon had come up. */
export class LaunchInterrupted extends Error {}

/** A keychain may ask the person meanwhile. */
const PATIENCE_MS = 120_000
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/**
 * The daemon outlives this process unless its message says otherwise. Rejects when it ends without a word, says nothing for too long, or
 * this process is interrupted (LaunchInterrupted): then it is ended.
 */
export function launchDaemon(message: StartMessage): Promise<Launched> {
  const isAttached = message.lifetime === 'starter'
  const child = spawn(process.execPath, [programFile('supervisor')], { detached: true, stdio: ['pipe', 'ignore', 'ignore', 'ipc'] })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  child.stdin?.on('error', () => undefined) // it ended before it read: `exit` tells
  child.stdin?.end(`${JSON.stringify(message)}\n`)
  const letGo = (): void => {
    if (child.connected) child.disconnect()
    child.unref()
  }
  return new Promise<Launched>((resolve, reject) => {
    const giveUp = (why: Error): void => {
      settle()
      reject(why)
      child.kill('SIGTERM')
      letGo()
    }
    const interrupt = (): void => giveUp(new LaunchInterrupted())
    const settle = (): void => {
      clearTimeout(late)
      for (const signal of SIGNALS) process.off(signal, interrupt)
    }
    const late = setTimeout(
      () => giveUp(new Error('The daemon did not come up within two minutes, and was ended. segue logs may say why.')),
      PATIENCE_MS,
    )
    for (const signal of SIGNALS) process.once(signal, interrupt)
    void ended.then(settle)
    child.once('error', error => {
      settle()
      reject(error)
    })
    child.once('exit', (code, signal) =>
      reject(new Error(`The daemon ended while it started (${signal ?? `code ${code ?? 'unknown'}`}). segue logs may say why.`)),
    )
    child.once('message', (answer: StartAnswer) => {
      settle()
      if (!isAttached) letGo()
      resolve({ answer, pid: child.pid ?? 0, ended })
    })
  })
}
