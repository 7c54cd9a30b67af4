/** restore, recovery restore: everything back onto an empty machine. It runs here, without a daemon, so it loads all of Segue. */
import { randomBytes } from 'node:crypto'
import { access, constants, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import {
  SegueError,
  isSegueError,
  keychain,
  relayPlaceOf,
  restoreSegue,
  type DeviceId,
  type GroupDevice,
  type RestoreOptions,
} from '@segue/engine'
import { UsageError } from '../client/daemon-client.ts'
import { KEY_KEEPINGS, isKeyKeeping, readConfig, writeConfig, type KeyKeeping } from '../config.ts'
import { unlockOf } from '../daemon/unlocking.ts'
import { askLine, isInteractive } from './ask.ts'
import type { CliContext } from './context.ts'
import { keptAmong } from './kept-devices.ts'
import { openingFor } from './lock-commands.ts'
import { shortId } from './output.ts'
import { readPassphrase } from './passphrase-input.ts'
import { askForPhrase, showPhrase } from './phrase-dialogue.ts'
import { checkName, checkWritable } from './start-checks.ts'

export interface RestoreFlags {
  readonly backup?: string
  readonly relay?: string
  readonly name?: string
  readonly keys?: string
  readonly keep?: readonly string[]
}

export async function restore(context: CliContext, flags: RestoreFlags): Promise<void> {
  const { paths, output, signal } = context
  const from = sourceOf(flags)
  const config = await readConfig(paths.config)
  const keys = flags.keys ?? config.keys ?? 'keychain'
  if (!isKeyKeeping(keys)) throw new UsageError(`--keys takes one of: ${KEY_KEEPINGS.join(', ')}.`)
  const deviceName = flags.name ?? config.deviceName
  await checkBefore(context, flags, from, keys).catch((error: unknown) => {
    throw keychainFailure(error)
  })
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
    throw keychainFailure(error)
  }
}

function keychainFailure(error: unknown): unknown {
  if (!isSegueError(error, 'UNLOCK_NEEDED')) return error
  return new Error('This machine has no keychain that works. Choose how to keep the keys: --keys passphrase, or --keys key-file.', {
    cause: error,
  })
}

function sourceOf({ backup: file, relay }: RestoreFlags): RestoreOptions['from'] {
  if (file !== undefined && relay === undefined) return { file: path.resolve(file) }
  if (relay !== undefined && file === undefined) return { relay }
  throw new UsageError('Name where everything is: --backup FILE, or --relay ADDRESS.')
}

/** All that can be wrong without the words is said before a person has typed them. */
async function checkBefore({ paths }: CliContext, flags: RestoreFlags, from: RestoreOptions['from'], keys: KeyKeeping): Promise<void> {
  if (flags.name !== undefined) checkName(flags.name)
  if ((await readdir(paths.data).catch(() => [])).length > 0) throw new SegueError('RESTORE_NOT_EMPTY')
  for (const folder of [paths.data, path.dirname(paths.config)]) await checkWritable(folder)
  if ('relay' in from) relayPlaceOf(from.relay)
  else if (!(await isReadable(from.file))) throw new SegueError('BACKUP_UNREADABLE')
  if (keys.startsWith('keychain')) await tryKeychain()
}

async function isReadable(file: string): Promise<boolean> {
  try {
    await access(file, constants.R_OK)
    return (await stat(file)).isFile()
  } catch {
    return false
  }
}

/** Keeps a key of nothing there, and takes it away again. Rejects with UNLOCK_NEEDED. */
async function tryKeychain(): Promise<void> {
  const place = { vaultId: randomBytes(16).toString('hex'), random: { bytes: (count: number) => new Uint8Array(randomBytes(count)) } }
  const kept = keychain()
  await kept.forget?.(await kept.wrap(place.random.bytes(32), place), place)
}

async function chooseKept(
  { output, signal }: CliContext,
  devices: readonly GroupDevice[],
  named: readonly string[] | undefined,
): Promise<readonly DeviceId[]> {
  output.event({ devices: devices.map(({ id, name, role }) => ({ id, name, role })) })
  if (named !== undefined) return keptAmong(devices, named)
  output.note(`\nIn your group: ${devices.map(({ name, id }) => `“${name}” (${shortId(id)})`).join(', ')}.`)
  output.note('All that you do not name are removed: they get nothing that is written from now on.')
  for (;;) {
    const given = (await askLine('Which do you still have? Names, with commas between; nothing for none:', { signal })) ?? ''
    try {
      return keptAmong(devices, given.split(','))
    } catch (error) {
      if (!isInteractive() || !(error instanceof UsageError)) throw error
      output.note(error.message)
    }
  }
}
