/** A way to keep the device key: it wraps the key once, into a slot of the vault, and unwraps it in every later run. */
import type { Random, SlotKind } from '@segue/core/ports'

export interface Unlock {
  readonly kind: SlotKind
  /** What goes into the slot. Throws UNLOCK_NEEDED when this machine cannot do it. */
  wrap(deviceKey: Uint8Array, vault: VaultPlace): Promise<Uint8Array>
  /** The device key, or undefined when this does not open the slot. Changes nothing. */
  unwrap(wrapped: Uint8Array, vault: VaultPlace): Promise<Uint8Array | undefined>
  /** The vault has this slot no more: what lies elsewhere for it alone goes. A failure leaves something that opens nothing. */
  forget?(wrapped: Uint8Array, vault: VaultPlace): Promise<void>
}

export interface VaultPlace {
  /** 16 random bytes, hex: names this vault in a keychain. */
  readonly vaultId: string
  readonly random: Random
}
