/**
 * The keys a device holds. The *group secret* gives the keys that name things and never change; *epoch secrets* give the keys that
 * seal content. An epoch is named after the entry that made it: the genesis, a removal or a rotation. Its secret is wrapped for those
 * who belong, and the secrets of the epochs before it are sealed under it, so whoever holds the last opens everything before.
 *
 * What is learnt here comes from entries that count by their past, whether or not a removal voids them: somebody may have sealed
 * under such an epoch in good faith, and whoever comes later must be able to read it. What is *sealed under* is another matter: only
 * a valid epoch, one whose entry counts and knows of every removal that this device knows of.
 */
import { hkdf, labelledHash, openRecord, sealRecord, unwrap, wrapFor, type Keyring } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { equalBytes } from '../lib/bytes.ts'
import { LOG_EPOCH, epochOf, type DeviceId, type EntryId, type EpochId } from '../lib/ids.ts'
import { createSubject, type Observable } from '../lib/observable.ts'
import type { Random } from '../ports/random.ts'
import type { EpochWrap, NewEpoch, SignedEntry } from './entry.ts'
import { comparePositions, type Position } from './graph.ts'

export const SECRET_BYTES = 32

/** Whoever gets a wrap of a new epoch. */
export interface Recipient {
  readonly id: DeviceId
  readonly sealingKey: Uint8Array
}

export interface Epochs {
  /** Its `current` is the owner's business: see `validNow`. */
  readonly keys: Omit<Keyring, 'current'>
  /** Goes up whenever more can be opened. */
  readonly held: Observable<number>
  /** An entry that is stored and about to be learnt: chunks under its epoch may come first. */
  expect(entry: SignedEntry): void
  /** Learns what an entry says about epochs. Harmless to repeat. */
  learn(entry: SignedEntry, at: Position): void
  holdsAny(): boolean
  holds(epoch: EpochId): boolean
  /** The last by position of the epochs held that `isValid` accepts; `undefined` when there is none. */
  newest(isValid: (made: EntryId) => boolean): { readonly epoch: EpochId; readonly at: Position; readonly secret: Uint8Array } | undefined
  /** Whether an epoch after this place, made by an entry that `isValid` accepts, was given to this device so that it cannot open it. */
  isWithheld(isValid: (made: EntryId) => boolean, after: Position): boolean
  /** Every epoch held that no other epoch held follows. */
  latest(): readonly EpochId[]
  /** Epochs held, wrapped for a device. Throws RangeError on an inadmissible key. */
  wrap(epochs: readonly EpochId[], sealingKey: Uint8Array, random: Random): readonly EpochWrap[]
  /** A fresh epoch that follows these. */
  next(parents: readonly EpochId[], recipients: readonly Recipient[], random: Random): NewEpoch
  /** What a device may be able to open by what the log gave it, or it chose itself. */
  knownTo(device: DeviceId): ReadonlySet<EpochId>
  /** What it can open, unless it lies: of what it was given it said of none that it could not be opened. */
  heldBy(device: DeviceId): ReadonlySet<EpochId>
}

interface Made {
  readonly epoch: EpochId
  readonly entry: EntryId
  readonly at: Position
  /** The genesis of an early group says none. */
  readonly check: Uint8Array | undefined
  readonly parents: readonly EpochWrap[]
}

