/**
 * Where the device key (32 random bytes that seal every other secret) is kept between runs. A vault has one or more slots; any
 * one opens it. It never writes the device key in the clear, except a `key-file` slot that somebody asked for.
 */
export type SlotKind =
  | 'keychain'
  | 'passphrase'
  /** It takes both. */
  | 'keychain+passphrase'
  | 'key-file'
  | 'custom'

export interface KeyVault {
  /** How keys are kept, for `status`: said plainly. */
  readonly slots: readonly SlotKind[]
  /** 32 bytes. The same in every run of one store. */
  readonly deviceKey: Uint8Array
  /** Seals and opens small secrets under the device key; `purpose` is bound in. `open` gives undefined for anything it did not seal. */
  seal(purpose: string, secret: Uint8Array): Uint8Array
  open(purpose: string, sealed: Uint8Array): Uint8Array | undefined
}
