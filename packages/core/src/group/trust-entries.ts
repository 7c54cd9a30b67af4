/** What a device writes and knows of removals, epochs and the recovery phrase. */
import { isAdmissibleKey, isAdmissibleSealingKey, wrapFor, type Keyring } from '../crypto/index.ts'
import { SegueError } from '../lib/errors.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { deviceIdOf, type DeviceId, type EntryId, type EpochId } from '../lib/ids.ts'
import { createSubject } from '../lib/observable.ts'
import type { Random } from '../ports/random.ts'
import { MAX_ACTIVE_DEVICES } from '../wire/limits.ts'
import { MAX_EPOCH_PARENTS, MAX_WRAPS, type EpochWrap, type NewEpoch, type SignedEntry } from './entry.ts'
import { createEpochs, type Recipient } from './epochs.ts'
import type { GroupLog } from './group-log.ts'
import type { GroupDuty, GroupTrust } from './trust.ts'

export interface TrustEntries extends GroupTrust {
  readonly keyring: Keyring
  /** As of Epochs. */
  expect(entry: SignedEntry): void
  /** What entries that count by their past say of epochs; then what follows for this device. */
  learn(entries: readonly SignedEntry[]): void
  holdsAny(): boolean
  /** Every epoch that has no successor, wrapped for a newcomer. */
  wrapLatest(sealingKey: Uint8Array, time: number): readonly EpochWrap[]
}

