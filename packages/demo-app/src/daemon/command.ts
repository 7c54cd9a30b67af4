/** One thing the daemon can be asked to do. The table of all of them is commands.ts. */
import type { LockableSegue, Segue } from '@segue/engine'
import type * as v from 'valibot'
import type { Paths } from '../paths.ts'
import type { StartChange } from './start-message.ts'

/** What was asked cannot be meant: the message says what would be. */
export class WrongRequest extends Error {}

export interface CommandContext {
  /** Throws LOCKED while there is none. */
  readonly segue: Segue
  readonly daemon: DaemonControl
  /** Aborts when whoever asked went away. */
  readonly signal: AbortSignal
  /** Shown to whoever asked while the command runs: progress, codes to type, new values. */
  readonly emit: (event: Readonly<Record<string, unknown>>) => void
  /** Ends the daemon once this call is answered. */
  readonly stop: () => void
}

/** The process around Segue. */
export interface DaemonControl {
  readonly device: LockableSegue
  readonly paths: Paths
  readonly autoLockMinutes: () => number | undefined
  /** How the next daemon starts, should this one die. */
  startNextWith(change: StartChange['change']): void
}

export interface DaemonCommand {
  readonly name: string
  /** Runs on parameters that were checked against the command's schema. Rejects with SegueError or WrongRequest. */
  readonly run: (context: CommandContext, params: unknown) => Promise<unknown>
  readonly params: v.GenericSchema<unknown, unknown>
}

/** Ties the schema's type to the function's parameter; outside, a command is just a DaemonCommand. */
export function defineCommand<Schema extends v.GenericSchema<unknown, unknown>>(
  name: string,
  params: Schema,
  run: (context: CommandContext, params: v.InferOutput<Schema>) => Promise<unknown>,
): DaemonCommand {
  return { name, params, run: (context, checked) => run(context, checked) }
}
