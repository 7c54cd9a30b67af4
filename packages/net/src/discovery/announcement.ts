/**
 * What a device says of itself by mDNS, as TXT strings under `<device id>._segue._udp.local`:
 *
 *     v=1                      version
 *     a=/ip4/10.0.0.5/tcp/…    where it listens, private addresses only, at most 8
 *     pair=<name>              only while a person has pairing open: the name shown to devices nearby
 *
 * Anybody on the network can say anything: addresses are hints (Noise proves who answers there), the name is what somebody claims.
 */
import { fromUtf8, isDeviceId, isDeviceName, utf8 } from '@segue/core/sealed'
import type { DeviceId } from '@segue/core/sealed'
import { isPrivateAddress } from '../private-addresses.ts'

export const SERVICE = '_segue._udp.local'

export interface Announcement {
  readonly device: DeviceId
  readonly addresses: readonly string[]
  /** Present while pairing is open. */
  readonly pairingName?: string
}

export function instanceName(device: DeviceId): string {
  return `${device}.${SERVICE}`
}

export function encodeAnnouncement(announcement: Announcement): Uint8Array[] {
  const texts = ['v=1', ...announcement.addresses.slice(0, MAX_ANNOUNCED).map(address => `a=${address}`)]
  if (announcement.pairingName !== undefined) texts.push(`pair=${shorten(announcement.pairingName)}`)
  return texts.map(text => utf8(text)).filter(bytes => bytes.length <= MAX_TXT_BYTES)
}

/** Undefined for what is not an announcement of this version. */
export function decodeAnnouncement(name: string, strings: readonly Uint8Array[]): Announcement | undefined {
  if (!name.endsWith(`.${SERVICE}`)) return undefined
  const device = name.slice(0, -SERVICE.length - 1)
  if (!isDeviceId(device)) return undefined
  const texts = strings.slice(0, MAX_STRINGS).flatMap(bytes => readText(bytes) ?? [])
  if (!texts.includes('v=1')) return undefined
  const addresses = texts.filter(text => text.startsWith('a=')).map(text => text.slice(2))
  const pairingName = texts.find(text => text.startsWith('pair='))?.slice('pair='.length)
  return {
    device,
    addresses: addresses.filter(address => isPrivateAddress(address)).slice(0, MAX_ANNOUNCED),
    // Shown to a person, on a terminal perhaps: what could not be a device's name is not shown.
    ...(pairingName === undefined || !isDeviceName(pairingName) ? {} : { pairingName }),
  }
}

const MAX_ANNOUNCED = 8
const MAX_STRINGS = 32
/** RFC 6763 section 6.1. */
const MAX_TXT_BYTES = 255
const MAX_NAME_BYTES = 120

function readText(bytes: Uint8Array): string | undefined {
  try {
    return fromUtf8(bytes)
  } catch {
    return undefined // somebody else's binary value
  }
}

/** Whole characters up to the limit. */
function shorten(name: string): string {
  let short = ''
  for (const character of name) {
    if (utf8(short + character).length > MAX_NAME_BYTES) break
    short += character
  }
  return short.trimEnd()
}