export function createTrustEntries(log: GroupLog, identity: DeviceIdentity, secret: Uint8Array, random: Random): TrustEntries {
  const epochs = createEpochs(identity, secret, log.graph.isBefore)
  const keyChanges = createSubject(0)
  let sealing: ReturnType<typeof epochs.newest>
  let heldBefore = 0

  /** What new content may be sealed under: whoever was removed, as far as this device knows, cannot open it. */
  const isValid = (entry: EntryId): boolean => {
    const { refused, voided, removals } = log.evaluation()
    if (refused.has(entry) || voided.has(entry) || isLeaving(log.graph.get(entry))) return false
    return removals.every(removal => removal === entry || log.graph.isBefore(removal, entry))
  }
  const recipients = (without?: DeviceId): readonly Recipient[] => {
    const { devices, recovery } = log.evaluation()
    const staying = devices.filter(({ id, removal }) => removal === undefined && id !== without).slice(0, MAX_ACTIVE_DEVICES)
    // A phrase that is being used is about to be burned.
    return recovery === undefined || recovery.id === identity.id ? staying : [...staying, recovery]
  }
  /** Leaves at most so many epochs without a successor: whoever floods the log with them must not stop a removal. */
  const mergeEpochs = (most: number, time: number): void => {
    while (epochs.latest().length > most && log.isActive(identity.id)) rotate(time)
  }
  const nextEpoch = (without?: DeviceId): NewEpoch => epochs.next(epochs.latest().slice(0, MAX_EPOCH_PARENTS), recipients(without), random)
  const rotate = (time: number): SignedEntry => log.write({ kind: 'rotate', epoch: nextEpoch() }, time)

  /** Rotates until an epoch is valid: one entry joins at most 256 others, more of them take a few. */
  const makeValid = (time: number): NonNullable<typeof sealing> => {
    for (let tries = 0; tries < MAX_ROTATIONS; tries++) {
      rotate(time)
      if (sealing !== undefined) return sealing
    }
    throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'epochIsValid' })
  }
  const refresh = (): void => {
    const before = sealing?.epoch
    sealing = epochs.newest(isValid)
    const held = epochs.held.peek()
    if (held === heldBefore && sealing?.epoch === before) return
    heldBefore = held
    keyChanges.set(keyChanges.peek() + 1)
  }

  let sorted: { readonly removals: readonly EntryId[]; readonly byTarget: ReadonlyMap<DeviceId, readonly EntryId[]> } | undefined
  const removalsByTarget = (): ReadonlyMap<DeviceId, readonly EntryId[]> => {
    const { removals } = log.evaluation()
    if (sorted?.removals === removals) return sorted.byTarget
    const byTarget = new Map<DeviceId, EntryId[]>()
    for (const id of removals) {
      const content = log.graph.get(id)?.content
      if (content?.kind !== 'remove') continue
      const others = byTarget.get(content.target)
      if (others === undefined) byTarget.set(content.target, [id])
      else others.push(id)
    }
    sorted = { removals, byTarget }
    return byTarget
  }

  const trust: TrustEntries = {
    keyring: {
      ...epochs.keys,
      current() {
        // Who does not belong any more, or not yet, seals as before: nobody takes it for anything else.
        const now = sealing ?? (log.isActive(identity.id) ? log.together(() => makeValid(log.lastTime())) : epochs.newest(() => true))
        if (now === undefined) throw new SegueError('NOT_A_MEMBER')
        return { epoch: now.epoch, secret: now.secret }
      },
    },
    keyChanges,
    expect: epochs.expect,
    learn(entries) {
      const { refused } = log.evaluation()
      for (const entry of entries) if (!refused.has(entry.id)) epochs.learn(entry, log.graph.positionOf(entry.id))
      refresh()
    },
    holdsAny: epochs.holdsAny,
    wrapLatest(sealingKey, time) {
      mergeEpochs(MAX_WRAPS, time)
      return epochs.wrap(epochs.latest().slice(0, MAX_WRAPS), sealingKey, random)
    },
    remove: (target, { time }) =>
      log.together(() => {
        mergeEpochs(MAX_EPOCH_PARENTS, time)
        return log.write({ kind: 'remove', target, epoch: nextEpoch(target) }, time)
      }),
    removalOf: device => log.device(device)?.removal,
    removalsOf: device => removalsByTarget().get(device) ?? [],
    rotate: ({ time }) => log.together(() => rotate(time)),
    duties() {
      if (!log.isActive(identity.id)) return []
      const { devices } = log.evaluation()
      const active = devices.filter(device => device.active)
      const latest = epochs.latest()
      // Others seal under the last valid epoch: if it was withheld from this device, a later one has to take its place.
      const mustRotate = sealing === undefined || epochs.isWithheld(isValid, sealing.at)
      const wraps = recipients().flatMap(({ id }) => {
        const known = epochs.heldBy(id)
        return latest
          .filter(epoch => !known.has(epoch))
          .map((epoch): GroupDuty => {
            const first = active.find(holder => epochs.heldBy(holder.id).has(epoch))
            return { kind: 'wrap', epoch, device: id, isFirst: first === undefined || first.id === identity.id }
          })
      })
      return [...(mustRotate ? [{ kind: 'rotate' } as const] : []), ...wraps]
    },
    fulfil: ({ time }, { all = false } = {}) =>
      log.together(() => {
        const written: SignedEntry[] = []
        for (const duty of trust.duties()) {
          if (duty.kind === 'rotate') written.push(rotate(time))
          else if (all || duty.isFirst) written.push(...wrap(duty, time))
        }
        return written
      }),
    setRecovery: (keys, { time }) =>
      log.together(() => {
        if (!isAdmissibleKey(keys.signing) || !isAdmissibleSealingKey(keys.sealing)) {
          throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'keysAreAdmissible' })
        }
        const isReplaced = log.evaluation().recovery !== undefined
        const wraps = trust.wrapLatest(keys.sealing, time)
        const secretBox = wrapFor(keys.sealing, secret, random)
        const entry = log.write({ kind: 'recovery', key: deviceIdOf(keys.signing), sealingKey: keys.sealing, wraps, secretBox }, time)
        // What the phrase before it could open must not go on.
        if (isReplaced && log.isActive(identity.id)) rotate(time)
        return entry
      }),
    knows: (heads, entry) => [...heads].some(head => head === entry || log.graph.isBefore(entry, head)),
    epochsKnownTo: epochs.knownTo,
    isLate(epoch, author) {
      const removed = log.evaluation().devices.filter(({ id, removal }) => removal !== undefined && (author ?? id) === id)
      return removed.some(({ id }) => epochs.knownTo(id).has(epoch))
    },
  }
  const wrap = ({ epoch, device }: { readonly epoch: EpochId; readonly device: DeviceId }, time: number): readonly SignedEntry[] => {
    const { devices, recovery } = log.evaluation()
    const recipient = recovery?.id === device ? recovery : devices.find(({ id }) => id === device)
    if (recipient === undefined) return []
    return epochs.wrap([epoch], recipient.sealingKey, random).map(({ box }) => log.write({ kind: 'wrap', epoch, device, box }, time))
  }
  return trust
}

const MAX_ROTATIONS = 64

/** Whoever leaves by itself chose the secret of the epoch that its entry made. */
function isLeaving(entry: SignedEntry | undefined): boolean {
  return entry?.content.kind === 'remove' && entry.content.target === entry.author
}
