/** backup, restore, recovery: everything in one file, and the words that bring it back. */
import path from 'node:path'
import type { Command } from 'commander'
import { KEY_KEEPINGS } from '../config.ts'
import { action, type CliContext } from './context.ts'
import type { ShownPhrase } from './create-phrase.ts'
import { ago } from './output.ts'
import type { RestoreFlags } from './restore.ts'

export function addRecoveryCommands(program: Command): void {
  program
    .command('backup <file>')
    .description('everything your group holds, in one file that only the words of your recovery phrase open')
    .action(action<[string]>(backup))
  withFlags(
    program
      .command('restore <file>')
      .description('bring everything back from a backup, on a machine without Segue’s data: segue recovery restore --backup FILE'),
  ).action(action<[string, RestoreFlags]>((context, file, flags) => restore(context, { ...flags, backup: file })))
  const recovery = program.command('recovery').description('24 words on paper that bring everything back when all devices are lost')
  recovery
    .command('create')
    .description('make a recovery phrase, in the place of an earlier one; it is shown once')
    .addHelpText(
      'after',
      '\nWith --json the words are a line on stderr ({words}), and three of them are read back from stdin, a line each.',
    )
    .action(action(async context => (await import('./create-phrase.ts')).createPhrase(context)))
  recovery.command('show').description('whether there is a phrase, and since when; never its words').action(action(show))
  withFlags(
    recovery
      .command('restore')
      .description('on a machine without Segue’s data: bring everything back, put the lost devices out, get new words')
      .option('--backup <file>', 'from a file that segue backup wrote')
      .option('--relay <address>', 'from your relay: its address, or an invite to it'),
  ).action(action<[RestoreFlags]>(restore))
}

function withFlags(command: Command): Command {
  return command
    .option('--name <name>', 'what your devices call this machine')
    .option('--keys <how>', `how the keys are kept here: ${KEY_KEEPINGS.join(', ')} (remembered)`)
    .option('--keep <device...>', 'devices that you still have; all others are removed. Without it you are asked')
    .addHelpText(
      'after',
      '\nAsks for the words, for the devices you still have, and for three of the new words; on a pipe, a line each.' +
        '\nNothing is changed, here or for your devices, before you gave three of the new words back.',
    )
}

async function backup({ daemon, output, signal }: CliContext, given: string): Promise<void> {
  const file = path.resolve(given)
  output.progress('writing…')
  const value = await (
    await daemon()
  ).call<{ readonly bytes: number; readonly chunks: number; readonly leftOut: number; readonly notHere: number }>(
    'backup.write',
    { file },
    { signal, onEvent: event => output.progress(`writing… ${String(event['chunks'])} of ${String(event['of'])} pieces`) },
  )
  output.data({ ...value }, () => [
    `${file} has ${value.notHere === 0 ? 'everything' : 'what is here'} (${sizeText(value.bytes)}). Only the words of your recovery phrase open it.`,
    ...(value.notHere === 0 ? [] : [`${value.notHere} document(s) that are not kept on this device are not in it: segue session list`]),
    ...(value.leftOut === 0 ? [] : [`${value.leftOut} damaged piece(s) are not in it: segue status`]),
  ])
}

function sizeText(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`
}

async function show({ daemon, output }: CliContext): Promise<void> {
  const value = await (await daemon()).call<ShownPhrase>('recovery.show')
  output.data({ ...value }, () =>
    value.phrase === undefined
      ? 'There is no recovery phrase. segue recovery create makes one.'
      : [
          `There is a recovery phrase, made ${ago(Date.now() - value.phrase.at)} on “${value.phrase.byName ?? 'a device that is gone'}”.`,
          ...value.relays.map(address => `With its words, --relay ${address} brings everything back.`),
        ],
  )
}

/** Loads what restoring takes, which is all of Segue. */
async function restore(context: CliContext, flags: RestoreFlags): Promise<void> {
  return (await import('./restore.ts')).restore(context, flags)
}
