/**
 * What this device can say about the network it is on, for a person whose devices do not find each other: whether its own announcements
 * come back, which other Segue devices were heard, and how far their clocks are off.
 */
import { SECOND_MS, createSubject } from '@segue/core/sealed'
import type { DeviceId, Observable } from '@segue/core/sealed'
import type { Clock } from '@segue/core/ports'
import { MAX_SIGHTINGS, SIGHTING_MS } from '../limits.ts'

export interface Discovery {
  /** Devices heard by mDNS in the last five minutes, members or not. */
  readonly heard: Observable<readonly DeviceId[]>
  /**
   * Announces this device on every private interface and listens whether that comes back, for two seconds at most. Undefined when mDNS
   * is off. Rejects with the signal's reason.
   */
  checkEcho(options?: { readonly signal?: AbortSignal | undefined }): Promise<readonly Echo[] | undefined>
  /** This clock minus that device's, as its last hello of this run said. Undefined when there was none. */
  clockOffsetOf(device: DeviceId): number | undefined
}

export interface Echo {
  /** Of the interface. */
  readonly address: string
  readonly isHeard: boolean
}

export interface Surroundings extends Discovery {
  onHeard(device: DeviceId, isLeaving: boolean): void
  onEcho(address: string): void
  onTime(device: DeviceId, time: number): void
}

export interface SurroundingsOptions {
  readonly clock: Clock
  /** Undefined when mDNS is off. */
  readonly announce: (() => void) | undefined
  readonly interfaces: () => readonly string[]
}

export function createSurroundings({ clock, announce, interfaces }: SurroundingsOptions): Surroundings {
  const heard = createSubject<readonly DeviceId[]>([])
  const echoes = createSubject<ReadonlySet<string>>(new Set())
  const expiries = new Map<DeviceId, () => void>()
  /** Their clock when ours had run for so long: a clock that is set meanwhile is seen. */
  const times = new Map<DeviceId, { readonly time: number; readonly at: number }>()

  const forget = (device: DeviceId): void => {
    expiries.get(device)?.()
    if (expiries.delete(device)) heard.set(heard.peek().filter(id => id !== device))
  }

  return {
    heard,
    onHeard(device, isLeaving) {
      if (isLeaving) return forget(device)
      const isKnown = expiries.has(device)
      if (!isKnown && expiries.size >= MAX_SIGHTINGS) return
      expiries.get(device)?.()
      expiries.set(
        device,
        clock.after(SIGHTING_MS, () => forget(device)),
      )
      if (!isKnown) heard.set([...heard.peek(), device])
    },
    onEcho: address => echoes.set(new Set([...echoes.peek(), address])),
    onTime: (device, time) => void times.set(device, { time, at: clock.monotonic() }),
    async checkEcho({ signal } = {}) {
      if (announce === undefined) return undefined
      signal?.throwIfAborted()
      const listening = new AbortController()
      const cancel = clock.after(ECHO_MS, () => listening.abort())
      try {
        echoes.set(new Set())
        announce()
        const both = signal === undefined ? listening.signal : AbortSignal.any([signal, listening.signal])
        await echoes.when(set => interfaces().every(address => set.has(address)), { signal: both })
      } catch (error) {
        if (!listening.signal.aborted) throw error
      } finally {
        cancel()
      }
      return interfaces().map(address => ({ address, isHeard: echoes.peek().has(address) }))
    },
    clockOffsetOf(device) {
      const known = times.get(device)
      return known && clock.now() - (known.time + (clock.monotonic() - known.at))
    },
  }
}

const ECHO_MS: number = 2 * SECOND_MS
