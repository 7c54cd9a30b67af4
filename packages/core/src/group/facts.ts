/**
 * What a set of entries says, in a form that joins: for each device the earliest add, and of its role and its name the
 * last by (causal depth, id). Joining is commutative, associative and idempotent, so the facts of a causal past follow from those of its
 * parents, and the answer cannot depend on the order in which entries arrived.
 */
import type { DeviceId } from '../lib/ids.ts'
import type { Role } from './entry.ts'
import { comparePositions, type Position } from './graph.ts'
import { MAX_ACTIVE_DEVICES } from '../wire/limits.ts'

export interface GroupFacts {
  readonly devices: ReadonlyMap<DeviceId, DeviceFacts>
  /** An entry of an unknown kind or later version is among them. */
  readonly hasUnknown: boolean
}

export interface DeviceFacts {
  readonly id: DeviceId
  readonly added: Added
  readonly role: Said<Role>
  readonly name: Said<string>
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

export const NO_FACTS: GroupFacts = { devices: new Map(), hasUnknown: false }

export function joinFacts(a: GroupFacts, b: GroupFacts): GroupFacts {
  if (a === b || b === NO_FACTS) return a
  if (a === NO_FACTS) return b
  const devices = new Map(a.devices)
  for (const [id, device] of b.devices) {
    const known = devices.get(id)
    if (known !== device) devices.set(id, known === undefined ? device : joinDevices(known, device))
  }
  return { devices, hasUnknown: a.hasUnknown || b.hasUnknown }
}

/** The facts with one device's replaced by their join with `device`. */
export function withDevice(facts: GroupFacts, device: DeviceFacts): GroupFacts {
  return joinFacts(facts, { devices: new Map([[device.id, device]]), hasUnknown: false })
}

/** The devices that may act: the first MAX_ACTIVE_DEVICES by the position of their add. The others wait. */
export function activeDevices(facts: GroupFacts): ReadonlyMap<DeviceId, DeviceFacts> {
  if (facts.devices.size <= MAX_ACTIVE_DEVICES) return facts.devices
  const inOrder = [...facts.devices.values()].sort((a, b) => comparePositions(a.added.at, b.added.at))
  return new Map(inOrder.slice(0, MAX_ACTIVE_DEVICES).map(device => [device.id, device]))
}

function joinDevices(a: DeviceFacts, b: DeviceFacts): DeviceFacts {
  return {
    id: a.id,
    added: comparePositions(a.added.at, b.added.at) <= 0 ? a.added : b.added,
    role: later(a.role, b.role),
    name: later(a.name, b.name),
  }
}

function later<Value>(a: Said<Value>, b: Said<Value>): Said<Value> {
  return comparePositions(a.at, b.at) >= 0 ? a : b
}
