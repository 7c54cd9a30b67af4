/** backup, restore, recovery: everything in one file, and the words that bring it back. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import {
  SegueError,
  isSegueError,
  makeRecoveryPhrase,
  restoreSegue,
  type DeviceId,
  type GroupDevice,
  type RestoreOptions,
} from '@segue/engine'
import type { Command } from 'commander'
import { UsageError } from '../client/daemon-client.ts'
import { KEY_KEEPINGS, isKeyKeeping, readConfig, writeConfig } from '../config.ts'
import { unlockOf } from '../daemon/unlocking.ts'
import { askLine } from './ask.ts'
import { askPassphrase } from './confirm.ts'
import { action, type CliContext } from './context.ts'
import { openingFor } from './lock-commands.ts'
import { ago, shortId } from './output.ts'
import { readPassphrase } from './passphrase-input.ts'
import { askForPhrase, showPhrase } from './phrase-dialogue.ts'

interface RestoreFlags {
  readonly backup?: string
  readonly relay?: string
  readonly name?: string
  readonly keys?: string
  readonly keep?: readonly string[]
}

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
    .action(action(create))
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
  ).call<{ readonly bytes: number; readonly chunks: number; readonly leftOut: number }>(
    'backup.write',
    { file },
    { signal, onEvent: event => output.progress(`writing… ${String(event['chunks'])} of ${String(event['of'])} pieces`) },
  )
  output.data({ ...value }, () => [
    `${file} has everything (${sizeText(value.bytes)}). Only the words of your recovery phrase open it.`,
    ...(value.leftOut === 0 ? [] : [`${value.leftOut} damaged piece(s) are not in it: segue status`]),
  ])
}

function sizeText(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`
}

interface Shown {
  readonly relays: readonly string[]
  readonly isAdmin: boolean
  readonly phrase?: { readonly at: number; readonly byName?: string }
}

async function show({ daemon, output }: CliContext): Promise<void> {
  const value = await (await daemon()).call<Shown>('recovery.show')
  output.data({ ...value }, () =>
    value.phrase === undefined
      ? 'There is no recovery phrase. segue recovery create makes one.'
      : [
          `There is a recovery phrase, made ${ago(Date.now() - value.phrase.at)} on “${value.phrase.byName ?? 'a device that is gone'}”.`,
          ...value.relays.map(address => `With its words, --relay ${address} brings everything back.`),
        ],
  )
}

async function create(context: CliContext): Promise<void> {
  const { daemon, output } = context
  const client = await daemon()
  const { isAdmin, phrase, relays } = await client.call<Shown>('recovery.show')
  if (!isAdmin && phrase === undefined)
    throw new UsageError('Only an admin’s device makes the first phrase. segue devices shows who is one.')
  if (phrase !== undefined) {
    output.note(`This takes the place of the phrase made ${ago(Date.now() - phrase.at)}. The old words then open old backups only.`)
  }
  const oldWords = isAdmin ? undefined : await askForPhrase(context, 'This device is no admin’s. The words that are to be replaced:')
  const confirmation = await askPassphrase(client)
  const { words, keys } = makeRecoveryPhrase()
  await showPhrase(context, words)
  await client.call('recovery.set', { signing: hex(keys.signing), sealing: hex(keys.sealing), oldWords, confirmation })
  output.data({ state: 'created', relays }, () => [
    'These words recover everything from now on, with a backup or with your relay.',
    ...relays.map(address => `Write down where your relay is, too: ${address}`),
    'Next: segue backup FILE, onto another disk.',
  ])
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

async function restore(context: CliContext, flags: RestoreFlags): Promise<void> {
  const { paths, output, signal } = context
  const from = sourceOf(flags)
  const config = await readConfig(paths.config)
  const keys = flags.keys ?? config.keys ?? 'keychain'
  if (!isKeyKeeping(keys)) throw new UsageError(`--keys takes one of: ${KEY_KEEPINGS.join(', ')}.`)
  if ((await readdir(paths.data).catch(() => [])).length > 0) throw new SegueError('RESTORE_NOT_EMPTY')
  const deviceName = flags.name ?? config.deviceName
  const unlock = unlockOf(await openingFor(keys, () => readPassphrase(false)), paths)
  const words = await askForPhrase(context, 'The 24 words of your recovery phrase:')
  output.progress('reading…')
  try {
    const restored = await restoreSegue({
      directory: paths.data,
      device: { name: deviceName },
      ...{ unlock, words, from, signal },
      keep: devices => chooseKept(context, devices, flags.keep),
      onNewPhrase: next => showPhrase(context, next),
      onProgress: ({ chunks, of }) => output.progress(`restoring… ${chunks} of ${of} pieces`),
    })
    await writeConfig(paths.config, { ...config, deviceName, keys })
    output.data({ ...restored }, () => [
      `Everything is back, on “${deviceName}” (${shortId(restored.device)}): ${restored.chunks} pieces.`,
      ...(restored.untold.length === 0
        ? []
        : [`${restored.untold.length} relay(s) could not be told yet: segue relay list shows when they let this machine in.`]),
      ...(restored.mayLack
        ? ['That relay lets go of what all devices have: what it let go before the phrase was made is not here. A backup may have it.']
        : []),
      ...(restored.leftOut === 0 ? [] : [`${restored.leftOut} piece(s) could not be read and were left out.`]),
      `${restored.kept.length} of your devices stay, ${restored.removed.length} are removed. The words you typed are used up.`,
      'Next: segue up, then segue backup FILE for the new words.',
    ])
  } catch (error) {
    if (!isSegueError(error, 'UNLOCK_NEEDED')) throw error
    throw new Error('This machine has no keychain that works. Choose how to keep the keys: --keys passphrase, or --keys key-file.', {
      cause: error,
    })
  }
}

function sourceOf({ backup: file, relay }: RestoreFlags): RestoreOptions['from'] {
  if (file !== undefined && relay === undefined) return { file: path.resolve(file) }
  if (relay !== undefined && file === undefined) return { relay }
  throw new UsageError('Name where everything is: --backup FILE, or --relay ADDRESS.')
}

async function chooseKept(
  { output, signal }: CliContext,
  devices: readonly GroupDevice[],
  named: readonly string[] | undefined,
): Promise<readonly DeviceId[]> {
  output.event({ devices: devices.map(({ id, name, role }) => ({ id, name, role })) })
  if (named !== undefined) return named.map(name => deviceNamed(devices, name))
  output.note(`\nIn your group: ${devices.map(({ name, id }) => `“${name}” (${shortId(id)})`).join(', ')}.`)
  output.note('All that you do not name are removed: they get nothing that is written from now on.')
  const given = (await askLine('Which do you still have? Names, with commas between; nothing for none:', { signal })) ?? ''
  return given
    .split(',')
    .map(name => name.trim())
    .filter(Boolean)
    .map(name => deviceNamed(devices, name))
}

function deviceNamed(devices: readonly GroupDevice[], wanted: string): DeviceId {
  const end = wanted.replace(/^…/, '')
  const found = devices.filter(({ id, name }) => name === wanted || id.endsWith(end))
  if (found[0] === undefined) throw new UsageError(`No device is called “${wanted}”. Nothing was changed.`)
  if (found.length > 1) throw new UsageError(`${found.length} devices are called “${wanted}”. Say the end of the id. Nothing was changed.`)
  return found[0].id
}
