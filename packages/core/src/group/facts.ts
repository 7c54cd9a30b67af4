/**
 * What a set of entries says, in a form that joins: for each device its adds, what was last said of its role and its name by (causal
 * depth, id), and whether it was removed; for each mailbox the earliest word on its relay and key, the last on its addresses; the last
 * recovery phrase. Joining is commutative, associative and idempotent, so the facts of a causal past follow from those of its
 * parents, and the answer cannot depend on the order in which entries arrived.
 */
import type { DeviceId, EntryId, MailboxId } from '../lib/ids.ts'
import { MAX_ACTIVE_DEVICES } from '../wire/limits.ts'
import type { Role } from './entry.ts'
import { comparePositions, type Position } from './graph.ts'
import type { GroupRecovery, Removal } from './trust.ts'

export interface GroupFacts {
  /** Everybody ever added, the removed ones too. */
  readonly devices: ReadonlyMap<DeviceId, DeviceFacts>
  readonly removed: ReadonlyMap<DeviceId, RemovalFacts>
  readonly relays: ReadonlyMap<MailboxId, RelayFacts>
  /** The phrase in force. */
  readonly recovery: RecoveryFacts | undefined
  /** Every recovery key ever named, and the entries that named it. */
  readonly recoveryKeys: ReadonlyMap<DeviceId, readonly Position[]>
  /** Of recovery keys: the seniority of the device that named it, or that named the first of the phrases of which it is the last. */
  readonly recoverySeniority: ReadonlyMap<DeviceId, Position>
  /** An admin's entry of an unknown kind or later version is among them. */
  readonly isFrozen: boolean
}

export interface DeviceFacts {
  readonly id: DeviceId
  readonly added: Added
  /** All adds of the device, ascending: it belongs as long as one of them counts. */
  readonly adds: readonly Position[]
  readonly role: Said<Role>
  /** What made it an admin: the first word that did, and all after the last word to the contrary. Ascending. */
  readonly madeAdmin: readonly Position[]
  readonly madeMember: Position | undefined
  readonly name: Said<string>
}

export interface RelayFacts {
  readonly mailbox: MailboxId
  /** Of several concurrent ones the first by position stands: an admin key never changes. */
  readonly made: { readonly at: Position; readonly relay: DeviceId; readonly adminKey: Uint8Array }
  readonly addresses: Said<readonly string[]>
  /** For good: whoever has not heard of it cannot bring a mailbox back. */
  readonly retired: boolean
  /** For whom the admin key was wrapped. */
  readonly keyHolders: ReadonlySet<DeviceId>
}

/** Of several concurrent adds of one device the first by position stands: its keys, its author. */
export interface Added {
  readonly at: Position
  readonly by: DeviceId
  readonly time: number
  readonly sealingKey: Uint8Array
}

export interface Said<Value> {
  readonly at: Position
  readonly value: Value
}

export interface RemovalFacts {
  readonly rank: Rank
  readonly removal: Removal
}

/** Who prevails among removals: recovery keys first, then by seniority, then by where they stand. */
export interface Rank {
  readonly isRecovery: boolean
  /** Of the author; of a recovery key: of who named it. */
  readonly seniority: Position
  /** Where the author was added, or the recovery key named. */
  readonly since: Position
  readonly at: Position
}

export interface RecoveryFacts {
  /** One more than of the phrase it took the place of. */
  readonly generation: number
  /** Written by the phrase before it, not by an admin. */
  readonly isByPhrase: boolean
  readonly at: Position
  readonly recovery: GroupRecovery
}

export const NO_FACTS: GroupFacts = {
  devices: new Map(),
  removed: new Map(),
  relays: new Map(),
  recovery: undefined,
  recoveryKeys: new Map(),
  recoverySeniority: new Map(),
  isFrozen: false,
}

export function joinFacts(a: GroupFacts, b: GroupFacts): GroupFacts {
  if (a === b || b === NO_FACTS) return a
  if (a === NO_FACTS) return b
  return {
    devices: joinMaps(a.devices, b.devices, joinDevices),
    removed: joinMaps(a.removed, b.removed, (x, y) => (compareRanks(x.rank, y.rank) <= 0 ? x : y)),
    relays: joinMaps(a.relays, b.relays, joinRelays),
    recovery: joinRecovery(a.recovery, b.recovery),
    recoveryKeys: joinMaps(a.recoveryKeys, b.recoveryKeys, joinPositions),
    recoverySeniority: joinMaps(a.recoverySeniority, b.recoverySeniority, earlierPosition),
    isFrozen: a.isFrozen || b.isFrozen,
  }
}

