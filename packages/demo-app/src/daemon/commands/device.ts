/** How this device is, and whom it sees. */
import * as v from 'valibot'
import type { DoctorAnswer } from '../../doctor/facts.ts'
import { defineCommand, type DaemonCommand } from '../command.ts'
import { holdsEverything } from './relays.ts'
import { removedDevices } from './removals.ts'

export const DEVICE_COMMANDS: readonly DaemonCommand[] = [
  defineCommand('status', v.strictObject({}), async context => {
    const { daemon } = context
    const now = daemon.device.state.peek()
    const always = { keys: await daemon.device.slots(), autoLockMinutes: daemon.autoLockMinutes() ?? 0 }
    if (now.kind !== 'open') return { state: 'locked', ...(now.kind === 'locked' ? { lockedAt: now.at } : {}), ...always }
    const { segue } = now
    const others = segue.devices.peek().filter(device => !device.isThisDevice)
    return {
      state: 'open',
      ...always,
      device: { id: segue.device.id, name: segue.device.name },
      status: segue.status.peek(),
      // In sync means: everything durable here is on that device's disk.
      safeToClose:
        segue.status.peek().storage.state === 'good' &&
        others.some(device => device.sync === 'in-sync' && device.unconfirmed === 0 && device.leavesOut === 0),
      /** A relay has everything; it can read none of it, so that is no other device. */
      onRelay: segue.relays.list.peek().some(holdsEverything),
    }
  }),

  defineCommand('devices', v.strictObject({}), async ({ segue }) => ({ devices: segue.devices.peek(), removed: removedDevices(segue) })),

  defineCommand(
    'rename',
    v.strictObject({
      name: v.pipe(v.string(), v.trim(), v.minLength(1, 'may not be empty'), v.maxLength(64, 'has 64 characters at most')),
    }),
    async ({ segue }, { name }) => {
      await segue.rename(name)
      return {}
    },
  ),

  defineCommand(
    'events',
    v.strictObject({ limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 100) }),
    async ({ segue }, { limit }) => ({
      events: segue.events.peek().slice(-limit),
    }),
  ),

  /** Resolves when another device is linked and both hold the same. */
  defineCommand('device.in-sync', v.strictObject({ device: v.string() }), async ({ segue, signal }, { device: wanted }) => {
    await segue.devices.when(
      devices =>
        devices.some(device => (device.id === wanted || device.name === wanted) && device.sync === 'in-sync' && device.unconfirmed === 0),
      { signal },
    )
    return {}
  }),

  /** What only the daemon can know of what keeps devices apart; `segue doctor` adds what any process can see. */
  defineCommand('doctor', v.strictObject({}), async ({ segue, signal }): Promise<DoctorAnswer> => {
    const { multicast, strangers, clockOffsets } = await segue.lookAround({ signal })
    const { storage, addresses, relays } = segue.status.peek()
    const offsets = [...clockOffsets.values()].sort((a, b) => Math.abs(b) - Math.abs(a))
    return {
      mdns: multicast !== undefined,
      silentInterfaces: multicast?.filter(({ isHeard }) => !isHeard).map(({ address }) => address) ?? [],
      isStorageFailing: storage.state === 'failing',
      isRemoved: segue.removal.peek() !== undefined,
      clockOffsetMs: offsets[0],
      relayedDevices: segue.devices.peek().flatMap(({ name, path }) => (path === 'relayed' ? [name] : [])),
      relays: { revoked: relays.revoked, full: relays.full },
      strangersNearby: strangers.length,
      addresses,
    }
  }),

  defineCommand('resume', v.strictObject({}), async ({ segue }) => {
    segue.resume()
    return {}
  }),

  defineCommand('stop', v.strictObject({}), async ({ daemon, stop }) => {
    const now = daemon.device.state.peek()
    if (now.kind === 'open') await now.segue.flush()
    stop()
    return {}
  }),
]
