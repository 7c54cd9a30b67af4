/** How keys are kept, said plainly. */
type KeptKeys = readonly string[]

const WAYS: Readonly<Record<string, string>> = {
  keychain: 'in the keychain of this machine',
  passphrase: 'under a passphrase',
  'keychain+passphrase': 'in the keychain of this machine and under a passphrase; it takes both',
  'key-file': 'in a key file: whoever reads the key file and the store reads everything',
  custom: 'by the app that holds it',
}

export function keysText(kept: KeptKeys): string {
  return kept.map(kind => WAYS[kind] ?? kind).join('; or ')
}

/** The way by which unlocking asks nobody: then locking keeps keys out of memory, and not much more. */
export function opensUnasked(kept: KeptKeys): string | undefined {
  return kept.find(kind => kind === 'keychain' || kind === 'key-file')
}
