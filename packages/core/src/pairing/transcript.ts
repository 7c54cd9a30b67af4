/**
 * What both ends compute from the frames of one connection, byte for byte the same or nothing works.
 *
 *     H0   = SHA-256([label, payload, new's ephemeral key, old's device key, new's device key])
 *     keys = HKDF(X25519(ephemeral, ephemeral), salt = the payload's secret, info = [label, H0]): one per direction, one for the code
 *     H1   = SHA-256([label, H0, m0, m1, r])        the frames as they were received
 *
 * m0 commits to r before the new device's key is known, so neither side, nor anybody between, can search for a key that gives
 * wanted digits: whoever learns r has already fixed everything else.
 */
import { hkdf, labelledHash, openRecord, sealRecord, sharedSecret } from '../crypto/index.ts'
import { publicKeyOf, type DeviceId } from '../lib/ids.ts'
import type { Random } from '../ports/random.ts'
import { codeOf } from './sas.ts'

export interface PairingEnds {
  /** The payload's bytes, as shown or as m0 brought them. */
  readonly payload: Uint8Array
  readonly secret: Uint8Array
  /** Who shows the payload. */
  readonly inviter: DeviceId
  readonly joiner: DeviceId
  /** The joiner's ephemeral key. */
  readonly joinerKey: Uint8Array
}

export interface PairingKeys {
  readonly h0: Uint8Array
  /** Opens what the inviter seals. */
  readonly inviterKey: Uint8Array
  readonly joinerKey: Uint8Array
  readonly codeKey: Uint8Array
}

/** `undefined` when the other end's key is one for which everybody knows the result. */
export function deriveKeys(ends: PairingEnds, ownSecretKey: Uint8Array, otherKey: Uint8Array): PairingKeys | undefined {
  const shared = sharedSecret(ownSecretKey, otherKey)
  if (shared === undefined) return undefined
  const h0 = labelledHash('pairing-h0', [ends.payload, ends.joinerKey, publicKeyOf(ends.inviter), publicKeyOf(ends.joiner)])
  return {
    h0,
    inviterKey: hkdf(shared, ends.secret, 'pairing-inviter-key', 32, [h0]),
    joinerKey: hkdf(shared, ends.secret, 'pairing-joiner-key', 32, [h0]),
    codeKey: hkdf(shared, ends.secret, 'pairing-code-key', 32, [h0]),
  }
}

export function commitmentTo(reveal: Uint8Array): Uint8Array {
  return labelledHash('pairing-commitment', [reveal])
}

export interface Transcript {
  readonly h1: Uint8Array
  readonly code: string
}

/** `m0` and `m1` are whole frames. */
export function closeTranscript(keys: PairingKeys, m0: Uint8Array, m1: Uint8Array, reveal: Uint8Array): Transcript {
  const h1 = labelledHash('pairing-h1', [keys.h0, m0, m1, reveal])
  return { h1, code: codeOf(keys.codeKey, h1) }
}

/** The sealed parts of frames, each under its place, so that none can stand in for another. */
export type SealedPlace = 'introduction' | 'admission' | `log/${number}`

export function sealPart(key: Uint8Array, place: SealedPlace, bytes: Uint8Array, random: Random): Uint8Array {
  return sealRecord(key, `pairing/${place}`, bytes, random)
}
export function openPart(key: Uint8Array, place: SealedPlace, sealed: Uint8Array): Uint8Array | undefined {
  return openRecord(key, `pairing/${place}`, sealed)
}
