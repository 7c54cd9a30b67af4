/**
 * Recovery on an empty machine: from the words of the recovery phrase and a backup, or the words and a relay, to a store that
 * `openSegue` opens. The phrase is used up by it, and another takes its place.
 */
import {
  createRecoveryPhrase,
  openOnPaper,
  openOrCleanUp,
  recoveryKeysOf,
  type DeviceId,
  type GroupDevice,
  type RecoveryKeys,
} from '@segue/core'
import type { Logger } from '@segue/core/ports'
import { openStore, type Unlock } from '@segue/storage'
import { loadIdentity } from '../device-records.ts'
import { silentLogger } from '../platform/loggers.ts'
import { nativeHasher } from '../platform/native-hasher.ts'
import { nativeVerifier } from '../platform/native-verifier.ts'
import { createSystemClock } from '../platform/system-clock.ts'
import { systemRandom } from '../platform/system-random.ts'
import { createNodeWorker } from '../worker/node-worker.ts'
import { openBackupFile } from './from-file.ts'
import { rebuild } from './rebuild.ts'
import type { RestoreSource } from './restore-source.ts'
import { assertFree, stageBeside } from './staging.ts'
import { keysOfWords } from './words.ts'

export interface RestoreOptions {
  /** Where the store will be, as of `openSegue`. Nothing may be there yet. */
  readonly directory: string
  readonly device: { readonly name: string }
  /** As of `openSegue`. */
  readonly unlock?: Unlock | readonly Unlock[]
  /** The 24 words, however they were typed. */
  readonly words: string
  readonly from: { readonly file: string }
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
  /** Pieces that could not be brought back: not what their names say, or sealed under a key that the phrase was never given. */
  readonly leftOut: number
}

/**
 * Rejects with SegueError: RECOVERY_PHRASE_INVALID, RECOVERY_PHRASE_BURNED, BACKUP_*, RESTORE_NOT_EMPTY, what opening a store may say;
 * with the signal's reason; with what `keep` or `onNewPhrase` throw. Then nothing is in `directory`, and the words are as good as before.
 */
export async function restoreSegue(options: RestoreOptions): Promise<Restored> {
  const { directory, device, unlock, words, signal, logger = silentLogger } = options
  const keys = keysOfWords(words)
  await assertFree(directory)
  return openOrCleanUp(async opened => {
    const source = opened.use(await openSource(options, keys))
    const lost = await chooseLost(options, keys, source)
    const random = systemRandom
    const newWords = createRecoveryPhrase(random)
    const replacement = recoveryKeysOf(newWords)
    if (!replacement.ok) throw new Error('broken promise: a made phrase is a phrase')

    const staging = await stageBeside(directory)
    try {
      const worker = opened.use(createNodeWorker())
      const store = await openStore({ directory: staging.directory, ...(unlock === undefined ? {} : { unlock }) })
      const { device: id, rebuilt } = await (async () => {
        try {
          const identity = await loadIdentity(store.records, device.name, random)
          const done = await rebuild({
            ...{ store, identity, source, keys, random, worker, logger, signal },
            clock: createSystemClock(),
            hasher: nativeHasher,
            isLost: each => lost.has(each.id),
            replacement: { signing: replacement.value.signing.publicKey, sealing: replacement.value.sealing.publicKey },
            onChunks: chunks => options.onProgress?.({ chunks, of: Math.max(chunks, source.expected) }),
          })
          return { device: identity.id, rebuilt: done }
        } finally {
          await store.close()
        }
      })()
      signal?.throwIfAborted()
      await options.onNewPhrase(newWords)
      signal?.throwIfAborted()
      await staging.putInPlace()
      await opened.close()
      const { group, chunks, leftOut } = rebuilt
      const { devices } = group.state.peek()
      return {
        device: id,
        kept: devices.flatMap(each => (each.active && each.id !== id ? [each.id] : [])),
        removed: [...lost],
        chunks,
        leftOut,
      }
    } catch (error) {
      await staging.remove().catch(() => undefined) // the first failure is the one that explains
      throw error
    }
  })
}

function openSource({ from, signal }: RestoreOptions, keys: RecoveryKeys): Promise<RestoreSource> {
  return openBackupFile(from.file, keys, signal)
}

async function chooseLost({ keep }: RestoreOptions, keys: RecoveryKeys, source: RestoreSource): Promise<ReadonlySet<DeviceId>> {
  const { secret, entries, group: id } = source
  const onPaper = openOnPaper({ keys, secret, entries, id, random: systemRandom, hasher: nativeHasher, verifier: nativeVerifier })
  const devices = onPaper.state.peek().devices.filter(each => each.removal === undefined)
  const kept = new Set(await keep?.(devices))
  return new Set(devices.flatMap(each => (kept.has(each.id) ? [] : [each.id])))
}
