/**
 * The keys a device holds. The *group secret* gives the keys that name things and never change; *epoch secrets* give the keys that
 * seal content. The genesis makes the first epoch; an entry that adds a device wraps every epoch that has no successor for it.
 * An epoch is named after the entry that made it.
 */
import { hkdf, unwrap, wrapFor, type Keyring } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { SegueError } from '../lib/errors.ts'
import { LOG_EPOCH, epochOf, type EpochId } from '../lib/ids.ts'
import type { Random } from '../ports/random.ts'
import type { EpochWrap, SignedEntry } from './entry.ts'
import { comparePositions, type Position } from './graph.ts'

export const SECRET_BYTES = 32

export interface Epochs {
  readonly keyring: Keyring
  /** Learns what an entry that counts says about epochs. Harmless to repeat. */
  learn(entry: SignedEntry, at: Position): void
  holdsAny(): boolean
  /** Every epoch held that has no successor, wrapped for a device. Throws RangeError on an inadmissible key. */
  wrapAll(sealingKey: Uint8Array, random: Random): readonly EpochWrap[]
}

export function createEpochs(identity: DeviceIdentity, groupSecret: Uint8Array): Epochs {
  const made = new Map<EpochId, Position>()
  /** Entries of kinds that this version does not know may make epochs too. */
  const perhapsMade = new Set<EpochId>()
  const secrets = new Map<EpochId, Uint8Array>()
  const contentKeys = new Map<EpochId, Uint8Array>()
  const logKey = hkdf(groupSecret, undefined, 'log-key', SECRET_BYTES)

  const hold = (epoch: EpochId, box: Uint8Array): void => {
    if (secrets.has(epoch)) return
    const secret = unwrap(box, identity.sealing)
    if (secret === undefined || secret.length !== SECRET_BYTES) return
    secrets.set(epoch, secret)
    contentKeys.set(epoch, hkdf(secret, undefined, 'content-key', SECRET_BYTES))
  }
  /** The last made of those held: what new content is sealed under. */
  const newest = (): EpochId | undefined =>
    [...made.keys()]
      .filter(epoch => secrets.has(epoch))
      .sort((a, b) => comparePositions(made.get(a) as Position, made.get(b) as Position))
      .at(-1)

  return {
    keyring: {
      idKey: hkdf(groupSecret, undefined, 'id-key', SECRET_BYTES),
      tagKey: hkdf(groupSecret, undefined, 'tag-key', SECRET_BYTES),
      logKey,
      knows: epoch => epoch === LOG_EPOCH || made.has(epoch) || perhapsMade.has(epoch),
      secretOf: epoch => (epoch === LOG_EPOCH ? logKey : contentKeys.get(epoch)),
      current() {
        const epoch = newest()
        const secret = epoch === undefined ? undefined : contentKeys.get(epoch)
        if (epoch === undefined || secret === undefined) throw new SegueError('NOT_A_MEMBER')
        return { epoch, secret }
      },
    },
    learn({ id, author, content }, at) {
      if (content.kind === 'genesis') {
        made.set(epochOf(id), at)
        if (author === identity.id) hold(epochOf(id), content.box)
      }
      if (content.kind === 'unknown') perhapsMade.add(epochOf(id))
      if (content.kind === 'add' && content.device === identity.id) {
        for (const { epoch, box } of content.wraps) if (made.has(epoch)) hold(epoch, box)
      }
    },
    holdsAny: () => newest() !== undefined,
    wrapAll: (sealingKey, random) =>
      // No kind of entry known to this version follows an epoch with another, so every epoch is without a successor.
      [...secrets].map(([epoch, secret]) => ({ epoch, box: wrapFor(sealingKey, secret, random) })),
  }
}

/** A fresh epoch secret, wrapped for the device that makes the epoch. */
export function createEpochBox(sealingKey: Uint8Array, random: Random): Uint8Array {
  return wrapFor(sealingKey, random.bytes(SECRET_BYTES), random)
}
