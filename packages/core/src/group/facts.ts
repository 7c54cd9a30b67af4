/**
 * What a set of entries says, in a form that joins: for each device the earliest add, and of its role and its name the
 * last by (causal depth, id); for each mailbox the earliest word on its relay and key, the last on its addresses. Joining is commutative, associative and idempotent, so the facts of a causal past follow from those of its
 * parents, and the answer cannot depend on the order in which entries arrived.
 */
import type { DeviceId, MailboxId } from '../lib/ids.ts'
import type { Role } from './entry.ts'
import { comparePositions, type Position } from './graph.ts'
import { MAX_ACTIVE_DEVICES } from '../wire/limits.ts'

export interface GroupFacts {
  readonly devices: ReadonlyMap<DeviceId, DeviceFacts>
  readonly relays: ReadonlyMap<MailboxId, RelayFacts>
  /** An entry of an unknown kind or later version is among them. */
  readonly hasUnknown: boolean
}

export interface DeviceFacts {
  readonly id: DeviceId
  readonly added: Added
  readonly role: Said<Role>
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

export const NO_FACTS: GroupFacts = { devices: new Map(), relays: new Map(), hasUnknown: false }

export function joinFacts(a: GroupFacts, b: GroupFacts): GroupFacts {
  if (a === b || b === NO_FACTS) return a
  if (a === NO_FACTS) return b
  return {
    devices: joinMaps(a.devices, b.devices, joinDevices),
    relays: joinMaps(a.relays, b.relays, joinRelays),
    hasUnknown: a.hasUnknown || b.hasUnknown,
  }
}

/** The facts with one device's replaced by their join with `device`. */
export function withDevice(facts: GroupFacts, device: DeviceFacts): GroupFacts {
  return joinFacts(facts, { ...NO_FACTS, devices: new Map([[device.id, device]]) })
}

export function withRelay(facts: GroupFacts, relay: RelayFacts): GroupFacts {
  return joinFacts(facts, { ...NO_FACTS, relays: new Map([[relay.mailbox, relay]]) })
}

/** The devices that may act: the first MAX_ACTIVE_DEVICES by the position of their add. The others wait. */
export function activeDevices(facts: GroupFacts): ReadonlyMap<DeviceId, DeviceFacts> {
  if (facts.devices.size <= MAX_ACTIVE_DEVICES) return facts.devices
  const inOrder = [...facts.devices.values()].sort((a, b) => comparePositions(a.added.at, b.added.at))
  return new Map(inOrder.slice(0, MAX_ACTIVE_DEVICES).map(device => [device.id, device]))
}

function joinMaps<Key, Value>(
  a: ReadonlyMap<Key, Value>,
  b: ReadonlyMap<Key, Value>,
  join: (a: Value, b: Value) => Value,
): ReadonlyMap<Key, Value> {
  if (a === b || b.size === 0) return a
  if (a.size === 0) return b
  const joined = new Map(a)
  for (const [key, value] of b) {
    const known = joined.get(key)
    if (known !== value) joined.set(key, known === undefined ? value : join(known, value))
  }
  return joined
}

function joinDevices(a: DeviceFacts, b: DeviceFacts): DeviceFacts {
  return {
    id: a.id,
    added: comparePositions(a.added.at, b.added.at) <= 0 ? a.added : b.added,
    role: later(a.role, b.role),
    name: later(a.name, b.name),
  }
}

function joinRelays(a: RelayFacts, b: RelayFacts): RelayFacts {
  return {
    mailbox: a.mailbox,
    made: comparePositions(a.made.at, b.made.at) <= 0 ? a.made : b.made,
    addresses: later(a.addresses, b.addresses),
    retired: a.retired || b.retired,
    keyHolders: new Set([...a.keyHolders, ...b.keyHolders]),
  }
}

function later<Value>(a: Said<Value>, b: Said<Value>): Said<Value> {
  return comparePositions(a.at, b.at) >= 0 ? a : b
}
