/**
 * The Signer port on node:crypto, some fifty times faster than the portable one, whose first signature takes 50 ms besides: a device
 * signs a claim a second for every document that is edited. The key object is made anew for each: kept, it would outlive a lock.
 */
import { createPrivateKey, sign } from 'node:crypto'
import type { DeviceIdentity } from '@segue/core'
import type { Signer } from '@segue/core/ports'

export const nativeSigner: Signer = {
  sign(message, seed) {
    const der = Buffer.concat([PKCS8_PREFIX, seed])
    try {
      return new Uint8Array(sign(undefined, message, createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })))
    } finally {
      der.fill(0)
    }
  },
}

/** The same device, signing with it. */
export function withNativeSigner(identity: DeviceIdentity): DeviceIdentity {
  return { ...identity, signing: { ...identity.signing, signer: nativeSigner } }
}

/** What precedes the 32 bytes of an Ed25519 seed in a PrivateKeyInfo (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
