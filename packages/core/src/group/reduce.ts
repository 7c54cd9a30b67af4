/** What an entry that counts adds to the facts of its past. Public inputs only: no keys, no "me", the same answer everywhere. */
import { unreachable } from '../lib/assert.ts'
import type { DeviceId, MailboxId } from '../lib/ids.ts'
import type { Role, SignedEntry } from './entry.ts'
import { activeDevices, withDevice, withRelay, type DeviceFacts, type GroupFacts } from './facts.ts'
import { comparePositions, type Position } from './graph.ts'

export interface GroupDevice {
  readonly id: DeviceId
  readonly name: string
  readonly role: Role
  /** The first device added itself. */
  readonly addedBy: DeviceId
  /** Milliseconds since 1970 on the adder's clock. Information only. */
  readonly addedAt: number
  /** False while it waits for a place among the MAX_ACTIVE_DEVICES. */
  readonly active: boolean
  readonly sealingKey: Uint8Array
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
}

export function applyEntry(past: GroupFacts, entry: SignedEntry, at: Position): GroupFacts {
  const { content } = entry
  switch (content.kind) {
    case 'genesis':
      return withDevice(past, added(entry, at, entry.author, content.sealingKey, 'admin', content.name))
    case 'add':
      return withDevice(past, added(entry, at, content.device, content.sealingKey, content.role, content.name))
    case 'role':
      return changed(past, content.target, { role: { at, value: content.role } })
    case 'rename':
      return changed(past, content.target, { name: { at, value: content.name } })
    case 'relay':
      return withRelay(past, {
        mailbox: content.mailbox,
        made: { at, relay: content.relay, adminKey: content.adminKey },
        addresses: { at, value: content.addresses },
        retired: content.retired,
        keyHolders: new Set(content.wraps.map(wrap => wrap.device)),
      })
    case 'unknown':
      return { ...past, hasUnknown: true }
    default:
      return unreachable(content)
  }
}

/** The devices in the order in which they were added: seniority. */
export function devicesOf(facts: GroupFacts): readonly GroupDevice[] {
  const active = activeDevices(facts)
  return [...facts.devices.values()]
    .sort((a, b) => comparePositions(a.added.at, b.added.at))
    .map(device => ({
      id: device.id,
      name: device.name.value,
      role: device.role.value,
      addedBy: device.added.by,
      addedAt: device.added.time,
      active: active.has(device.id),
      sealingKey: device.added.sealingKey,
    }))
}

/** The mailboxes in the order in which they were made. */
export function relaysOf(facts: GroupFacts): readonly GroupRelay[] {
  return [...facts.relays.values()]
    .sort((a, b) => comparePositions(a.made.at, b.made.at))
    .map(({ mailbox, made, addresses, retired, keyHolders }) => ({
      id: made.relay,
      addresses: addresses.value,
      mailbox,
      adminKey: made.adminKey,
      retired,
      keyHolders: [...keyHolders].sort(),
    }))
}

function added(entry: SignedEntry, at: Position, id: DeviceId, sealingKey: Uint8Array, role: Role, name: string): DeviceFacts {
  return { id, added: { at, by: entry.author, time: entry.time, sealingKey }, role: { at, value: role }, name: { at, value: name } }
}

function changed(past: GroupFacts, target: DeviceId, change: Partial<DeviceFacts>): GroupFacts {
  const device = past.devices.get(target)
  return device === undefined ? past : withDevice(past, { ...device, ...change })
}
