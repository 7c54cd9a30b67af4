/** Asking for the person again: for the passphrase of this device, else for a typed confirmation. */
import type { Confirmation } from '@segue/engine'
import type { DaemonClient } from '../client/daemon-client.ts'
import { askLine } from './ask.ts'
import type { Output } from './output.ts'
import { readPassphrase } from './passphrase-input.ts'

/** Of commands that ask: for scripts, instead of typing. */
export const CONFIRM_OPTION = ['--confirm <name>', 'the typed confirmation, given here: for scripts'] as const
/** Where a passphrase is asked for no option stands in for it: it is read from stdin, or from the file named by SEGUE_PASSPHRASE_FILE. */
export const CONFIRM_HELP =
  '\nAsks for the passphrase of this device where there is one (without a terminal from SEGUE_PASSPHRASE_FILE, or stdin), else for a typed confirmation.'

export interface Asked {
  readonly asks: 'passphrase' | 'typed'
  /** Of the device that it is about. */
  readonly name: string
  /** What will be done, as the person reads it. */
  readonly what: string
  /** Of the option. */
  readonly given?: string | undefined
}

/** Undefined when there is nobody to answer: then the daemon says what it wants. */
export async function askPerson(output: Output, { asks, name, what, given }: Asked): Promise<Confirmation | undefined> {
  if (asks === 'typed' && given !== undefined) return { typed: given }
  output.note(what)
  if (asks === 'passphrase') return { passphrase: await readPassphrase(true) }
  const typed = await askLine(`Typed confirmation: type the name of the device, ${name}:`)
  return typed === undefined ? undefined : { typed }
}

/** For what needs no name: the passphrase where there is one, else nothing is asked. */
export async function askPassphrase(client: DaemonClient): Promise<Confirmation | undefined> {
  const { asks } = await client.call<{ readonly asks: Asked['asks'] }>('person')
  return asks === 'passphrase' ? { passphrase: await readPassphrase(true) } : undefined
}
