/**
 * The admin keys of mailboxes that this device was given. A relay admits whom a list signed with such a key names; only admins of the
 * group have it.
 */
import { SIGNING_SEED_BYTES, signingKeysOf, unwrap, wrapFor } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { equalBytes, toHex } from '../lib/bytes.ts'
import type { Random } from '../ports/random.ts'
import type { DeviceWrap, SignedEntry } from './entry.ts'
import type { GroupDevice } from './reduce.ts'

export interface RelayKeys {
  /** Learns what an entry that counts wraps for this device; a seed that is not the key's is passed over. Harmless to repeat. */
  learn(entry: SignedEntry): void
  seedOf(adminKey: Uint8Array): Uint8Array | undefined
}

export function createRelayKeys(identity: DeviceIdentity): RelayKeys {
  const seeds = new Map<string, Uint8Array>()
  return {
    learn({ content }) {
      if (content.kind !== 'relay' || seeds.has(toHex(content.adminKey))) return
      for (const { device, box } of content.wraps) {
        const seed = device === identity.id ? unwrap(box, identity.sealing) : undefined
        if (seed?.length !== SIGNING_SEED_BYTES || !equalBytes(signingKeysOf(seed).publicKey, content.adminKey)) continue
        seeds.set(toHex(content.adminKey), seed)
      }
    },
    seedOf: adminKey => seeds.get(toHex(adminKey)),
  }
}

export function wrapSeed(
  seed: Uint8Array,
  devices: readonly Pick<GroupDevice, 'id' | 'sealingKey'>[],
  random: Random,
): readonly DeviceWrap[] {
  return devices.map(({ id, sealingKey }) => ({ device: id, box: wrapFor(sealingKey, seed, random) }))
}
