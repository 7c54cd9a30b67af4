/**
 * Which addresses count as "our own network". The node may be bound to every interface; this is what keeps it private: connections
 * from elsewhere are refused before the first byte, and nothing else is announced or learnt.
 *
 * 100.64/10 (shared by a carrier's customers, also used by some VPNs) is not private: its other users are strangers.
 */
import { BlockList } from 'node:net'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'

/** Whether `address`, a multiaddr, names a loopback, private or link-local host. False for names, relays and what does not parse. */
export function isPrivateAddress(address: string | Multiaddr): boolean {
  try {
    const parsed = typeof address === 'string' ? multiaddr(address) : address
    const [host] = parsed.getComponents().filter(component => component.name !== 'ip6zone')
    if (host?.value === undefined || parsed.getComponents().some(component => component.name === 'p2p-circuit')) return false
    if (host.name === 'ip4') return PRIVATE.check(host.value, 'ipv4')
    if (host.name === 'ip6') return PRIVATE.check(host.value, 'ipv6')
    return false
  } catch {
    return false // not a multiaddr: whoever sent it does not speak to us
  }
}

const PRIVATE = new BlockList()
PRIVATE.addSubnet('127.0.0.0', 8, 'ipv4')
PRIVATE.addSubnet('10.0.0.0', 8, 'ipv4')
PRIVATE.addSubnet('172.16.0.0', 12, 'ipv4')
PRIVATE.addSubnet('192.168.0.0', 16, 'ipv4')
PRIVATE.addSubnet('169.254.0.0', 16, 'ipv4')
PRIVATE.addAddress('::1', 'ipv6')
PRIVATE.addSubnet('fc00::', 7, 'ipv6')
PRIVATE.addSubnet('fe80::', 10, 'ipv6')
