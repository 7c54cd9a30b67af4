/** What this device can say about the network it is on: for `segue doctor`, or an app's own page of that kind. */
import type { DeviceId } from '@segue/core'
import type { Echo, NetNode } from '@segue/net'
import type { Runtime } from './runtime.ts'

export interface Surroundings {
  /** Whether this device's own announcement came back, interface by interface. Undefined when mDNS is off. */
  readonly multicast: readonly Echo[] | undefined
  /** Segue devices heard nearby that are not in this group. */
  readonly strangers: readonly DeviceId[]
  /** This clock minus that of each device linked in this run, in milliseconds. Information; nothing is decided by clocks of others. */
  readonly clockOffsets: ReadonlyMap<DeviceId, number>
}

/** Takes two seconds when announcements do not come back. Rejects with the signal's reason. */
export async function lookAround(node: NetNode, runtime: Runtime, signal?: AbortSignal): Promise<Surroundings> {
  const multicast = await node.discovery.checkEcho(signal === undefined ? {} : { signal })
  const { devices } = runtime.group.state.peek()
  const members = new Set(devices.filter(device => device.active).map(device => device.id))
  return {
    multicast,
    strangers: node.discovery.heard.peek().filter(device => !members.has(device)),
    clockOffsets: new Map(
      [...members].flatMap(device => {
        const offset = node.discovery.clockOffsetOf(device)
        return offset === undefined ? [] : [[device, offset] as const]
      }),
    ),
  }
}
