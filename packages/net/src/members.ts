/**
 * Two loops per member: one that keeps it linked, and one that works while the link goes through a relay, for a better way. The second is
 * in no hurry: each of its dials costs a try at every address.
 */
import type { CloseCode, DeviceId, Observable } from '@segue/core/sealed'
import type { Clock, DeviceLink, Random } from '@segue/core/ports'
import { CLIMB_FIRST_MS, CLIMB_MAX_MS } from './limits.ts'
import { createReconnect, type Reconnect } from './link/reconnect.ts'

export interface Members {
  /** Starts loops for the new ones, stops those of the others. */
  set(devices: readonly DeviceId[]): void
  has(device: DeviceId): boolean
  wake(device?: DeviceId): void
  ended(device: DeviceId, wasOpenForMs: number): void
  stop(): void
}

export type DialOutcome = 'up' | 'nowhere' | CloseCode

export interface MembersOptions {
  readonly clock: Clock
  readonly random: Random
  readonly links: Observable<ReadonlyMap<DeviceId, DeviceLink>>
  /** See ReconnectOptions. `better`: past every relay, or not at all. */
  dial(device: DeviceId, which: 'any' | 'better', signal: AbortSignal): Promise<DialOutcome>
}

export function createMembers({ clock, random, links, dial }: MembersOptions): Members {
  const loops = new Map<DeviceId, readonly [keep: Reconnect, climb: Reconnect]>()
  const start = (device: DeviceId): void => {
    const common = { clock, random }
    const keep = createReconnect({
      ...common,
      isLinked: watching(links, device, link => link !== undefined),
      dial: signal => dial(device, 'any', signal),
    })
    const climb = createReconnect({
      ...common,
      firstMs: CLIMB_FIRST_MS,
      maxMs: CLIMB_MAX_MS,
      isLinked: watching(links, device, link => link?.path !== 'relayed'),
      dial: signal => dial(device, 'better', signal),
    })
    loops.set(device, [keep, climb])
  }
  return {
    set(devices) {
      const wanted = new Set(devices)
      for (const [device, both] of loops) {
        if (wanted.has(device)) continue
        for (const loop of both) loop.stop()
        loops.delete(device)
      }
      for (const device of wanted) if (!loops.has(device)) start(device)
    },
    has: device => loops.has(device),
    wake(device) {
      const woken = device === undefined ? [...loops.values()] : [loops.get(device) ?? []]
      for (const both of woken) for (const loop of both) loop.wake()
    },
    ended: (device, wasOpenForMs) => loops.get(device)?.[0].ended(wasOpenForMs),
    stop() {
      for (const both of loops.values()) for (const loop of both) loop.stop()
      loops.clear()
    },
  }
}

function watching(
  links: Observable<ReadonlyMap<DeviceId, DeviceLink>>,
  device: DeviceId,
  holds: (link: DeviceLink | undefined) => boolean,
): Observable<boolean> {
  return {
    peek: () => holds(links.peek().get(device)),
    subscribe: listener => links.subscribe(map => listener(holds(map.get(device)))),
    when: (wanted, waitOptions) => links.when(map => wanted(holds(map.get(device))), waitOptions).then(map => holds(map.get(device))),
  }
}
