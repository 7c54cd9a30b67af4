/** Devices nearby that have pairing open, as they say themselves. */
import { createSubject } from '@segue/core/sealed'
import type { DeviceId, Observable } from '@segue/core/sealed'
import type { Clock, NearbyDevice } from '@segue/core/ports'
import { SIGHTING_MS } from '../limits.ts'
import type { Announcement } from './announcement.ts'

export interface Nearby {
  readonly devices: Observable<readonly NearbyDevice[]>
  heard(announcement: Announcement, isLeaving: boolean): void
}

export function createNearby(clock: Clock): Nearby {
  const devices = createSubject<readonly NearbyDevice[]>([])
  const expiries = new Map<DeviceId, () => void>()

  const forget = (device: DeviceId): void => {
    expiries.get(device)?.()
    expiries.delete(device)
    if (devices.peek().some(({ id }) => id === device)) devices.set(devices.peek().filter(({ id }) => id !== device))
  }

  return {
    devices,
    heard({ device, addresses, pairingName }, isLeaving) {
      if (isLeaving || pairingName === undefined) return forget(device)
      if (!expiries.has(device) && expiries.size >= MAX_NEARBY) return
      expiries.get(device)?.()
      expiries.set(
        device,
        clock.after(SIGHTING_MS, () => forget(device)),
      )
      const known = devices.peek().find(({ id }) => id === device)
      if (known?.name === pairingName && known.addresses.join() === addresses.join()) return
      devices.set([...devices.peek().filter(({ id }) => id !== device), { id: device, name: pairingName, addresses }])
    },
  }
}

const MAX_NEARBY = 32
