/** What can be asked about a store's files without opening it, and without loading what opening takes. */
export { assertPrivate } from './place.ts'
export { readSlots } from './vault/vault-file.ts'
