/** What every command of the command line works with. */
import { SegueError } from '@segue/engine/client'
import type { Command } from 'commander'
import { connectToDaemon, type DaemonClient } from '../client/daemon-client.ts'
import { resolvePaths, type Paths } from '../paths.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { createOutput, type Output } from './output.ts'

export interface CliContext {
  readonly paths: Paths
  readonly output: Output
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal
  /** Connects on first use. Rejects with DaemonDown. */
  daemon(): Promise<DaemonClient>
}

/** Runs an action with a context and turns what it throws into a message and an exit code. */
export function action<Args extends readonly unknown[]>(
  run: (context: CliContext, ...args: Args) => Promise<number | void>,
): (this: Command, ...args: [...Args, ...unknown[]]) => Promise<void> {
  return async function (this: Command, ...args) {
    const output = createOutput(this.optsWithGlobals()['json'] === true)
    const interrupted = new AbortController()
    process.once('SIGINT', () => interrupted.abort(new SegueError('CANCELLED')))
    const paths = resolvePaths()
    let client: Promise<DaemonClient> | undefined
    const context: CliContext = {
      paths,
      output,
      signal: interrupted.signal,
      daemon: () => (client ??= connectToDaemon(paths.runtime)),
    }
    try {
      process.exitCode = (await run(context, ...(args as unknown as Args))) ?? EXIT.ok
    } catch (error) {
      output.error(error)
      process.exitCode = exitCodeOf(error)
    }
  }
}
