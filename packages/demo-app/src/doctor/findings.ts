/** What doctor finds in the facts. Pure, so that each cause has its test without a broken network at hand. */
import type { DaemonFacts, Facts } from './facts.ts'

export interface Finding {
  readonly cause:
    | 'daemon-down'
    | 'removed'
    | 'port-closed'
    | 'mdns-off'
    | 'mdns-blocked'
    | 'vpn-interface'
    | 'clock-off'
    | 'foreign-group'
    | 'relayed'
    | 'relay-revoked'
    | 'relay-full'
    | 'storage-failing'
    | 'no-private-network'
    | 'well'
  /** hint: may matter, or may be meant. */
  readonly level: 'ok' | 'hint' | 'problem'
  readonly title: string
  readonly next?: string
}

/** Two people notice five minutes; handoffs that wait have their expiry by the clock. */
const CLOCK_LIMIT_MS = 5 * 60_000
// Names that VPN software gives its interfaces on Linux, macOS and Windows.
const VPN_NAME = /^(tun|tap|utun|wg|ppp|ipsec|tailscale|zt|nordlynx|proton|mullvad)/i

export function findingsOf(facts: Facts): readonly Finding[] {
  if (facts.daemon === undefined) return [DAEMON_DOWN]
  const findings = [
    ...(facts.daemon.isRemoved ? [REMOVED] : []),
    ...storageFindings(facts.daemon),
    ...networkFindings(facts, facts.daemon),
    ...clockFindings(facts.daemon),
    ...strangerFindings(facts.daemon),
    ...relayedFindings(facts.daemon),
    ...relayFindings(facts.daemon),
  ]
  return findings.length > 0 ? findings : [WELL]
}

const DAEMON_DOWN: Finding = {
  cause: 'daemon-down',
  level: 'problem',
  title: 'The daemon is not running.',
  next: 'Start it: segue up. If it does not stay up: segue logs.',
}
const REMOVED: Finding = {
  cause: 'removed',
  level: 'problem',
  title: 'This device was removed from its group: no device of it lets this one in.',
  next: 'To join again, as a new device: segue pair join. What is here stays; segue session export writes it out.',
}
const WELL: Finding = { cause: 'well', level: 'ok', title: 'Nothing here keeps your devices apart.' }

function storageFindings({ isStorageFailing }: DaemonFacts): readonly Finding[] {
  if (!isStorageFailing) return []
  const title = 'The disk takes nothing; edits are kept in memory.'
  return [{ cause: 'storage-failing', level: 'problem', title, next: 'Free some space; it is tried again by itself.' }]
}

function networkFindings(facts: Facts, { mdns, silentInterfaces }: DaemonFacts): readonly Finding[] {
  const findings: Finding[] = []
  if (!facts.hasPrivateAddress) {
    findings.push({
      cause: 'no-private-network',
      level: 'problem',
      title: 'This machine is on no private network.',
      next: 'Join the network that your other device is on.',
    })
  }
  for (const address of facts.closedAddresses) {
    findings.push({
      cause: 'port-closed',
      level: 'problem',
      title: `Nothing can connect to ${address}.`,
      next: 'Allow Segue (Node) in this machine’s firewall, then: segue down, segue up.',
    })
  }
  if (!mdns) {
    findings.push({
      cause: 'mdns-off',
      level: 'hint',
      title: 'Looking for devices nearby is switched off.',
      next: 'Switch it on: segue down, then segue up --mdns; or pair by text or picture.',
    })
  } else if (silentInterfaces.length > 0) {
    findings.push({
      cause: 'mdns-blocked',
      level: 'problem',
      title: `Multicast does not get through on ${silentInterfaces.join(', ')}: devices there cannot be found.`,
      next: 'Allow UDP port 5353 in the firewall, and let no program keep it for itself; guest Wi-Fis may block it. Pairing by text or picture still works.',
    })
  }
  const vpn = facts.interfaces.filter(name => VPN_NAME.test(name))
  if (vpn.length > 0) {
    findings.push({
      cause: 'vpn-interface',
      level: 'hint',
      title: `A VPN is up (${vpn.join(', ')}): it may hide the local network.`,
      next: 'Switch on “allow local network” in it, or pause it, if devices do not find each other.',
    })
  }
  return findings
}

function clockFindings({ clockOffsetMs: offset }: DaemonFacts): readonly Finding[] {
  if (offset === undefined || Math.abs(offset) <= CLOCK_LIMIT_MS) return []
  const title = `This clock is ${spanOf(Math.abs(offset))} ${offset > 0 ? 'ahead of' : 'behind'} another device’s.`
  return [
    {
      cause: 'clock-off',
      level: 'problem',
      title,
      next: 'Set the one that is wrong. Nothing is lost by it, but ages and expiries are wrong.',
    },
  ]
}

function strangerFindings({ strangersNearby }: DaemonFacts): readonly Finding[] {
  if (strangersNearby === 0) return []
  const title =
    strangersNearby === 1 ? 'A Segue device nearby is not in your group.' : `${strangersNearby} Segue devices nearby are not in your group.`
  return [
    { cause: 'foreign-group', level: 'hint', title, next: 'If one of them is yours: segue pair new here, and segue pair join on it.' },
  ]
}

function relayedFindings({ relayedDevices }: DaemonFacts): readonly Finding[] {
  if (relayedDevices.length === 0) return []
  return [
    {
      cause: 'relayed',
      level: 'hint',
      title: `Linked through a relay only: ${relayedDevices.join(', ')}. What is large waits for its mailbox.`,
      next: 'That is right for devices on different networks. On the same one: guest networks and “client isolation” keep devices apart, and so may a firewall.',
    },
  ]
}

function relayFindings({ relays: { revoked, full } }: DaemonFacts): readonly Finding[] {
  const next = 'Ask its operator; segue relay list says more. Your devices still sync directly.'
  const findings: Finding[] = []
  if (revoked > 0) {
    const title = `${revoked === 1 ? 'A relay no longer serves' : `${revoked} relays no longer serve`} your group: nothing goes there or comes from there.`
    findings.push({ cause: 'relay-revoked', level: 'problem', title, next })
  }
  if (full > 0) {
    const title = `${full === 1 ? 'A relay is' : `${full} relays are`} full for your group: what is new does not get there.`
    findings.push({ cause: 'relay-full', level: 'problem', title, next })
  }
  return findings
}

function spanOf(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  return minutes < 120
    ? `${minutes} minutes`
    : minutes < 2 * 1440
      ? `${Math.round(minutes / 60)} hours`
      : `${Math.round(minutes / 1440)} days`
}
