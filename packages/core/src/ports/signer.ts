/** Ed25519 as RFC 8032 has it: deterministic, so every implementation gives the same 64 bytes. */
export interface Signer {
  /** `seed`: 32 bytes, wiped by its owner when the device locks: no copy of it may be kept. */
  sign(message: Uint8Array, seed: Uint8Array): Uint8Array
}
