/** Unpredictable bytes, from the platform's cryptographic source (from a seed only in the simulation). */
export interface Random {
  bytes(length: number): Uint8Array
}
