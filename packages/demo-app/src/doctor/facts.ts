/** What doctor judges by: from the daemon, and from this machine. */
export interface Facts {
  /** Undefined: no daemon answers. */
  readonly daemon: DaemonFacts | undefined
  /** Of the addresses that the daemon says it listens on, those that took no connection from this machine. */
  readonly closedAddresses: readonly string[]
  /** Names of network interfaces that carry an address. */
  readonly interfaces: readonly string[]
  readonly hasPrivateAddress: boolean
}

export interface DaemonFacts {
  readonly mdns: boolean
  /** Addresses of private interfaces on which this device did not hear its own announcement. */
  readonly silentInterfaces: readonly string[]
  readonly isStorageFailing: boolean
  /** From its group: no device of it lets this one in. */
  readonly isRemoved: boolean
  /** This clock minus another device's, the largest by size of those linked since the daemon started; undefined when none was. */
  readonly clockOffsetMs: number | undefined
  /** Names of devices that are linked through a relay, past which no way was found. */
  readonly relayedDevices: readonly string[]
  /** How many relays serve the group no more, and how many have no room for it. */
  readonly relays: { readonly revoked: number; readonly full: number }
  /** Segue devices nearby that are not in this group. */
  readonly strangersNearby: number
}

/** What the daemon's `doctor` command answers. */
export interface DoctorAnswer extends DaemonFacts {
  /** Multiaddrs it listens on. */
  readonly addresses: readonly string[]
}
