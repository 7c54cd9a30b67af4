/**
 * Where devices were seen. Three sources: given (by the app: stored, or from a QR), confirmed (a dial worked, or the device said so on
 * an authenticated link) and sighted (mDNS; anybody can claim that, so they expire and are the first to go). All are tried at the same
 * time, at most MAX_ADDRESSES per device.
 */
import type { DeviceId } from '@segue/core/sealed'
import type { Clock } from '@segue/core/ports'
import { MAX_ADDRESSES, MAX_SIGHTINGS, SIGHTING_MS } from '../limits.ts'

export interface AddressBook {
  give(device: DeviceId, addresses: readonly string[]): void
  confirm(device: DeviceId, addresses: readonly string[]): void
  /** Returns whether this told something new. */
  sight(device: DeviceId, addresses: readonly string[]): boolean
  /** Best first, without /p2p. */
  addressesOf(device: DeviceId): readonly string[]
}

export function createAddressBook(clock: Clock): AddressBook {
  const given = new Map<DeviceId, readonly string[]>()
  const confirmed = new Map<DeviceId, readonly string[]>()
  const sighted = new Map<DeviceId, { readonly addresses: readonly string[]; readonly at: number }>()

  const stillSighted = (device: DeviceId): readonly string[] => {
    const sighting = sighted.get(device)
    if (sighting === undefined) return []
    if (clock.monotonic() - sighting.at <= SIGHTING_MS) return sighting.addresses
    sighted.delete(device)
    return []
  }
  const known = (device: DeviceId): readonly string[] => {
    const all = [...(confirmed.get(device) ?? []), ...stillSighted(device), ...(given.get(device) ?? [])]
    return [...new Set(all)].slice(0, MAX_ADDRESSES)
  }

  return {
    give: (device, addresses) => void given.set(device, addresses.map(withoutPeer).slice(0, MAX_ADDRESSES)),
    confirm(device, addresses) {
      const all = [...addresses.map(withoutPeer), ...(confirmed.get(device) ?? [])]
      confirmed.set(device, [...new Set(all)].slice(0, MAX_ADDRESSES / 2)) // room for what mDNS says now
    },
    sight(device, addresses) {
      const before = known(device)
      sighted.delete(device) // to the end of the map: the oldest sighting is dropped first
      sighted.set(device, { addresses: addresses.map(withoutPeer).slice(0, MAX_ADDRESSES), at: clock.monotonic() })
      const [oldest] = sighted.keys()
      if (sighted.size > MAX_SIGHTINGS && oldest !== undefined) sighted.delete(oldest)
      return known(device).some(address => !before.includes(address))
    },
    addressesOf: known,
  }
}

function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '')
}
