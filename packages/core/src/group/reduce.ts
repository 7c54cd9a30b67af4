/** What an entry that counts adds to the facts of its past. Public inputs only: no keys, no "me", the same answer everywhere. */
import { unreachable } from '../lib/assert.ts'
import { epochOf, type DeviceId, type MailboxId } from '../lib/ids.ts'
import type { EntryContent, Role, SignedEntry } from './entry.ts'
import {
  activeDevices,
  adminsOf,
  earlierPosition,
  isAdminIn,
  joinDevices,
  joinMaps,
  joinPositions,
  joinRecovery,
  joinRelays,
  type DeviceFacts,
  type GroupFacts,
  type Rank,
} from './facts.ts'
import { comparePositions, type Position } from './graph.ts'
import type { Removal } from './trust.ts'

export interface GroupDevice {
  readonly id: DeviceId
  readonly name: string
  readonly role: Role
  /** The first device added itself. */
  readonly addedBy: DeviceId
  /** Milliseconds since 1970 on the adder's clock. Information only. */
  readonly addedAt: number
  /** False while it waits for a place among the MAX_ACTIVE_DEVICES, and for good once it was removed. */
  readonly active: boolean
  readonly sealingKey: Uint8Array
  /** Why it is out. */
  readonly removal: Removal | undefined
}

/** A mailbox of the group on a relay. */
export interface GroupRelay {
  /** The relay's peer id. */
  readonly id: DeviceId
  readonly addresses: readonly string[]
  readonly mailbox: MailboxId
  readonly adminKey: Uint8Array
  readonly retired: boolean
  /** For whom the admin key was wrapped. */
  readonly keyHolders: readonly DeviceId[]
  /** In use, and somebody who is neither an active admin any more nor the phrase in force holds its admin key: the group needs a new mailbox in its place. */
  readonly needsMove: boolean
}

/** The rank that an entry has as a removal, as its past has its author; undefined for what removes nobody. */
export function rankOf({ author, content }: SignedEntry, past: GroupFacts, at: Position): Rank | undefined {
  const named = past.recoveryKeys.get(author)?.[0]
  if (content.kind !== 'remove' && (content.kind !== 'recovery' || named === undefined)) return undefined
  const since = named ?? past.devices.get(author)?.added.at ?? at
  return { isRecovery: named !== undefined, seniority: seniorityOf(past, author) ?? since, since, at }
}

/** `rank`: as its own past gave it. */
export function applyEntry(past: GroupFacts, entry: SignedEntry, at: Position, rank: Rank | undefined): GroupFacts {
  const { content } = entry
  switch (content.kind) {
    case 'genesis':
      return withDevice(past, added(entry, at, entry.author, content.sealingKey, 'admin', content.name))
    case 'add':
      return withDevice(past, added(entry, at, content.device, content.sealingKey, content.role, content.name))
    case 'role':
      return changed(past, content.target, device => ({
        role: { at, value: content.role },
        madeAdmin: content.role === 'admin' ? [...device.madeAdmin, at] : device.madeAdmin,
        madeMember: content.role === 'member' ? at : device.madeMember,
      }))
    case 'rename':
      return changed(past, content.target, () => ({ name: { at, value: content.name } }))
    case 'relay':
      return withRelay(past, content, at)
    case 'remove':
      return withRemoval(past, entry, content.target, rank)
    case 'recovery':
      return withRecovery(past, entry, content, at)
    case 'rotate':
    case 'wrap':
      return past
    case 'unknown':
      return isAdminIn(past, entry.author) ? { ...past, isFrozen: true } : past
    default:
      return unreachable(content)
  }
}

/** The devices in the order in which they were added: seniority. */
export function devicesOf(facts: GroupFacts): readonly GroupDevice[] {
  const active = new Set(activeDevices(facts).map(({ id }) => id))
  const admins = new Set(adminsOf(facts).map(({ id }) => id))
  return [...facts.devices.values()]
    .sort((a, b) => comparePositions(a.added.at, b.added.at))
    .map(device => ({
      id: device.id,
      name: device.name.value,
      role: admins.has(device.id) ? 'admin' : device.role.value,
      addedBy: device.added.by,
      addedAt: device.added.time,
      active: active.has(device.id),
      sealingKey: device.added.sealingKey,
      removal: facts.removed.get(device.id)?.removal,
    }))
}

