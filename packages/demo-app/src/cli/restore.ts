/** restore, recovery restore: everything back onto an empty machine. It runs here, without a daemon, so it loads all of Segue. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { SegueError, isSegueError, restoreSegue, type DeviceId, type GroupDevice, type RestoreOptions } from '@segue/engine'
import { UsageError } from '../client/daemon-client.ts'
import { KEY_KEEPINGS, isKeyKeeping, readConfig, writeConfig } from '../config.ts'
import { unlockOf } from '../daemon/unlocking.ts'
import { askLine } from './ask.ts'
import type { CliContext } from './context.ts'
import { openingFor } from './lock-commands.ts'
import { shortId } from './output.ts'
import { readPassphrase } from './passphrase-input.ts'
import { askForPhrase, showPhrase } from './phrase-dialogue.ts'

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
