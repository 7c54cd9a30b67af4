/** The recovery phrase of the group: naming one, and putting another in its place. Words are made, shown and forgotten elsewhere. */
import {
  SegueError,
  createRecoveryPhrase,
  openOnPaper,
  recoveryKeysOf,
  type DeviceId,
  type RecoveryPublicKeys,
  type SignedEntry,
} from '@segue/core'
import type { Clock } from '@segue/core/ports'
import { nativeHasher } from '../platform/native-hasher.ts'
import { nativeVerifier } from '../platform/native-verifier.ts'
import { systemRandom } from '../platform/system-random.ts'
import type { Confirmation, PersonCheck } from '../person.ts'
import { plainly } from '../roles.ts'
import type { Runtime } from '../runtime.ts'
import { keysOfWords } from './words.ts'

export interface RecoveryPhrases {
  /** The phrase in force: who named it and when, by that clock. Undefined: there is none. */
  readonly phrase: { readonly by: DeviceId; readonly at: number } | undefined
  /**
   * Names the public halves of a phrase (`makeRecoveryPhrase`), in the place of an earlier one, whose words open nothing new from then on.
   * An admin's device may; any other with the words in force. The person is asked again where this device has a passphrase. Rejects with
   * SegueError NEEDS_ADMIN, GROUP_NEWER, RECOVERY_PHRASE_INVALID, RECOVERY_PHRASE_BURNED, CONFIRMATION_*.
   */
  set(keys: RecoveryPublicKeys, options?: SetPhraseOptions): Promise<void>
}

export interface SetPhraseOptions {
  readonly oldWords?: string | undefined
  readonly confirmation?: Confirmation | undefined
}

/** 24 words that nothing has stored, and what `RecoveryPhrases.set` is to know of them. */
export function makeRecoveryPhrase(): { readonly words: string; readonly keys: RecoveryPublicKeys } {
  const words = createRecoveryPhrase(systemRandom)
  const keys = recoveryKeysOf(words)
  if (!keys.ok) throw new Error('broken promise: a made phrase is a phrase')
  return { words, keys: { signing: keys.value.signing.publicKey, sealing: keys.value.sealing.publicKey } }
}

/** Whether these can be the words of a phrase. Throws SegueError RECOVERY_PHRASE_INVALID, saying what is wrong. */
export function checkRecoveryWords(words: string): void {
  keysOfWords(words)
}

interface Parts {
  readonly runtime: () => Runtime
  readonly clock: Clock
  readonly person: Pick<PersonCheck, 'confirmPassphrase'>
}

export function createPhrases({ runtime, clock, person }: Parts): RecoveryPhrases {
  return {
    get phrase() {
      const recovery = runtime().group.state.peek().recovery
      return recovery === undefined ? undefined : { by: recovery.by, at: recovery.at }
    },
    async set(keys, { oldWords, confirmation } = {}) {
      await person.confirmPassphrase(confirmation)
      const { group, keeper } = runtime()
      const time = clock.now()
      if (oldWords === undefined) {
        try {
          return await keeper.keep(group.setRecovery(keys, { time }))
        } catch (error) {
          throw plainly(error)
        }
      }
      const entries = group.entries().map(entry => entry.bytes)
      const before = new Set(group.entries().map(entry => entry.id))
      const onPaper = openOnPaper({
        ...{ keys: keysOfWords(oldWords), random: systemRandom, hasher: nativeHasher, verifier: nativeVerifier },
        ...{ secret: group.secret, entries, id: group.id },
      })
      onPaper.setRecovery(keys, { time })
      const written: readonly SignedEntry[] = onPaper.entries().filter(entry => !before.has(entry.id))
      const refused = group.receive(written.map(entry => entry.bytes)).some(outcome => outcome.kind === 'refused')
      if (refused) throw new SegueError('NEEDS_ADMIN')
      await Promise.all(written.map(entry => keeper.keep(entry)))
    },
  }
}
