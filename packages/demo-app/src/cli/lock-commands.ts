/** lock, unlock, keys: this device's keys, in memory and on disk. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isSegueError } from '@segue/engine/client'
import type { Command } from 'commander'
import { DaemonDown, UsageError, connectToDaemon, type DaemonClient } from '../client/daemon-client.ts'
import { isKeyKeeping, KEY_KEEPINGS, readConfig, writeConfig, type KeyKeeping } from '../config.ts'
import type { Opening } from '../daemon/unlocking.ts'
import { askPassphrase } from './confirm.ts'
import { action, type CliContext } from './context.ts'
import { keysText, opensUnasked } from './keys-text.ts'
import { choosePassphrase, readPassphrase } from './passphrase-input.ts'

const FROM_PIPES =
  '\nWithout a terminal passphrases are read from stdin, one a line; that of now from the file named by SEGUE_PASSPHRASE_FILE where it is set.'

export function addLockCommands(program: Command): void {
  program
    .command('lock')
    .description('take the keys out of memory: nothing is opened, sent or received until segue unlock')
    .option('--after <minutes>', 'not now, but each time so long passed without a command (remembered); 0: never')
    .action(action<[{ readonly after?: string }]>(lock))
  program.command('unlock').description('open this device again').addHelpText('after', FROM_PIPES).action(action(unlock))
  const keys = program.command('keys').description('how the keys of this device are kept; any one of several ways opens it')
  const ways = `one of ${KEY_KEEPINGS.join(', ')}`
  keys.command('list').description('the ways there are').action(action(list))
  keys
    .command('add <how>')
    .description(`another way: ${ways}`)
    .addHelpText('after', FROM_PIPES)
    .action(action<[string]>((context, how) => change(context, 'add', how)))
  keys
    .command('change <how>')
    .description('a new passphrase, or a new key in the keychain; no data is encrypted again')
    .addHelpText('after', FROM_PIPES)
    .action(action<[string]>((context, how) => change(context, 'change', how)))
  keys
    .command('remove <how>')
    .description('a way no more; the last one stays')
    .addHelpText('after', FROM_PIPES)
    .action(action<[string]>(remove))
}

interface Status {
  readonly state: 'open' | 'locked'
  readonly keys: readonly string[]
}

async function lock({ daemon, output, paths }: CliContext, { after }: { readonly after?: string }): Promise<void> {
  const client = await daemon()
  if (after !== undefined) {
    const minutes = Number(after)
    if (!Number.isInteger(minutes) || minutes < 0 || minutes > 10_080)
      throw new UsageError('--after takes whole minutes, up to a week; 0: never.')
    await client.call('auto-lock', { minutes })
    await writeConfig(paths.config, { ...(await readConfig(paths.config)), autoLockMinutes: minutes })
    output.data({ autoLockMinutes: minutes }, () =>
      minutes === 0 ? 'It locks only when you say so.' : `It locks when no command came for ${minutes} minute${minutes === 1 ? '' : 's'}.`,
    )
    return
  }
  const { wasOpen, keys } = await client.call<{ readonly wasOpen: boolean; readonly keys: readonly string[] }>('lock')
  if (wasOpen) await untilReplaced(paths.runtime, client.address.pid)
  const unasked = opensUnasked(keys)
  output.data({ state: 'locked', wasOpen, keys }, () => [
    wasOpen ? 'Locked. The process that had the keys has ended; segue unlock opens this device again.' : 'It is locked already.',
    ...(unasked === undefined
      ? []
      : [`Unlocking asks nobody. To change that: segue keys add passphrase, then segue keys remove ${unasked}.`]),
  ])
}

const REPLACE_MS = 20_000
const LOOK_MS = 50

/** The daemon that had the keys ends, and its supervisor starts one that has none. */
async function untilReplaced(runtimeFile: string, pid: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < REPLACE_MS; waitedMs += LOOK_MS) {
    const client = await connectToDaemon(runtimeFile).catch((error: unknown) => {
      if (error instanceof DaemonDown) return undefined // it takes its time
      throw error
    })
    if (client !== undefined && client.address.pid !== pid) return
    await sleep(LOOK_MS)
  }
  throw new Error('The keys are out of use, but the process that had them does not end. segue logs may say why.')
}

async function unlock({ daemon, output }: CliContext): Promise<void> {
  const client = await daemon()
  const { state, keys } = await client.call<Status>('status')
  if (state === 'open') return output.data({ state, wasLocked: false }, () => 'It is not locked.')
  await tryEach(keys, how => client.call('unlock', { how }))
  output.data({ state: 'open', wasLocked: true }, () => 'Unlocked.')
}

/** Those that ask nobody first; when one of them does not work and there is a passphrase, that. */
export async function tryEach<T>(keys: readonly string[], open: (how: Opening) => Promise<T>): Promise<T> {
  const ways = (['key-file', 'keychain', 'keychain+passphrase', 'passphrase'] as const).filter(kind => keys.includes(kind))
  if (ways.length === 0) throw new Error('The keys of this device are kept by another app; only that opens it.')
  for (const [i, kind] of ways.entries()) {
    try {
      return await open(await openingFor(kind, () => readPassphrase(true)))
    } catch (error) {
      const mayOpenOtherwise = isSegueError(error, 'UNLOCK_NEEDED') || (isSegueError(error, 'UNLOCK_WRONG') && !kind.includes('passphrase'))
      if (!mayOpenOtherwise || i === ways.length - 1) throw error
    }
  }
  throw new Error('broken promise: one of the ways was tried')
}

export async function openingFor(kind: KeyKeeping, passphrase: () => Promise<string>): Promise<Opening> {
  return kind === 'passphrase' || kind === 'keychain+passphrase' ? { kind, passphrase: await passphrase() } : { kind }
}

async function list({ daemon, output }: CliContext): Promise<void> {
  const { keys } = await (await daemon()).call<{ readonly keys: readonly string[] }>('keys.list')
  output.data({ keys }, () => keys.map(kind => `${kind.padEnd(20)} ${keysText([kind])}`))
}

async function change({ daemon, output }: CliContext, what: 'add' | 'change', how: string): Promise<void> {
  if (!isKeyKeeping(how)) throw new UsageError(`Keys are kept in one of these ways: ${KEY_KEEPINGS.join(', ')}.`)
  const client = await daemon()
  const confirmation = await askPassphrase(client)
  const opening = await openingFor(how, () => choosePassphrase('The new passphrase:'))
  const { keys } = await callKeys(client, `keys.${what}`, { how: opening, confirmation })
  output.data({ keys }, () => `The keys of this device lie ${keysText(keys)}.`)
}

async function remove({ daemon, output }: CliContext, how: string): Promise<void> {
  if (!isKeyKeeping(how)) throw new UsageError(`Keys are kept in one of these ways: ${KEY_KEEPINGS.join(', ')}.`)
  const client = await daemon()
  const { keys: before } = await client.call<{ readonly keys: readonly string[] }>('keys.list')
  const confirmation = before.includes(how) && before.length > 1 ? await askPassphrase(client) : undefined
  const { keys } = await callKeys(client, 'keys.remove', { kind: how, confirmation })
  output.data({ keys }, () => `The keys of this device lie ${keysText(keys)}.`)
}

async function callKeys(
  client: DaemonClient,
  command: string,
  params: Readonly<Record<string, unknown>>,
): Promise<{ readonly keys: readonly string[] }> {
  try {
    return await client.call(command, params)
  } catch (error) {
    if (isSegueError(error, 'UNLOCK_NEEDED'))
      throw new Error('This machine has no keychain that works. Nothing was changed.', { cause: error })
    throw error
  }
}
