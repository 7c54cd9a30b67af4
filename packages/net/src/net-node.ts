/**
 * What the network part offers: one libp2p node per device that keeps a link to every member of the group, and lets strangers
 * in for exactly two things, a pairing that a person opened and one membership proof.
 *
 * Facts go up through `DeviceLinkHost` (see core's ports); intents come down here. Nothing in here contacts a third party: no
 * STUN, no bootstrap, no DNS, and whatever is neither loopback nor a private address is refused unless `allowPublic` is set.
 */
import type { CloseCode, Closeable, DeviceId, Observable } from '@segue/core/sealed'
import type { Clock, DeviceLink, DeviceLinkHost, Logger, NearbyDevice, PairingLink, Random } from '@segue/core/ports'
import type { Libp2pOptions } from 'libp2p'
import type { CircuitServing } from './circuit/circuit-server.ts'
import type { Discovery } from './discovery/surroundings.ts'

/** A libp2p transport, as its package's factory gives it. */
export type TransportFactory = NonNullable<Libp2pOptions['transports']>[number]

export interface NodeOptions {
  /** The device's Ed25519 key, as core's identity holds it (tweetnacl: the 64-byte secret). It is the libp2p key as well. */
  readonly signing: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }
  readonly host: DeviceLinkHost
  /**
   * Where to listen, as multiaddrs. By default every interface, TCP and WebSocket, ports chosen by the system; connections from
   * addresses that are not private are refused before the first byte, and only private addresses are announced.
   */
  readonly listen?: readonly string[]
  /** Told to others instead of what is listened on, as multiaddrs: where a container's or a router's forwarded port is. */
  readonly announce?: readonly string[]
  /** Find others, and be found, on the local network. Off by default: tests and demos stay on 127.0.0.1. */
  readonly mdns?: boolean
  /** Members to keep links to from the start; the same as calling setMembers at once. */
  readonly members?: ReadonlyMap<DeviceId, readonly string[]>
  /** Also talk to addresses that are not private. Off by default. */
  readonly allowPublic?: boolean
  /** More ways to connect, for instance `webrtcDirect()` from `@segue/net/webrtc`. */
  readonly transports?: readonly TransportFactory[]
  /**
   * WebRTC for devices that are linked through a relay: `webrtcThroughRelays()` from `@segue/net/webrtc`. Asked for when the first relay is
   * linked; undefined: not there.
   */
  readonly loadWebrtc?: () => Promise<TransportFactory | undefined>
  /** Further protocols to serve. */
  readonly protocols?: readonly ServedProtocol[]
  /** Carries the traffic of members that cannot dial each other: for relays. Such a node is not reached through relays itself. */
  readonly circuits?: CircuitServing
  /** For a node that many groups come to; limits.ts has what holds without it. */
  readonly capacity?: Capacity
  readonly clock?: Clock
  readonly random?: Random
  readonly logger?: Logger
  /**
   * A member whom we dialled turned us away before a link was up. After `not-a-member` the membership proof is the way on
   * (`group.dial`); after `version-unsupported` an update.
   */
  readonly onRefused?: (peer: DeviceId, code: CloseCode) => void
  /** Somebody who is no member came, and went (or was sent away) without becoming one. Once a connection. */
  readonly onStranger?: (peer: DeviceId) => void
  /** Two machines were linked under the key of this member at once: its keys were copied. */
  readonly onTwice?: (peer: DeviceId) => void
}

/** A door like pairing's: small frames on one stream of a connection at a time, cut off after STRANGER_DEADLINE_MS for who has no link, unless it may stay. */
export interface ServedProtocol {
  readonly protocol: string
  /** strangers: everybody, also peers that the host does not admit. */
  readonly to: 'members' | 'strangers'
  /** `stay`: this connection has found its use, and is cut off only after so long. */
  readonly onStream: (link: PairingLink, stay: (ms: number) => void) => void
  /** Default: MAX_PAIRING_FRAME_BYTES. */
  readonly maxFrameBytes?: number
}

export interface Capacity {
  /** At one time. */
  readonly connections?: number
  /** At one time, of `connections`. */
  readonly strangers?: number
  /** New ones from one address in a second; behind a proxy all come from its address. */
  readonly connectionsPerSecond?: number
}

export interface DialOptions {
  readonly signal?: AbortSignal | undefined
}

export interface NetNode extends Closeable {
  readonly id: DeviceId
  /** Addresses others may dial, each ending in /p2p/<id>. Follows the interfaces of the machine. */
  readonly addresses: Observable<readonly string[]>
  /** Members linked now. */
  readonly links: Observable<ReadonlyMap<DeviceId, DeviceLink>>
  /**
   * The members of the group and addresses known for them (may be empty: discovery adds to them). The node keeps a link to each by
   * its own reconnect loop. Links to whom `host.mayConnect` no longer admits are closed with `not-a-member`: call it after every
   * change of the group. `relays` names those that are relays of the group: they are dialled at addresses that are not private, too, and
   * while they are linked the others are reached through them where nothing better answers.
   */
  setMembers(members: ReadonlyMap<DeviceId, readonly string[]>, options?: { readonly relays?: ReadonlySet<DeviceId> }): void
  /** Addresses known of a device, most recently confirmed first: worth storing, to be given to setMembers at the next start. */
  addressesOf(device: DeviceId): readonly string[]
  readonly pairing: PairingDoor
  readonly group: GroupDoor
  /** Knocks at a door that another node serves. Rejects with SegueError UNREACHABLE, also when it does not serve that protocol. */
  dial(protocol: string, target: DialTarget, options?: DialOptions): Promise<PairingLink>
  readonly discovery: Discovery
  /** The machine woke up: links are probed (dead ones close within 3 s) and every reconnect loop tries at once. */
  resume(): void
  /** Interfaces changed: as resume, and discovery starts over. */
  networkChanged(): void
}

export interface PairingDoor {
  /**
   * Admits strangers to the pairing protocol and shows this device as nearby under `name` (undefined: does not show it) until the
   * returned function is called, which also ends the streams still open. One pairing at a time: a second open replaces the first.
   */
  open(name: string | undefined, handler: (link: PairingLink) => void): () => void
  /** Not shown nearby any more; who knows the address is still let in, to be told why it is too late. */
  hide(): void
  /** Dials a device that has pairing open. Rejects with SegueError UNREACHABLE, or PAIRING_REFUSED when it has none open. */
  dial(target: DialTarget, options?: DialOptions): Promise<PairingLink>
  /** Devices nearby with pairing open, as mDNS sees them. Empty when mDNS is off. */
  readonly nearby: Observable<readonly NearbyDevice[]>
}

export interface DialTarget {
  readonly device: DeviceId
  /** Tried along with what is known of the device already. */
  readonly addresses?: readonly string[]
  /** Also at addresses that are not private; not only for those that setMembers named so. */
  readonly anywhere?: boolean
}

export interface GroupDoor {
  /** Takes membership proofs, one stream per connection, cut off after STRANGER_DEADLINE_MS. Replaces an earlier handler. */
  open(handler: (link: PairingLink) => void): () => void
  /** Brings a proof to a member that does not know this device (any more). Rejects with SegueError UNREACHABLE. */
  dial(target: DialTarget, options?: DialOptions): Promise<PairingLink>
}
