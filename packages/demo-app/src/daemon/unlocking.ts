/** How a daemon gets at its keys: told when it starts, or later by `segue unlock`. */
import { keychain, keychainAndPassphrase, keyFile, passphrase, type SlotKind, type Unlock } from '@segue/engine'
import * as v from 'valibot'
import { keyFilePath, type Paths } from '../paths.ts'

/** Without `locked`: what `segue unlock` may say. */
export type Opening =
  | { readonly kind: 'keychain' }
  | { readonly kind: 'key-file' }
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'keychain+passphrase'; readonly passphrase: string }

export const opening: v.GenericSchema<unknown, Opening> = v.variant('kind', [
  v.strictObject({ kind: v.literal('keychain') }),
  v.strictObject({ kind: v.literal('key-file') }),
  v.strictObject({ kind: v.literal('passphrase'), passphrase: v.string() }),
  v.strictObject({ kind: v.literal('keychain+passphrase'), passphrase: v.string() }),
])

export function unlockOf(how: Opening, paths: Paths): Unlock {
  switch (how.kind) {
    case 'keychain':
      return keychain()
    case 'passphrase':
      return passphrase(how.passphrase)
    case 'keychain+passphrase':
      return keychainAndPassphrase(how.passphrase)
    case 'key-file':
      return keyFile(keyFilePath(paths))
  }
}

/** How to open it again after a crash, without asking anybody; undefined when that cannot be. */
export function openingOf(slots: readonly SlotKind[], knownPassphrase: string | undefined): Opening | undefined {
  if (slots.includes('key-file')) return { kind: 'key-file' }
  if (slots.includes('keychain')) return { kind: 'keychain' }
  const asking = (['passphrase', 'keychain+passphrase'] as const).find(kind => slots.includes(kind))
  return asking === undefined || knownPassphrase === undefined ? undefined : { kind: asking, passphrase: knownPassphrase }
}