/** The mailboxes in the order in which they were made. */
export function relaysOf(facts: GroupFacts): readonly GroupRelay[] {
  const trusted = new Set([...adminsOf(facts).map(({ id }) => id), facts.recovery?.recovery.id])
  return [...facts.relays.values()]
    .sort((a, b) => comparePositions(a.made.at, b.made.at))
    .map(({ mailbox, made, addresses, retired, keyHolders }) => ({
      id: made.relay,
      addresses: addresses.value,
      mailbox,
      adminKey: made.adminKey,
      retired,
      keyHolders: [...keyHolders].sort(),
      needsMove: !retired && [...keyHolders].some(holder => !trusted.has(holder)),
    }))
}

function added(entry: SignedEntry, at: Position, id: DeviceId, sealingKey: Uint8Array, role: Role, name: string): DeviceFacts {
  return {
    id,
    added: { at, by: entry.author, time: entry.time, sealingKey },
    adds: [at],
    role: { at, value: role },
    madeAdmin: role === 'admin' ? [at] : [],
    madeMember: role === 'member' ? at : undefined,
    name: { at, value: name },
  }
}

function withDevice(past: GroupFacts, device: DeviceFacts): GroupFacts {
  return { ...past, devices: joinMaps(past.devices, new Map([[device.id, device]]), joinDevices) }
}

function changed(past: GroupFacts, target: DeviceId, change: (device: DeviceFacts) => Partial<DeviceFacts>): GroupFacts {
  const device = past.devices.get(target)
  return device === undefined ? past : withDevice(past, { ...device, ...change(device) })
}

function withRelay(past: GroupFacts, content: Extract<EntryContent, { kind: 'relay' }>, at: Position): GroupFacts {
  const relay = {
    mailbox: content.mailbox,
    made: { at, relay: content.relay, adminKey: content.adminKey },
    addresses: { at, value: content.addresses },
    retired: content.retired,
    keyHolders: new Set(content.wraps.map(wrap => wrap.device)),
  }
  return { ...past, relays: joinMaps(past.relays, new Map([[relay.mailbox, relay]]), joinRelays) }
}

function withRemoval(past: GroupFacts, entry: SignedEntry, target: DeviceId, rank: Rank | undefined): GroupFacts {
  // The first removal of a device in a line of entries stands; of concurrent ones that of the highest rank.
  if (rank === undefined || past.removed.has(target)) return past
  const removal = { entry: entry.id, target, by: entry.author, at: entry.time, epoch: epochOf(entry.id) }
  return { ...past, removed: new Map(past.removed).set(target, { rank, removal }) }
}

function withRecovery(
  past: GroupFacts,
  entry: SignedEntry,
  content: Extract<EntryContent, { kind: 'recovery' }>,
  at: Position,
): GroupFacts {
  const { key, sealingKey, secretBox } = content
  const said = {
    generation: (past.recovery?.generation ?? 0) + 1,
    isByPhrase: past.recoveryKeys.has(entry.author),
    at,
    recovery: { id: key, sealingKey, secretBox, entry: entry.id, by: entry.author, at: entry.time },
  }
  return {
    ...past,
    recovery: joinRecovery(past.recovery, said),
    recoveryKeys: joinMaps(past.recoveryKeys, new Map([[key, [at]]]), joinPositions),
    recoverySeniority: joinMaps(past.recoverySeniority, new Map([[key, seniorityOf(past, entry.author) ?? at]]), earlierPosition),
  }
}

function seniorityOf(past: GroupFacts, author: DeviceId): Position | undefined {
  return past.recoverySeniority.get(author) ?? past.devices.get(author)?.added.at
}
