/** Who is in the group and how each of them is reached now: one observable over group, links and replication. */
import { createSubject, type DeviceId, type Observable } from '@segue/core'
import type { NetNode } from '@segue/net'
import type { Members } from './members.ts'
import type { RelayStatus } from './relays.ts'
import type { Runtime } from './runtime.ts'
import type { DeviceStatus } from './segue.ts'

export interface DeviceList {
  readonly devices: Observable<readonly DeviceStatus[]>
  /** Follow this runtime from now on. */
  follow(runtime: Runtime): void
  close(): void
}

export function createDeviceList(self: DeviceId, node: NetNode, members: Members, relays: Observable<readonly RelayStatus[]>): DeviceList {
  const subject = createSubject<readonly DeviceStatus[]>([])
  let current: Runtime | undefined
  let stops: (() => void)[] = []

  const update = (): void => {
    if (current === undefined) return
    const links = node.links.peek()
    const waitsOnRelay = relays.peek().some(relay => relay.state === 'linked' && relay.members === 'current')
    const peers = current.replica.peers.peek()
    const statuses = current.group.state
      .peek()
      .devices.filter(device => device.active)
      .map(({ id, name, role }): DeviceStatus => {
        const link = links.get(id)
        const peer = peers.get(id)
        const isThisDevice = id === self
        const said = current?.heartbeats.heard.peek().get(id)
        return {
          id,
          name,
          role,
          isThisDevice,
          state: isThisDevice ? 'here' : link === undefined ? 'away' : 'linked',
          path: link?.path ?? (waitsOnRelay && !isThisDevice ? 'mailbox' : undefined),
          sync: link === undefined || peer === undefined ? 'unknown' : peer.state === 'in-sync' ? 'in-sync' : 'catching-up',
          unconfirmed: peer?.unconfirmed ?? 0,
          lastSeenAt: members.seenAt(id),
          leavesOut: isThisDevice ? (current?.replica.leftOut.size ?? 0) : (peer?.leavesOut ?? 0),
          lastSaid: said && { at: said.time, hasSame: said.hasSame },
        }
      })
    subject.set(statuses.sort((a, b) => Number(b.isThisDevice) - Number(a.isThisDevice) || a.name.localeCompare(b.name)))
  }
  const always = [node.links.subscribe(update), relays.subscribe(update)]
  const unfollow = (): void => {
    for (const stop of stops) stop()
    stops = []
  }
  return {
    devices: subject,
    follow(runtime) {
      unfollow()
      current = runtime
      stops = [runtime.group.state.subscribe(update), runtime.replica.peers.subscribe(update), runtime.heartbeats.heard.subscribe(update)]
      update()
    },
    close() {
      unfollow()
      for (const stop of always) stop()
    },
  }
}
