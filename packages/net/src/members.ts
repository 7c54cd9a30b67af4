/** One reconnect loop per member. */
import type { CloseCode, DeviceId, Observable } from '@segue/core'
import type { Clock, DeviceLink, Random } from '@segue/core/ports'
import { createReconnect, type Reconnect } from './link/reconnect.ts'

export interface Members {
  /** Starts loops for the new ones, stops those of the others. */
  set(devices: readonly DeviceId[]): void
  has(device: DeviceId): boolean
  wake(device?: DeviceId): void
  ended(device: DeviceId, wasOpenForMs: number): void
  stop(): void
}

export interface MembersOptions {
  readonly clock: Clock
  readonly random: Random
  readonly links: Observable<ReadonlyMap<DeviceId, DeviceLink>>
  /** See ReconnectOptions. */
  dial(device: DeviceId, signal: AbortSignal): Promise<'up' | 'nowhere' | CloseCode>
}

export function createMembers(options: MembersOptions): Members {
  const loops = new Map<DeviceId, Reconnect>()
  return {
    set(devices) {
      const wanted = new Set(devices)
      for (const [device, loop] of loops) {
        if (wanted.has(device)) continue
        loop.stop()
        loops.delete(device)
      }
      for (const device of wanted) {
        if (loops.has(device)) continue
        const { clock, random } = options
        const isLinked = isLinkedTo(options.links, device)
        loops.set(device, createReconnect({ clock, random, isLinked, dial: signal => options.dial(device, signal) }))
      }
    },
    has: device => loops.has(device),
    wake(device) {
      if (device !== undefined) loops.get(device)?.wake()
      else for (const loop of loops.values()) loop.wake()
    },
    ended: (device, wasOpenForMs) => loops.get(device)?.ended(wasOpenForMs),
    stop() {
      for (const loop of loops.values()) loop.stop()
      loops.clear()
    },
  }
}

function isLinkedTo(links: Observable<ReadonlyMap<DeviceId, DeviceLink>>, device: DeviceId): Observable<boolean> {
  return {
    peek: () => links.peek().has(device),
    subscribe: listener => links.subscribe(map => listener(map.has(device))),
    when: (holds, waitOptions) => links.when(map => holds(map.has(device)), waitOptions).then(map => map.has(device)),
  }
}
