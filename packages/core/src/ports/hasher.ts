/** SHA-256 and HMAC-SHA-256, synchronous. Core has a portable one (noble); Node's native one is several times faster. */
export interface Hasher {
  sha256(bytes: Uint8Array): Uint8Array
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array
}