export function compareRanks(a: Rank, b: Rank): number {
  if (a.isRecovery !== b.isRecovery) return a.isRecovery ? -1 : 1
  return comparePositions(a.seniority, b.seniority) || comparePositions(a.since, b.since) || comparePositions(a.at, b.at)
}

/** Everybody who was not removed, in order of seniority. */
export function membersOf(facts: GroupFacts): readonly DeviceFacts[] {
  const known = members.get(facts)
  if (known !== undefined) return known
  const present = [...facts.devices.values()].filter(({ id }) => !facts.removed.has(id))
  present.sort((a, b) => comparePositions(a.added.at, b.added.at))
  members.set(facts, present)
  return present
}

/** The devices that may act: the first MAX_ACTIVE_DEVICES members by the position of their add. The others wait. */
export function activeDevices(facts: GroupFacts): readonly DeviceFacts[] {
  return membersOf(facts).slice(0, MAX_ACTIVE_DEVICES)
}

export function isActiveIn(facts: GroupFacts, device: DeviceId): boolean {
  return activeDevices(facts).some(({ id }) => id === device)
}

/**
 * The active admins. Concurrent demotions can leave none: then of the active devices that ever were one the most senior still is.
 */
export function adminsOf(facts: GroupFacts): readonly DeviceFacts[] {
  const active = activeDevices(facts)
  const admins = active.filter(({ role }) => role.value === 'admin')
  return admins.length > 0 ? admins : active.filter(({ madeAdmin }) => madeAdmin.length > 0).slice(0, 1)
}

export function isAdminIn(facts: GroupFacts, device: DeviceId): boolean {
  return adminsOf(facts).some(({ id }) => id === device)
}

/** The words on which a device's being an admin rests: it is one as long as one of them counts. */
export function adminWordsOf({ madeAdmin, madeMember }: DeviceFacts): readonly EntryId[] {
  const since = madeAdmin.filter(at => madeMember === undefined || comparePositions(at, madeMember) > 0)
  return (since.length > 0 ? since : madeAdmin).map(({ id }) => id)
}

const members = new WeakMap<GroupFacts, readonly DeviceFacts[]>()

export function joinMaps<Key, Value>(
  a: ReadonlyMap<Key, Value>,
  b: ReadonlyMap<Key, Value>,
  join: (a: Value, b: Value) => Value,
): ReadonlyMap<Key, Value> {
  if (a === b || b.size === 0) return a
  if (a.size === 0) return b
  let joined: Map<Key, Value> | undefined
  for (const [key, value] of b) {
    const known = a.get(key)
    if (known === value) continue
    joined ??= new Map(a)
    joined.set(key, known === undefined ? value : join(known, value))
  }
  return joined ?? a
}

export function joinDevices(a: DeviceFacts, b: DeviceFacts): DeviceFacts {
  const madeMember = laterPosition(a.madeMember, b.madeMember)
  const madeAdmin = joinPositions(a.madeAdmin, b.madeAdmin)
  return {
    id: a.id,
    added: comparePositions(a.added.at, b.added.at) <= 0 ? a.added : b.added,
    adds: joinPositions(a.adds, b.adds),
    role: later(a.role, b.role),
    madeAdmin: madeAdmin.filter((at, i) => i === 0 || madeMember === undefined || comparePositions(at, madeMember) > 0),
    madeMember,
    name: later(a.name, b.name),
  }
}

export function joinRelays(a: RelayFacts, b: RelayFacts): RelayFacts {
  return {
    mailbox: a.mailbox,
    made: comparePositions(a.made.at, b.made.at) <= 0 ? a.made : b.made,
    addresses: later(a.addresses, b.addresses),
    retired: a.retired || b.retired,
    keyHolders: new Set([...a.keyHolders, ...b.keyHolders]),
  }
}

export function joinRecovery(a: RecoveryFacts | undefined, b: RecoveryFacts | undefined): RecoveryFacts | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const order = a.generation - b.generation || Number(a.isByPhrase) - Number(b.isByPhrase) || comparePositions(a.at, b.at)
  return order >= 0 ? a : b
}

/** Ascending, each once. */
export function joinPositions(a: readonly Position[], b: readonly Position[]): readonly Position[] {
  const more = b.filter(({ id }) => !a.some(known => known.id === id))
  return more.length === 0 ? a : [...a, ...more].sort(comparePositions)
}

export function earlierPosition(a: Position, b: Position): Position {
  return comparePositions(a, b) <= 0 ? a : b
}

function laterPosition(a: Position | undefined, b: Position | undefined): Position | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return comparePositions(a, b) >= 0 ? a : b
}

function later<Value>(a: Said<Value>, b: Said<Value>): Said<Value> {
  return comparePositions(a.at, b.at) >= 0 ? a : b
}
