/**
 * Keys that a device holds although it is out, because somebody gave them to it who, by all that was known to them, had it in the group.
 *
 * Of three admins who remove one another in a circle each may be in or out by turns, as the removals come to hear of each other (G40). Where
 * the junior's removal of the senior is void as far as somebody knows, the senior belongs, lacks the epoch which that removal made, and is
 * given it (G48, G50). Once the senior's own removal arrives, the junior's prevails; nobody can take the key back.
 */
import { openGroup, type DeviceId, type DeviceIdentity, type EntryId, type EpochId, type Group, type SignedEntry } from '@segue/core'
import { nativeVerifier } from '@segue/engine/testing'

/** `entries`: everybody's. The group is one that `target` belongs to by its own words. */
export function wasGivenInGoodFaith(
  { id, secret }: Pick<Group, 'id' | 'secret'>,
  entries: readonly SignedEntry[],
  target: DeviceIdentity,
  epoch: EpochId,
): boolean {
  const byId = new Map(entries.map(entry => [entry.id, entry]))
  return entries.some(giving => {
    if (giving.author === target.id || !givesKeyTo(giving, target.id)) return false
    const past = pastOf(giving.id, byId)
    // It is named after the entry that made it.
    if (![...past].some(known => known.startsWith(epoch))) return false
    const knew = openGroup({
      identity: target,
      random: { bytes: length => new Uint8Array(length) },
      verifier: nativeVerifier,
      ...{ id, secret, entries: [...past].flatMap(known => byId.get(known)?.bytes ?? []) },
    })
    return knew.isActive(target.id)
  })
}

/** A key of an epoch, and with it those of the epochs before. */
function givesKeyTo({ content }: SignedEntry, device: DeviceId): boolean {
  if (content.kind === 'wrap') return content.device === device
  return (content.kind === 'remove' || content.kind === 'rotate') && content.epoch.wraps.some(wrap => wrap.device === device)
}

/** This one and all that it descends from. */
function pastOf(entry: EntryId, byId: ReadonlyMap<EntryId, SignedEntry>): ReadonlySet<EntryId> {
  const past = new Set<EntryId>()
  const left = [entry]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (past.has(next)) continue
    past.add(next)
    left.push(...(byId.get(next)?.parents ?? []))
  }
  return past
}
