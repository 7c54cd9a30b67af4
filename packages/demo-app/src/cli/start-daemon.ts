/** Starting the daemon: what is asked, remembered and said when it does not start. */
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isSegueError, readSlots, SegueError } from '@segue/engine/client'
import { DaemonDown, UsageError, connectToDaemon } from '../client/daemon-client.ts'
import { isKeyKeeping, KEY_KEEPINGS, readConfig, writeConfig, type Config } from '../config.ts'
import { launchDaemon, LaunchInterrupted, type Launched } from '../daemon/launch.ts'
import type { StartAnswer, StartMessage } from '../daemon/start-message.ts'
import type { Opening } from '../daemon/unlocking.ts'
import type { CliContext } from './context.ts'
import { keysText } from './keys-text.ts'
import { openingFor, tryEach } from './lock-commands.ts'
import { readPassphrase } from './passphrase-input.ts'
import { checkListenAddress, checkName, checkWritable } from './start-checks.ts'

export interface UpOptions {
  readonly name?: string
  readonly keys?: string
  readonly listen?: readonly string[]
  readonly mdns?: boolean
  readonly onRemoved?: string
  readonly foreground?: boolean
}

/** Undefined when one is running already. What is chosen is remembered once it runs. */
export async function startDaemon(
  { paths: places, output }: Pick<CliContext, 'paths' | 'output'>,
  options: UpOptions = {},
): Promise<Up | undefined> {
  if (options.keys !== undefined && !isKeyKeeping(options.keys)) throw new UsageError(`--keys takes one of: ${KEY_KEEPINGS.join(', ')}.`)
  if (options.name !== undefined) checkName(options.name)
  for (const address of options.listen ?? []) checkListenAddress(address)
  const { onRemoved } = options
  if (onRemoved !== undefined && onRemoved !== 'keep' && onRemoved !== 'erase') throw new UsageError('--on-removed takes keep or erase.')
  const before = await readConfig(places.config)
  if (await isUp(places.runtime)) return undefined
  for (const folder of [places.data, places.log, path.dirname(places.config), path.dirname(places.runtime)]) await checkWritable(folder)
  const config: Config = {
    ...before,
    ...(options.name === undefined ? {} : { deviceName: options.name }),
    ...(options.listen === undefined ? {} : { listen: options.listen }),
    ...(options.mdns === undefined ? {} : { mdns: options.mdns }),
    ...(onRemoved === undefined ? {} : { onRemoved }),
    keys: options.keys ?? before.keys ?? 'keychain',
  }
  const start = (unlock: Opening): Promise<Up | undefined> => {
    output.progress('starting…')
    return launchUnlessUp({ ...message, unlock })
  }
  const message: Omit<StartMessage, 'unlock'> = {
    paths: places,
    deviceName: config.deviceName,
    autoLockMinutes: config.autoLockMinutes,
    listen: config.listen,
    mdns: config.mdns,
    onRemoved: config.onRemoved,
    lifetime: options.foreground === true ? 'starter' : 'own',
  }
  const kept = await readSlots(places.data)
  const launched = await (
    kept === undefined
      ? start(await openingFor(config.keys ?? 'keychain', () => readPassphrase(false)))
      : tryEach(waysToOpen(kept, options.keys), start)
  ).catch((error: unknown) => {
    throw unlockFailure(error, kept === undefined)
  })
  if (launched === undefined) return undefined
  await writeConfig(places.config, config)
  if (options.name !== undefined) await rename(places.runtime, options.name)
  return launched
}

function waysToOpen(kept: readonly string[], wanted: string | undefined): readonly string[] {
  if (wanted === undefined || kept.includes(wanted)) return wanted === undefined ? kept : [wanted]
  throw new UsageError(`The keys of this device lie ${keysText(kept)}. segue keys add ${wanted} adds a way, once it is up.`)
}

/** A removed device takes its name along when it joins again. */
async function rename(runtimeFile: string, name: string): Promise<void> {
  try {
    await (await connectToDaemon(runtimeFile)).call('rename', { name })
  } catch (error) {
    if (!isSegueError(error, 'DEVICE_REMOVED')) throw error
  }
}

/**
 * Undefined: another `segue up`, started at the same time, was faster. While an earlier daemon is still on its way out, tries again.
 * Rejects with why it did not start.
 */
async function launchUnlessUp(message: StartMessage): Promise<Up | undefined> {
  for (let tries = 1; ; tries++) {
    const { answer, pid, ended } = await launchDaemon(message).catch((error: unknown) => {
      throw error instanceof LaunchInterrupted ? new SegueError('CANCELLED') : error
    })
    if (answer.type === 'ready') return { answer, pid, ended }
    if (answer.code !== 'STORE_LOCKED' || tries === LOCKED_TRIES) throw failureOf(answer)
    await sleep(LOCKED_PAUSE_MS)
    if (await isUp(message.paths.runtime)) return undefined
  }
}

type Up = Omit<Launched, 'answer'> & { readonly answer: Extract<StartAnswer, { type: 'ready' }> }

const LOCKED_TRIES = 5
const LOCKED_PAUSE_MS = 500

function unlockFailure(error: unknown, isNew: boolean): unknown {
  if (!isSegueError(error, 'UNLOCK_NEEDED')) return error
  if (!isNew) return new Error('The keychain that holds the keys of this device does not answer. Is it unlocked, and is this your session?')
  return new Error(
    'This machine has no keychain that works. Choose how to keep the keys: segue up --keys passphrase (asks each time), or --keys key-file (a file that only you can read).',
  )
}

function failureOf(answer: Extract<StartAnswer, { type: 'failed' }>): Error {
  return answer.code === 'INTERNAL' ? new Error(answer.message) : new SegueError(answer.code as never, answer.details)
}

const ALIVE_MS = 3_000

/** Whether the daemon of this runtime file answers. A file left behind by one that was killed is nothing. */
async function isUp(runtimeFile: string): Promise<boolean> {
  try {
    const client = await connectToDaemon(runtimeFile)
    await client.call('status', {}, { signal: AbortSignal.timeout(ALIVE_MS) })
    return true
  } catch (error) {
    if (error instanceof DaemonDown) return false
    throw error
  }
}
