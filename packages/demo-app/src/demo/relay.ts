/** The relay of the demo: the real command as a process of its own, on 127.0.0.1. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from './device.ts'

export interface DemoRelay {
  /** Made when it first started; works once. */
  readonly invite: string
  /** Sealed bytes that it keeps, as its own command says. */
  storedBytes(): Promise<number>
  stop(): Promise<void>
}

/** Rejects with a sentence when there is no segue-relay beside this demo, or it does not start. */
export async function startDemoRelay(directory: string): Promise<DemoRelay> {
  const entry = findEntry()
  const settings = ['--data', directory, '--listen', `/ip4/127.0.0.1/tcp/${await freePort()}`, '--ops', 'off', '--log-level', 'error']
  const child = spawn(process.execPath, [entry, ...settings, 'serve'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'exit')
  const said: string[] = []
  let invite: string | undefined
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line)
    invite = /segue-relay1:[\w-]+/.exec(line)?.[0]
    if (invite !== undefined) break
  }
  if (invite === undefined) throw new Error(`the relay did not start: ${said.join(' ')}`)
  child.stderr.resume()
  return {
    invite,
    async storedBytes() {
      const { stdout } = await promisify(execFile)(process.execPath, [entry, ...settings, 'status', '--json'])
      return (JSON.parse(stdout) as { readonly storedBytes: number }).storedBytes
    },
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function findEntry(): string {
  try {
    return fileURLToPath(new URL('../bin/segue-relay.js', import.meta.resolve('@segue/relay')))
  } catch (error) {
    throw new Error('--relay needs the package @segue/relay beside this one', { cause: error })
  }
}
