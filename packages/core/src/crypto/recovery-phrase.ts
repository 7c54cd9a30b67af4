/**
 * The recovery phrase: 24 words (BIP39, English list) that stand for 256 random bits and a checksum of 8. The words give the BIP39
 * seed (PBKDF2-HMAC-SHA512, 2,048 rounds, no password), and that the keys of a *paper device*: one that signs and opens wraps as any
 * device does. Neither words nor keys are ever stored.
 */
import { entropyToMnemonic, mnemonicToSeedSync, validateMnemonic } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Random } from '../ports/random.ts'
import { SEALING_KEY_BYTES, sealingKeysOf, type SealingKeys } from './box.ts'
import { hkdf } from './kdf.ts'
import { SIGNING_SEED_BYTES, signingKeysOf, type SigningKeys } from './sign.ts'

export const RECOVERY_WORDS = 24

export interface RecoveryKeys {
  readonly signing: SigningKeys
  readonly sealing: SealingKeys
}

export type PhraseFault =
  /** Not 24 words. */
  | { readonly kind: 'count'; readonly words: number }
  /** The word at this place, from 1, is not in the list. */
  | { readonly kind: 'unknown-word'; readonly place: number }
  /** All are words of the list, but they do not belong together: one is wrong or two are swapped. */
  | { readonly kind: 'checksum' }

/** 24 words with one space between them. */
export function createRecoveryPhrase(random: Random): string {
  return entropyToMnemonic(random.bytes(ENTROPY_BYTES), wordlist)
}

/** The keys that a phrase stands for, however it was typed: case and space do not matter. */
export function recoveryKeysOf(phrase: string): Result<RecoveryKeys, PhraseFault> {
  const words = phrase.normalize('NFKD').toLowerCase().split(/\s+/u).filter(Boolean)
  if (words.length !== RECOVERY_WORDS) return failed({ kind: 'count', words: words.length })
  const unknown = words.findIndex(word => !wordlist.includes(word))
  if (unknown >= 0) return failed({ kind: 'unknown-word', place: unknown + 1 })
  const typed = words.join(' ')
  if (!validateMnemonic(typed, wordlist)) return failed({ kind: 'checksum' })
  const seed = mnemonicToSeedSync(typed)
  return ok({
    signing: signingKeysOf(hkdf(seed, undefined, 'recovery-signing', SIGNING_SEED_BYTES)),
    sealing: sealingKeysOf(hkdf(seed, undefined, 'recovery-sealing', SEALING_KEY_BYTES)),
  })
}

const ENTROPY_BYTES = 32
