/** How a connection reaches its peer, told by the address at its other end. */
import type { LinkPath } from '@segue/core/ports'
import { isPrivateAddress } from '../private-addresses.ts'

/** WebRTC that was signalled through a relay names the relay in its address, but goes past it. */
export function linkPathOf(remoteAddress: string): LinkPath {
  if (isThroughRelay(remoteAddress)) return 'relayed'
  return isPrivateAddress(remoteAddress) ? 'lan' : 'direct'
}

/** Whether every byte goes through the relay. */
export function isThroughRelay(address: string): boolean {
  return address.includes('/p2p-circuit') && !address.includes('/webrtc')
}