/** `isBefore`: whether the first entry is in the causal past of the second. */
export function createEpochs(
  identity: DeviceIdentity,
  groupSecret: Uint8Array,
  isBefore: (ancestor: EntryId, of: EntryId) => boolean,
): Epochs {
  const made = new Map<EpochId, Made>()
  let ordered: readonly Made[] = []
  /** Named by a later epoch, or perhaps made by an entry of a kind that this version does not know. */
  const alsoKnown = new Set<EpochId>()
  /** Of entries on their way, the last so many. */
  const expected = new Set<EpochId>()
  const secrets = new Map<EpochId, Uint8Array>()
  const contentKeys = new Map<EpochId, Uint8Array>()
  /** Wraps for this device whose epoch is not known yet. */
  const early = new Map<EpochId, Uint8Array[]>()
  /** To whom the log gave an epoch itself; what it gave with it follows from `parents`. */
  const given = new Map<DeviceId, Set<EpochId>>()
  /** Whoever makes an epoch chose its secret, wrapped for itself or not. */
  const madeBy = new Map<DeviceId, Set<EpochId>>()
  /** What a device showed not to hold although it was given it. */
  const lacking = new Map<DeviceId, Set<EpochId>>()
  /** Epochs whose secret another epoch held gives. */
  const followed = new Set<EpochId>()
  const held = createSubject(0)
  const logKey = hkdf(groupSecret, undefined, 'log-key', SECRET_BYTES)

  const isKnown = (epoch: EpochId): boolean => made.has(epoch) || alsoKnown.has(epoch)
  const isRight = (epoch: EpochId, secret: Uint8Array | undefined): secret is Uint8Array => {
    const check = made.get(epoch)?.check
    return secret?.length === SECRET_BYTES && (check === undefined || equalBytes(checkOf(secret), check))
  }
  /** Takes a secret, and with it those of all epochs before. */
  const hold = (epoch: EpochId, secret: Uint8Array | undefined): void => {
    const found: (readonly [EpochId, Uint8Array | undefined])[] = [[epoch, secret]]
    for (let next = found.pop(); next !== undefined; next = found.pop()) {
      const [id, key] = next
      const present = secrets.get(id)
      if (present === undefined) {
        if (!isRight(id, key)) continue
        secrets.set(id, key)
        contentKeys.set(id, hkdf(key, undefined, 'content-key', SECRET_BYTES))
        held.set(held.peek() + 1)
      }
      const own = secrets.get(id)
      if (own === undefined) continue
      for (const parent of made.get(id)?.parents ?? []) {
        if (followed.has(parent.epoch)) continue
        const opened = openRecord(own, parentPurpose(parent.epoch), parent.box)
        const known = secrets.get(parent.epoch)
        if (!isRight(parent.epoch, opened) || (known !== undefined && !equalBytes(known, opened))) continue
        followed.add(parent.epoch)
        found.push([parent.epoch, opened])
      }
    }
  }
  const tryWrap = (epoch: EpochId, box: Uint8Array): void => {
    if (secrets.has(epoch)) return
    if (isKnown(epoch)) return hold(epoch, unwrap(box, identity.sealing))
    early.set(epoch, [...(early.get(epoch) ?? []), box])
  }
  const nowKnown = (epoch: EpochId): void => {
    const boxes = early.get(epoch) ?? []
    early.delete(epoch)
    for (const box of boxes) tryWrap(epoch, box)
  }
  const give = (device: DeviceId, epoch: EpochId): void => {
    lacking.get(device)?.delete(epoch)
    given.set(device, (given.get(device) ?? new Set()).add(epoch))
  }
  const inOrder = (): readonly Made[] => {
    if (ordered.length !== made.size) ordered = [...made.values()].sort((a, b) => comparePositions(a.at, b.at))
    return ordered
  }
  const withParents = (epochs: Iterable<EpochId>): ReadonlySet<EpochId> => {
    const all = new Set<EpochId>()
    const next = [...epochs]
    for (let epoch = next.pop(); epoch !== undefined; epoch = next.pop()) {
      if (all.has(epoch)) continue
      all.add(epoch)
      next.push(...(made.get(epoch)?.parents ?? []).map(parent => parent.epoch))
    }
    return all
  }
  const learnEpoch = ({ id, author }: SignedEntry, at: Position, { check, parents, wraps }: NewEpoch): void => {
    const epoch = epochOf(id)
    if (made.has(epoch)) return
    // Whoever leaves out an epoch that it has heard of does not hold it, whatever the log says it was given.
    const carried = withParents(parents.map(parent => parent.epoch))
    for (const own of given.get(author) ?? []) {
      const entry = made.get(own)?.entry
      if (entry !== undefined && isBefore(entry, id) && !carried.has(own)) lacking.set(author, (lacking.get(author) ?? new Set()).add(own))
    }
    made.set(epoch, { epoch, entry: id, at, check, parents })
    madeBy.set(author, (madeBy.get(author) ?? new Set()).add(epoch))
    const present = secrets.get(epoch)
    if (present !== undefined && !isRight(epoch, present)) {
      secrets.delete(epoch)
      contentKeys.delete(epoch)
    }
    if (present !== undefined) hold(epoch, undefined)
    for (const parent of parents) {
      if (isKnown(parent.epoch)) continue
      alsoKnown.add(parent.epoch)
      nowKnown(parent.epoch)
    }
    for (const { device, box } of wraps) {
      give(device, epoch)
      if (device === identity.id) tryWrap(epoch, box)
    }
    nowKnown(epoch)
  }

  return {
    keys: {
      idKey: hkdf(groupSecret, undefined, 'id-key', SECRET_BYTES),
      tagKey: hkdf(groupSecret, undefined, 'tag-key', SECRET_BYTES),
      logKey,
      knows: epoch => epoch === LOG_EPOCH || isKnown(epoch) || expected.has(epoch),
      secretOf: epoch => (epoch === LOG_EPOCH ? logKey : contentKeys.get(epoch)),
    },
    held,
    expect({ id, content }) {
      if (content.kind !== 'remove' && content.kind !== 'rotate' && content.kind !== 'unknown') return
      if (expected.size >= MAX_EXPECTED) for (const oldest of expected) if (expected.delete(oldest)) break
      expected.add(epochOf(id))
    },
    learn(entry, at) {
      const { id, author, content } = entry
      expected.delete(epochOf(id))
      switch (content.kind) {
        case 'genesis':
          made.set(epochOf(id), { epoch: epochOf(id), entry: id, at, check: content.check, parents: [] })
          give(author, epochOf(id))
          if (author === identity.id) tryWrap(epochOf(id), content.box)
          nowKnown(epochOf(id))
          return
        case 'add':
        case 'recovery': {
          const device = content.kind === 'add' ? content.device : content.key
          for (const { epoch, box } of content.wraps) {
            give(device, epoch)
            if (device === identity.id) tryWrap(epoch, box)
          }
          return
        }
        case 'remove':
        case 'rotate':
          return learnEpoch(entry, at, content.epoch)
        case 'wrap':
          give(content.device, content.epoch)
          if (content.device === identity.id) tryWrap(content.epoch, content.box)
          return
        case 'unknown':
          alsoKnown.add(epochOf(id))
          return nowKnown(epochOf(id))
        case 'role':
        case 'rename':
        case 'relay':
      }
    },
    holdsAny: () => secrets.size > 0,
    holds: epoch => secrets.has(epoch),
    newest(isValid) {
      const last = inOrder().findLast(({ epoch, entry }) => contentKeys.has(epoch) && isValid(entry))
      const secret = last === undefined ? undefined : contentKeys.get(last.epoch)
      return last === undefined || secret === undefined ? undefined : { epoch: last.epoch, at: last.at, secret }
    },
    isWithheld: (isValid, after) =>
      inOrder().some(
        ({ epoch, entry, at }) =>
          comparePositions(at, after) > 0 && !secrets.has(epoch) && given.get(identity.id)?.has(epoch) === true && isValid(entry),
      ),
    latest: () => [...secrets.keys()].filter(epoch => !followed.has(epoch)),
    wrap: (epochs, sealingKey, random) =>
      epochs.flatMap(epoch => {
        const secret = secrets.get(epoch)
        return secret === undefined ? [] : [{ epoch, box: wrapFor(sealingKey, secret, random) }]
      }),
    next(parents, recipients, random) {
      const secret = random.bytes(SECRET_BYTES)
      return {
        check: checkOf(secret),
        parents: parents.flatMap(epoch => {
          const before = secrets.get(epoch)
          return before === undefined ? [] : [{ epoch, box: sealRecord(secret, parentPurpose(epoch), before, random) }]
        }),
        wraps: recipients.map(({ id, sealingKey }) => ({ device: id, box: wrapFor(sealingKey, secret, random) })),
      }
    },
    knownTo: device => withParents([...(given.get(device) ?? []), ...(madeBy.get(device) ?? [])]),
    heldBy: device => withParents([...(given.get(device) ?? [])].filter(epoch => lacking.get(device)?.has(epoch) !== true)),
  }
}

const MAX_EXPECTED = 1_000

/** The first epoch, wrapped for the device that founds the group. */
export function firstEpoch(sealingKey: Uint8Array, random: Random): { readonly box: Uint8Array; readonly check: Uint8Array } {
  const secret = random.bytes(SECRET_BYTES)
  return { box: wrapFor(sealingKey, secret, random), check: checkOf(secret) }
}

/** Tells nothing of a secret that has 256 random bits, but lets everybody see that they got the same. */
function checkOf(secret: Uint8Array): Uint8Array {
  return labelledHash('epoch-check', [secret])
}

/** Bound to its place: a box moved to another epoch does not open there. */
function parentPurpose(parent: EpochId): string {
  return `epoch ${parent}`
}
