/**
 * Recovery on an empty machine: from the words of the recovery phrase and a backup, or the words and a relay, to a store that
 * `openSegue` opens. The phrase is used up by it, and another takes its place.
 */
import {
  HOUR_MS,
  createRecoveryPhrase,
  openOrCleanUp,
  recoveryKeysOf,
  type DeviceId,
  type GroupDevice,
  type RecoveryKeys,
} from '@segue/core'
import type { Clock, Logger } from '@segue/core/ports'
import { openStore, type Unlock } from '@segue/storage'
import { loadIdentity } from '../device-records.ts'
import { silentLogger } from '../platform/loggers.ts'
import { nativeHasher } from '../platform/native-hasher.ts'
import { createSystemClock } from '../platform/system-clock.ts'
import { systemRandom } from '../platform/system-random.ts'
import { createNodeWorker } from '../worker/node-worker.ts'
import { openBackupFile } from './from-file.ts'
import { openRelay } from './from-relay.ts'
import { rebuild, type Rebuilt } from './rebuild.ts'
import type { RestoreSource } from './restore-source.ts'
import { assertFree, stageBeside } from './staging.ts'
import { keepUsedPhrase, tellRelays } from './tell-relays.ts'
import { keysOfWords } from './words.ts'

export interface RestoreOptions {
  /** Where the store will be, as of `openSegue`. Nothing may be there yet. */
  readonly directory: string
  readonly device: { readonly name: string }
  /** As of `openSegue`. */
  readonly unlock?: Unlock | readonly Unlock[]
  /** The 24 words, however they were typed. */
  readonly words: string
  /** A file that `backup.write` wrote; or a relay that keeps a copy: its address (a multiaddr with its id), or an invite to it. */
  readonly from: { readonly file: string } | { readonly relay: string }
  /**
   * Which of the group's devices are still there and stay in the group. All others are removed: what they have stays readable to them,
   * what is written from now on does not. Without it none stays.
   */
  readonly keep?: (devices: readonly GroupDevice[]) => readonly DeviceId[] | Promise<readonly DeviceId[]>
  /**
   * The words that recover from now on; the ones given are used up. To be shown to a person, who writes them down: while it has not
   * resolved nothing is in its place, and when it rejects nothing was changed.
   */
  readonly onNewPhrase: (words: string) => void | Promise<void>
  readonly onProgress?: ((progress: RestoreProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
  /** Diagnostics. Default: none. */
  readonly logger?: Logger
}

export interface RestoreProgress {
  readonly chunks: number
  readonly of: number
}

export interface Restored {
  /** This machine in the group: an admin. */
  readonly device: DeviceId
  readonly kept: readonly DeviceId[]
  readonly removed: readonly DeviceId[]
  readonly chunks: number
  /** Relays of the group that could not be told yet, and do not let this machine in until they are; it goes on trying while it is open. */
  readonly untold: readonly DeviceId[]
  /** Pieces that could not be brought back: not what their names say, or sealed under a key that the phrase was never given. */
  readonly leftOut: number
  /** From a relay that lets go of what every device has: what it let go before the phrase was made is not here. */
  readonly mayLack: boolean
}

/**
 * Rejects with SegueError: RECOVERY_PHRASE_INVALID, RECOVERY_PHRASE_BURNED, BACKUP_*, RECOVERY_NOT_THERE, UNREACHABLE,
 * RELAY_*, RESTORE_NOT_EMPTY, what opening a store may say; with the signal's reason; with what `keep` or `onNewPhrase` throw.
 * Then nothing is in `directory`, nobody was told anything, and the words are as good as before.
 */
export async function restoreSegue(options: RestoreOptions): Promise<Restored> {
  // Neither the clock's timers nor the worker keep a process alive: a command that does nothing else would end while it waits for them.
  const awake = setInterval(() => undefined, HOUR_MS)
  try {
    return await restoreNow(options)
  } finally {
    clearInterval(awake)
  }
}

async function restoreNow(options: RestoreOptions): Promise<Restored> {
  const { directory, signal = new AbortController().signal, logger = silentLogger } = options
  const keys = keysOfWords(options.words)
  const clock = createSystemClock()
  await assertFree(directory)
  const next = createRecoveryPhrase(systemRandom)
  const staging = await stageBeside(directory)
  let done: { readonly device: DeviceId; readonly rebuilt: Rebuilt }
  try {
    done = await openOrCleanUp(async opened => {
      const source = opened.use(await openSource(options, { keys, clock, logger, signal }))
      const built = await build(options, { keys, clock, logger, signal }, { directory: staging.directory, source, next })
      await opened.close()
      return built
    })
    signal.throwIfAborted()
    await options.onNewPhrase(next)
    signal.throwIfAborted()
    await staging.putInPlace()
  } catch (error) {
    await staging.remove().catch(() => undefined) // the first failure is the one that explains
    throw error
  }
  const { device, rebuilt } = done
  const { group, removed, chunks, leftOut, mayLack } = rebuilt
  const kept = group.state.peek().devices.flatMap(each => (each.active && each.id !== device ? [each.id] : []))
  return { device, kept, removed, chunks, leftOut, mayLack, untold: await tellRelays({ self: device, group, keys, clock, logger, signal }) }
}

interface Common {
  readonly keys: RecoveryKeys
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}

function openSource({ from }: RestoreOptions, common: Common): Promise<RestoreSource> {
  return 'file' in from ? openBackupFile(from.file, common.keys, common.signal) : openRelay(from.relay, common)
}

async function build(
  { device, unlock, keep, onProgress }: RestoreOptions,
  common: Common,
  { directory, source, next }: { readonly directory: string; readonly source: RestoreSource; readonly next: string },
): Promise<{ readonly device: DeviceId; readonly rebuilt: Rebuilt }> {
  const replacement = recoveryKeysOf(next)
  if (!replacement.ok) throw new Error('broken promise: a made phrase is a phrase')
  const { signing, sealing } = replacement.value
  return openOrCleanUp(async opened => {
    const worker = opened.use(createNodeWorker())
    const store = opened.use(await openStore({ directory, ...(unlock === undefined ? {} : { unlock }) }))
    const identity = await loadIdentity(store.records, device.name, systemRandom)
    const rebuilt = await rebuild({
      ...common,
      ...{ store, identity, source, worker, random: systemRandom, hasher: nativeHasher },
      keep: async devices => (await keep?.(devices)) ?? [],
      replacement: { signing: signing.publicKey, sealing: sealing.publicKey },
      onProgress: progress => onProgress?.(progress),
    })
    if (rebuilt.group.state.peek().relays.some(relay => !relay.retired)) await keepUsedPhrase(store.records, common.keys)
    await opened.close()
    return { device: identity.id, rebuilt }
  })
}
