/**
 * This device: an Ed25519 signing key, which is also its libp2p key (so its id is its peer id), an X25519 sealing key made
 * independently of it, and the name its owner gave it. The keys never leave the device; `encodeIdentity` is for its vault only.
 */
import * as v from 'valibot'
import { SEALING_KEY_BYTES, createSealingKeys, sealingKeysOf, type SealingKeys } from '../crypto/box.ts'
import { createSigningKeys, signingKeysOf, type SigningKeys } from '../crypto/sign.ts'
import { bytesOf, decodeCbor, encodeCbor } from '../lib/codec.ts'
import { deviceIdOf, type DeviceId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Random } from '../ports/random.ts'
import { deviceName, isDeviceName } from './device-name.ts'

export interface DeviceIdentity {
  readonly id: DeviceId
  /** As given when the device was set up; the group log has the name others see. */
  readonly name: string
  readonly signing: SigningKeys
  readonly sealing: SealingKeys
}

/** Fresh keys. Throws RangeError when `isDeviceName(name)` does not hold. */
export function createIdentity({ name, random }: { readonly name: string; readonly random: Random }): DeviceIdentity {
  if (!isDeviceName(name)) throw new RangeError('a device name has 1 to 64 characters, none of them control characters')
  return identityOf(name, createSigningKeys(random), createSealingKeys(random))
}

/** Secret. CBOR {v: 1, name, signing: seed 32, sealing: secret 32}; seal it before it touches a disk. */
export function encodeIdentity(identity: DeviceIdentity): Uint8Array {
  return encodeCbor({
    v: 1,
    name: identity.name,
    signing: identity.signing.secretKey.subarray(0, SEED_BYTES),
    sealing: identity.sealing.secretKey,
  })
}

export function decodeIdentity(bytes: Uint8Array): Result<DeviceIdentity, string> {
  const decoded = decodeCbor(IDENTITY, bytes, MAX_IDENTITY_BYTES)
  if (!decoded.ok) return failed(`identity: ${decoded.error.reason}`)
  const { name, signing, sealing } = decoded.value
  return ok(identityOf(name, signingKeysOf(signing), sealingKeysOf(sealing)))
}

const SEED_BYTES = 32
const MAX_IDENTITY_BYTES = 1_024
const IDENTITY = v.strictObject({
  v: v.literal(1),
  name: deviceName,
  signing: bytesOf(SEED_BYTES),
  sealing: bytesOf(SEALING_KEY_BYTES),
})

function identityOf(name: string, signing: SigningKeys, sealing: SealingKeys): DeviceIdentity {
  return { id: deviceIdOf(signing.publicKey), name, signing, sealing }
}
