/**
 * Ed25519. Every signature covers the CBOR array `[label, bytes]`. One strict verifier decides everywhere, because two devices
 * that disagree on a signature disagree on who belongs to the group.
 *
 * Strict means: S < L, canonical encodings, the key neither of small order nor with torsion, and the equation without cofactor.
 * tweetnacl's own verifier takes S + L and a small-order key that "signs" everything. noble's `zip215: false` multiplies by the
 * cofactor, which lets a dishonest signer add torsion to R; native verifiers refuse that, so R is checked here too.
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import nacl from 'tweetnacl'
import { toHex } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import type { Random } from '../ports/random.ts'
import type { Signer } from '../ports/signer.ts'
import type { Verifier } from '../ports/verifier.ts'
import { PURPOSES, type Purpose } from './purposes.ts'

export interface SigningKeys {
  /** 32 bytes. Is the device's libp2p key. */
  readonly publicKey: Uint8Array
  /** 64 bytes: the seed, then the public key, as libp2p and tweetnacl both keep it. Never leaves the device. */
  readonly secretKey: Uint8Array
  /** Without it the portable one. */
  readonly signer?: Signer | undefined
}

export type SignerKeys = Pick<SigningKeys, 'secretKey' | 'signer'>

export const SIGNATURE_BYTES = 64
export const SIGNING_SEED_BYTES = 32

export function createSigningKeys(random: Random): SigningKeys {
  return signingKeysOf(random.bytes(nacl.sign.seedLength))
}

/** The keys that a 32-byte seed stands for. */
export function signingKeysOf(seed: Uint8Array): SigningKeys {
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed)
  return { publicKey, secretKey }
}

/** 64 bytes over `CBOR [label, bytes]`; deterministic. */
export function sign(purpose: Purpose, bytes: Uint8Array, { secretKey, signer = portableSigner }: SignerKeys): Uint8Array {
  return signer.sign(signedBytes(purpose, bytes), secretKey.subarray(0, SIGNING_SEED_BYTES))
}

/** Never throws: anything odd about key or signature is simply not a signature. */
export function verify(
  purpose: Purpose,
  bytes: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
  verifier: Verifier = portableVerifier,
): boolean {
  return (
    signature.length === SIGNATURE_BYTES && isAdmissibleKey(publicKey) && verifier.verify(signature, signedBytes(purpose, bytes), publicKey)
  )
}

/** Whether a public key may speak at all: canonical, not of small order, no torsion. Remembers the last thousand it admitted. */
export function isAdmissibleKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== nacl.sign.publicKeyLength) return false
  const name = toHex(publicKey)
  if (admitted.has(name)) return true
  if (!isPrimeOrder(publicKey)) return false
  if (admitted.size >= MAX_ADMITTED) admitted.clear()
  admitted.add(name)
  return true
}

/** The reference: the same on every platform. The first signature takes some 50 ms (a table is made), each other one to three. */
export const portableSigner: Signer = {
  sign: (message, seed) => ed25519.sign(message, seed),
}

/** The reference: the same on every platform, about a millisecond. A native one may replace it for keys already admitted. */
export const portableVerifier: Verifier = {
  verify(signature, message, publicKey) {
    if (signature.length !== SIGNATURE_BYTES || !isAdmissibleKey(publicKey)) return false
    return ed25519.verify(signature, message, publicKey, { zip215: false }) && isPrimeOrder(signature.subarray(0, 32))
  },
}

const MAX_ADMITTED = 1_000
const admitted = new Set<string>()

function signedBytes(purpose: Purpose, bytes: Uint8Array): Uint8Array {
  return encodeCbor([PURPOSES[purpose], bytes])
}

function isPrimeOrder(encoded: Uint8Array): boolean {
  try {
    const point = ed25519.Point.fromBytes(encoded, false)
    return !point.is0() && point.isTorsionFree()
  } catch {
    return false // not the canonical encoding of a point
  }
}
