/**
 * The Verifier port on node:crypto, ten times faster than the portable one: a first sync checks a claim for every document. OpenSSL
 * refuses S >= L, compares R byte for byte and takes no cofactor; what it leaves to the caller is the key, which has to be admissible,
 * and R as the neutral element.
 */
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { SIGNATURE_BYTES, equalBytes, isAdmissibleKey, toHex } from '@segue/core'
import type { Verifier } from '@segue/core/ports'

export const nativeVerifier: Verifier = {
  verify(signature, message, publicKey) {
    if (signature.length !== SIGNATURE_BYTES || !isAdmissibleKey(publicKey)) return false
    if (!isBelowOrder(signature.subarray(32)) || equalBytes(signature.subarray(0, 32), NEUTRAL)) return false
    return verify(undefined, message, keyOf(publicKey), signature)
  },
}

/** The order of the base point, little-endian. */
const ORDER = Uint8Array.from(Buffer.from('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010', 'hex'))
const NEUTRAL = Uint8Array.from([1, ...new Uint8Array(31)])
/** What precedes 32 bytes of Ed25519 key in a SubjectPublicKeyInfo. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const MAX_KEYS = 100
const keys = new Map<string, KeyObject>()

function keyOf(publicKey: Uint8Array): KeyObject {
  const name = toHex(publicKey)
  const present = keys.get(name)
  if (present !== undefined) return present
  if (keys.size >= MAX_KEYS) keys.clear()
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
  keys.set(name, key)
  return key
}

/** Whatever the library below does: two devices must never disagree. */
function isBelowOrder(scalar: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (scalar[i] as number) - (ORDER[i] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}
