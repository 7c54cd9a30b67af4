/** What doctor can find, from facts. Pure, so that each cause has its test without a broken network at hand. */

export interface Finding {
  readonly cause:
    | 'daemon-down'
    | 'port-closed'
    | 'mdns-off'
    | 'mdns-blocked'
    | 'vpn-interface'
    | 'clock-off'
    | 'foreign-group'
    | 'storage-failing'
    | 'no-private-network'
    | 'well'
  /** hint: may matter, or may be meant. */
  readonly level: 'ok' | 'hint' | 'problem'
  readonly title: string
  readonly next?: string
}

export interface Facts {
  /** Undefined: no daemon answers. */
  readonly daemon: DaemonFacts | undefined
  /** Of the addresses that the daemon says it listens on, those that took no connection from this machine. */
  readonly closedAddresses: readonly string[]
  /** Names of network interfaces that carry an address. */
  readonly interfaces: readonly string[]
  readonly hasPrivateAddress: boolean
  /** Whether a multicast question was answered by our own daemon; undefined when not tried. */
  readonly mdnsAnswered: boolean | undefined
}

export interface DaemonFacts {
  readonly mdns: boolean
  readonly isStorageFailing: boolean
  /** This clock minus another device's, the largest by size of those heard of lately; undefined when none was. */
  readonly clockOffsetMs: number | undefined
  /** Segue devices nearby that are not in this group. */
  readonly strangersNearby: number
}

/** Two people notice five minutes; handoffs that wait have their expiry by the clock. */
const CLOCK_LIMIT_MS = 5 * 60_000
// Names that VPN software gives its interfaces on Linux, macOS and Windows.
const VPN_NAME = /^(tun|tap|utun|wg|ppp|ipsec|tailscale|zt|nordlynx|proton|mullvad)/i

export function findingsOf(facts: Facts): readonly Finding[] {
  const { daemon } = facts
  if (daemon === undefined) {
    return [{ cause: 'daemon-down', level: 'problem', title: 'The daemon is not running.', next: 'Start it: segue up. If it does not stay up: segue logs.' }]
  }
  const findings: Finding[] = []
  if (daemon.isStorageFailing) {
    findings.push({ cause: 'storage-failing', level: 'problem', title: 'The disk takes nothing; edits are kept in memory.', next: 'Free some space; it is tried again by itself.' })
  }
  if (!facts.hasPrivateAddress) {
    findings.push({ cause: 'no-private-network', level: 'problem', title: 'This machine is on no private network.', next: 'Join the network that your other device is on.' })
  }
  for (const address of facts.closedAddresses) {
    findings.push({ cause: 'port-closed', level: 'problem', title: `Nothing can connect to ${address}.`, next: 'Allow Segue (Node) in this machine’s firewall, then: segue down, segue up.' })
  }
  if (!daemon.mdns) {
    findings.push({ cause: 'mdns-off', level: 'hint', title: 'Looking for devices nearby is switched off.', next: 'Set "mdns": true in config.json (segue paths) and restart, or pair by text.' })
  } else if (facts.mdnsAnswered === false) {
    findings.push({
      cause: 'mdns-blocked',
      level: 'problem',
      title: 'Multicast does not get through: devices nearby cannot be found.',
      next: 'Allow UDP port 5353 in the firewall; in guest Wi-Fis devices are often kept apart. Pairing by text or picture still works.',
    })
  }
  const vpn = facts.interfaces.filter(name => VPN_NAME.test(name))
  if (vpn.length > 0) {
    findings.push({ cause: 'vpn-interface', level: 'hint', title: `A VPN is up (${vpn.join(', ')}): it may hide the local network.`, next: 'Switch on “allow local network” in it, or pause it, if devices do not find each other.' })
  }
  const offset = daemon.clockOffsetMs
  if (offset !== undefined && Math.abs(offset) > CLOCK_LIMIT_MS) {
    const minutes = Math.round(Math.abs(offset) / 60_000)
    findings.push({ cause: 'clock-off', level: 'problem', title: `This clock is ${minutes} minutes ${offset > 0 ? 'ahead of' : 'behind'} another device’s.`, next: 'Set one of the clocks. Nothing is lost by it, but ages and expiries are wrong.' })
  }
  if (daemon.strangersNearby > 0) {
    findings.push({
      cause: 'foreign-group',
      level: 'hint',
      title: `${daemon.strangersNearby} Segue device(s) nearby belong to another group.`,
      next: 'If one of them is yours: segue pair new here, and segue pair join on it.',
    })
  }
  return findings.length > 0 ? findings : [{ cause: 'well', level: 'ok', title: 'Nothing keeps your devices apart.' }]
}
