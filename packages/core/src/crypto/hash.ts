/** SHA-256 and HMAC-SHA-256 over labelled CBOR arrays, never over bare concatenation. */
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { encodeCbor } from '../lib/codec.ts'
import type { Hasher } from '../ports/hasher.ts'
import { PURPOSES, type Purpose } from './purposes.ts'

/** What may stand in a hashed array: whatever deterministic CBOR writes in exactly one way. */
export type HashPart = Uint8Array | string | number | readonly HashPart[]

/** The same answers as Node's native one, everywhere; several times slower. */
export const portableHasher: Hasher = {
  sha256: bytes => nobleSha256(bytes),
  hmacSha256: (key, bytes) => hmac(nobleSha256, key, bytes),
}

/** Plain SHA-256, for where a format asks for it (entry ids, variants of a chunk). */
export function sha256(bytes: Uint8Array, hasher: Hasher = portableHasher): Uint8Array {
  return hasher.sha256(bytes)
}

/** `SHA-256(CBOR [label, ...parts])`, 32 bytes. */
export function labelledHash(purpose: Purpose, parts: readonly HashPart[], hasher: Hasher = portableHasher): Uint8Array {
  return hasher.sha256(encodeCbor([PURPOSES[purpose], ...parts]))
}

/** `HMAC-SHA-256(key, CBOR [label, ...parts])`, 32 bytes. */
export function labelledHmac(key: Uint8Array, purpose: Purpose, parts: readonly HashPart[], hasher: Hasher = portableHasher): Uint8Array {
  return hasher.hmacSha256(key, encodeCbor([PURPOSES[purpose], ...parts]))
}
