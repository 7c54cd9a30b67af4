/** Starting, commanding and killing real relay processes (relay-process.js). */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { DeviceId, MailboxId } from '@segue/core'
import { onTestFinished } from 'vitest'
import { QUOTAS } from '../src/testing/cast.ts'

export interface Started {
  readonly id: DeviceId
  readonly addresses: readonly string[]
  readonly missing: number
  readonly invite?: string
  readonly opsAddress?: string
}

export interface RelayProcess {
  readonly child: ChildProcess
  /** Opens the store and listens. */
  go(command: RelayCommand): Promise<Started>
  kill(): Promise<void>
}

export interface RelayCommand {
  readonly directory: string
  readonly listen: readonly string[]
  readonly isFirst?: boolean
  readonly ops?: { readonly host: string; readonly port: number }
  readonly mailbox?: MailboxId
  readonly expected?: readonly string[]
}

/** Loads, and waits to be told. */
export function spawnRelay(nodeFlags: readonly string[] = []): RelayProcess {
  const child = spawn(process.execPath, [...nodeFlags, path.join(import.meta.dirname, 'bundle/relay-process.js')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = linesOf(createInterface({ input: child.stdout as NodeJS.ReadableStream }))
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  onTestFinished(kill)
  return {
    child,
    kill,
    async go({ mailbox, expected, ...given }) {
      await lines() // loaded
      const options = { quotas: QUOTAS, idleMailboxDays: 0, maxConnections: 1_024, ...given }
      child.stdin?.write(`${JSON.stringify({ options, mailbox, expected })}\n`)
      return JSON.parse(await lines()) as Started
    },
  }
}

function linesOf(input: Interface): () => Promise<string> {
  const iterator = input[Symbol.asyncIterator]()
  return async () => {
    const { value, done } = await iterator.next()
    if (done === true) throw new Error('the relay process ended')
    return value
  }
}
