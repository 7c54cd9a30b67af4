/** Bytes at rest: chunks, records and keys of one device in one directory. */
export { openStore, type Store, type StoreOptions } from './open-store.ts'
export type { Damage, OnDamaged } from './damage.ts'
export type { Unlock, VaultPlace } from './vault/unlock.ts'
export type { Vault } from './vault/vault.ts'
export { passphrase } from './vault/passphrase.ts'
export { keychain } from './vault/keychain.ts'
export { keyFile } from './vault/key-file.ts'
export { custom, type CustomUnlock } from './vault/custom.ts'
