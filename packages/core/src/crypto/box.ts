/**
 * Secrets for one device: X25519 (RFC 7748) with an ephemeral key, HKDF, secretbox. tweetnacl's own `box` accepts keys for which the
 * shared secret is all zeros, hence known to everybody; those are refused here.
 */
import nacl from 'tweetnacl'
import { concatBytes, toHex } from '../lib/bytes.ts'
import type { Random } from '../ports/random.ts'
import { hkdf } from './kdf.ts'

export interface SealingKeys {
  /** 32 bytes, X25519. */
  readonly publicKey: Uint8Array
  /** 32 bytes. Never leaves the device. */
  readonly secretKey: Uint8Array
}

export const SEALING_KEY_BYTES = 32
/** What `wrapFor` adds to a secret: version 1, ephemeral key 32, nonce 24, authenticator 16. */
export const WRAP_OVERHEAD_BYTES = 73

export function createSealingKeys(random: Random): SealingKeys {
  return sealingKeysOf(random.bytes(SEALING_KEY_BYTES))
}

/** The keys that a 32-byte secret stands for. */
export function sealingKeysOf(secretKey: Uint8Array): SealingKeys {
  const keys = nacl.box.keyPair.fromSecretKey(secretKey)
  return { publicKey: keys.publicKey, secretKey: keys.secretKey }
}

/** The X25519 result, or undefined when it is all zeros (the other key has small order) or a key has not 32 bytes. */
export function sharedSecret(secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  if (secretKey.length !== SEALING_KEY_BYTES || publicKey.length !== SEALING_KEY_BYTES) return undefined
  const shared = nacl.scalarMult(secretKey, publicKey)
  let bits = 0
  for (const byte of shared) bits |= byte
  return bits === 0 ? undefined : shared
}

/** Whether something can be wrapped for this key without everybody being able to read it. Remembers the last thousand it admitted. */
export function isAdmissibleSealingKey(publicKey: Uint8Array): boolean {
  const name = toHex(publicKey)
  if (admitted.has(name)) return true
  if (sharedSecret(PROBE, publicKey) === undefined) return false
  if (admitted.size >= MAX_ADMITTED) admitted.clear()
  admitted.add(name)
  return true
}

/** Seals `secret` so that only the holder of `publicKey`'s secret half can open it. Throws RangeError on an inadmissible key. */
export function wrapFor(publicKey: Uint8Array, secret: Uint8Array, random: Random): Uint8Array {
  const ephemeral = createSealingKeys(random)
  const shared = sharedSecret(ephemeral.secretKey, publicKey)
  if (shared === undefined) throw new RangeError('inadmissible sealing key')
  const nonce = random.bytes(nacl.secretbox.nonceLength)
  const box = nacl.secretbox(secret, nonce, wrapKey(shared, ephemeral.publicKey, publicKey))
  return concatBytes(VERSION, ephemeral.publicKey, nonce, box)
}

/** Undefined for anything that was not wrapped for these keys. */
export function unwrap(wrapped: Uint8Array, keys: SealingKeys): Uint8Array | undefined {
  if (wrapped.length < WRAP_OVERHEAD_BYTES || wrapped[0] !== VERSION[0]) return undefined
  const ephemeral = wrapped.slice(1, 33)
  const shared = sharedSecret(keys.secretKey, ephemeral)
  if (shared === undefined) return undefined
  const key = wrapKey(shared, ephemeral, keys.publicKey)
  return nacl.secretbox.open(wrapped.subarray(57), wrapped.subarray(33, 57), key) ?? undefined
}

const MAX_ADMITTED = 1_000
const admitted = new Set<string>()

const VERSION = new Uint8Array([1])
// Any secret shows a small-order key: clamping makes every scalar a multiple of 8.
const PROBE = new Uint8Array(SEALING_KEY_BYTES).fill(1)

/** Both public keys are bound in, so a wrap made for one device is nothing to another. */
function wrapKey(shared: Uint8Array, ephemeral: Uint8Array, recipient: Uint8Array): Uint8Array {
  return hkdf(shared, undefined, 'wrap', 32, [ephemeral, recipient])
}
