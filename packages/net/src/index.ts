/** Bytes in motion: the libp2p node, discovery, device links, pairing links. */
export { createNode } from './node.ts'
export { systemClock } from './system-clock.ts'
export { isPrivateAddress } from './private-addresses.ts'
export type { CircuitServing } from './circuit/circuit-server.ts'
export type { Discovery, Echo } from './discovery/surroundings.ts'
export type {
  Capacity,
  DialOptions,
  DialTarget,
  GroupDoor,
  NetNode,
  NodeOptions,
  PairingDoor,
  ServedProtocol,
  TransportFactory,
} from './net-node.ts'
