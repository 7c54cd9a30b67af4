/**
 * The network node: the only file that assembles libp2p. libp2p brings transports, Noise and streams; who may come in (gate.ts), when to
 * dial (link/reconnect.ts, discovery/) and what a link is (link/) are Segue's own, so libp2p's dial queue, reconnect queue, connection
 * monitor, identify-on-connect and yamux keepalive are switched off or passed by.
 */
import './polyfills.ts'
import { yamux } from '@chainsafe/libp2p-yamux'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import type { Connection, Stream } from '@libp2p/interface'
import type { DeviceLink } from '@segue/core/ports'
import { CHANNELS, MINUTE_MS, PROTOCOL_OF, createSubject, deviceIdOf, openOrCleanUp } from '@segue/core/sealed'
import type { Closeables, DeviceId } from '@segue/core/sealed'
import { createCircuits } from './circuit/circuit-client.ts'
import { createCircuitServer } from './circuit/circuit-server.ts'
import { HOP_PROTOCOL } from './circuit/hop-messages.ts'
import { isThroughRelay } from './circuit/link-path.ts'
import { createWebrtcUpgrade, type WebrtcUpgradeOptions } from './circuit/webrtc-upgrade.ts'
import { createAddressBook } from './discovery/address-book.ts'
import type { Announcement } from './discovery/announcement.ts'
import { privateInterfaces, watchInterfaces } from './discovery/interfaces.ts'
import { createMdns, type Mdns } from './discovery/mdns.ts'
import { createNearby } from './discovery/nearby.ts'
import { raceAddresses, type DialOne } from './discovery/race.ts'
import { createSurroundings } from './discovery/surroundings.ts'
import { createGate } from './gate.ts'
import { MAX_CONNECTIONS, MAX_CONNECTIONS_PER_SECOND, MAX_PENDING_CONNECTIONS, MAX_STREAMS, MAX_WINDOW_BYTES, PROBE_MS } from './limits.ts'
import { hangUp } from './link/hang-up.ts'
import { RUN_BYTES } from './link/hello.ts'
import { createLinks } from './link/links.ts'
import { listenFailure } from './listen-failure.ts'
import { createMembers, type DialOutcome } from './members.ts'
import type { DialOptions, DialTarget, NetNode, NodeOptions } from './net-node.ts'
import { noise } from './noise.ts'
import { createDoors } from './pairing/doors.ts'
import { isPrivateAddress } from './private-addresses.ts'
import { systemClock, systemRandom } from './system-clock.ts'
import { webSocketsWithoutPages } from './web-sockets.ts'

export function createNode(options: NodeOptions): Promise<NetNode> {
  return openOrCleanUp(opened => start(options, opened))
}

async function start(options: NodeOptions, opened: Closeables): Promise<NetNode> {
  const { host, logger, clock = systemClock, random = systemRandom, allowPublic = false, capacity = {} } = options
  const id = deviceIdOf(options.signing.publicKey)
  const gate = createGate({ host, clock, allowPublic, maxStrangers: capacity.strangers, logger, onStranger: options.onStranger })
  const book = createAddressBook(clock)
  const nearby = createNearby(clock)
  const surroundings = createSurroundings({
    clock,
    interfaces: privateInterfaces,
    announce: options.mdns === true ? () => mdns?.announce() : undefined,
  })

  const circuits = createCircuits({ clock, random, logger })
  opened.add(() => circuits.stop())

  const libp2p = await createLibp2p<{ identify: unknown; transports: TransportAccess }>({
    privateKey: privateKeyFromRaw(options.signing.secretKey),
    nodeInfo: { name: 'segue', userAgent: 'segue' },
    addresses: { listen: [...(options.listen ?? EVERY_INTERFACE)] },
    // Silence is normal on a link; keepalive.ts decides what is dead. A person may take ten minutes over a pairing.
    transports: [
      tcp({ inboundSocketInactivityTimeout: SILENCE_MS, outboundSocketInactivityTimeout: SILENCE_MS }),
      webSocketsWithoutPages(),
      ...(options.circuits === undefined ? [circuits.transport] : []),
      ...(options.transports ?? []),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        enableKeepAlive: false,
        maxInboundStreams: MAX_STREAMS,
        maxOutboundStreams: MAX_STREAMS,
        streamOptions: { maxStreamWindowSize: MAX_WINDOW_BYTES },
      }),
    ],
    connectionGater: gate.gater,
    connectionManager: {
      maxConnections: capacity.connections ?? MAX_CONNECTIONS,
      inboundConnectionThreshold: capacity.connectionsPerSecond ?? MAX_CONNECTIONS_PER_SECOND,
      maxIncomingPendingConnections: MAX_PENDING_CONNECTIONS,
      reconnectRetries: 0,
    },
    connectionMonitor: { enabled: false },
    services: {
      identify: identify({ runOnConnectionOpen: false }),
      transports: (components): TransportAccess => ({
        components: () => components,
        dial: (address, dialOptions) => components.transportManager.dial(address, dialOptions),
        addresses: () => components.transportManager.getAddrs().map(address => address.toString()),
      }),
    },
    start: false,
  })
  opened.add(() => libp2p.stop())

  const webrtc = createWebrtcUpgrade({
    load: options.loadWebrtc,
    components: libp2p.services.transports.components,
    admits: ({ remotePeer, remoteAddr }) => isThroughRelay(remoteAddr.toString()) && gate.isMember(remotePeer.toString() as DeviceId),
    logger,
  })
  opened.add(() => webrtc.stop())

  const announcedAddresses = (): readonly string[] => {
    const listening = (options.announce ?? libp2p.services.transports.addresses()).filter(
      address => allowPublic || isPrivateAddress(address),
    )
    const reachable = listening.filter(address => !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address))
    return (reachable.length > 0 ? reachable : listening).map(address => `${address}/p2p/${id}`)
  }
  const addresses = createSubject<readonly string[]>([])
  const refreshAddresses = (): void => {
    const now = announcedAddresses()
    if (now.join() !== addresses.peek().join()) addresses.set(now)
  }

  const links = createLinks({
    self: id,
    host,
    clock,
    logger,
    run: random.bytes(RUN_BYTES),
    ownAddresses: () => addresses.peek(),
    onTwice: peer => options.onTwice?.(peer),
    onUp(link, hello, connection) {
      gate.claim(connection)
      if (hello.time !== undefined) surroundings.onTime(link.peer, hello.time)
      const isWorthKeeping = link.outbound && !connection.remoteAddr.toString().includes('/p2p-circuit')
      book.confirm(link.peer, isWorthKeeping ? [connection.remoteAddr.toString(), ...hello.addresses] : hello.addresses)
      if (link.path === 'relayed') members.wake(link.peer) // now its own addresses are known
    },
    onDown: (peer, _code, wasOpenForMs) => members.ended(peer, wasOpenForMs),
  })

  let relays: ReadonlySet<DeviceId> = new Set()
  const followRelays = (): void => {
    const linked = [...links.current.peek()].filter(([peer]) => relays.has(peer))
    if (linked.length > 0) webrtc.prepare(() => members.wake())
    circuits.setRelays(new Map(linked.map(([peer, link]) => [peer, link.connection.remoteAddr.toString()])))
  }
  links.current.subscribe(followRelays)
  circuits.reserved.subscribe(() => members.wake())

  const dial = (
    { device, addresses: extra = [], anywhere = relays.has(device) }: DialTarget,
    { signal, through = [] }: DialOptions & { readonly through?: readonly string[] },
  ): Promise<Connection> => {
    const candidates = [...new Set([...extra.map(address => address.replace(/\/p2p\/[^/]+$/, '')), ...book.addressesOf(device)])]
    const allowed = candidates.filter(address => allowPublic || anywhere || isPrivateAddress(address))
    return raceAddresses(device, [...allowed, ...through], { dial: libp2p.services.transports.dial, clock, signal })
  }

  /** One of the two tries, or they would get in each other's way: who dialled the link that they have. */
  const webrtcAddressesTo = (device: DeviceId): readonly string[] =>
    webrtc.isReady() && links.current.peek().get(device)?.outbound === true ? circuits.webrtcAddresses() : []

  const dialMember = async (device: DeviceId, which: 'any' | 'better', signal: AbortSignal): Promise<DialOutcome> => {
    const through = which === 'any' ? circuits.addressesTo(device) : webrtcAddressesTo(device)
    if (book.addressesOf(device).length + through.length === 0) return 'nowhere'
    // The peer's own dial may be faster. Until ours has come to streams it gives way, so that the host sees one link and no exchange.
    const racing = new AbortController()
    const giveWay = (): void => racing.abort(new Error('linked by the other side, or no longer wanted'))
    const isEnough = (link: DeviceLink | undefined): boolean => link !== undefined && (which === 'any' || link.path !== 'relayed')
    const unsubscribe = links.current.subscribe(map => (isEnough(map.get(device)) ? giveWay() : undefined))
    signal.addEventListener('abort', giveWay, { once: true })
    try {
      const connection = await dial({ device }, { signal: racing.signal, through })
      if (racing.signal.aborted) {
        void hangUp(connection, clock)
        return 'duplicate'
      }
      const outcome = await links.open(connection)
      if (outcome !== 'up' && outcome !== 'lost' && outcome !== 'duplicate') options.onRefused?.(device, outcome)
      return outcome
    } catch (error) {
      logger?.debug('dial-failed', { device, error: String(error) })
      if (which === 'any' && through.length > 0 && !racing.signal.aborted) circuits.inVain(device)
      return 'lost'
    } finally {
      unsubscribe()
      signal.removeEventListener('abort', giveWay)
    }
  }
  const members = createMembers({ clock, random, links: links.current, dial: dialMember })

  const doors = createDoors({
    self: id,
    gate,
    clock,
    logger,
    // Both take effect at once; the promises are about libp2p's own notes.
    handle: (protocol, handler) => void libp2p.handle(protocol, handler, { maxInboundStreams: 1, force: true }).catch(reportHandle),
    unhandle: protocol => void libp2p.unhandle(protocol).catch(reportHandle),
    dial,
    onPairingChanged: () => mdns?.announce(),
  })
  const reportHandle = (error: unknown): void => logger?.error('protocol-registration-failed', { error: String(error) })

  libp2p.addEventListener('connection:open', event => gate.onConnection(event.detail))
  libp2p.addEventListener('peer:disconnect', event => {
    // What libp2p notes of its own accord about strangers must not pile up; addresses are kept in the book.
    libp2p.peerStore.delete(event.detail).catch((error: unknown) => logger?.debug('peer-not-forgotten', { error: String(error) }))
  })
  for (const channel of CHANNELS) {
    const admit = (stream: Parameters<typeof links.accept>[1], connection: Connection): void => {
      if (gate.isMember(connection.remotePeer.toString() as DeviceId)) links.accept(channel, stream, connection)
      else gate.refuse(stream, connection)
    }
    await libp2p.handle(PROTOCOL_OF[channel], admit, { maxInboundStreams: 1 })
  }
  for (const served of options.protocols ?? []) doors.serve(served)
  if (options.circuits !== undefined) {
    const serveCircuit = createCircuitServer({ ...options.circuits, isMember: gate.isMember, clock, logger })
    const admit = (stream: Stream, connection: Connection): void => {
      if (gate.isMember(connection.remotePeer.toString() as DeviceId)) serveCircuit(stream, connection)
      else gate.refuse(stream, connection)
    }
    await libp2p.handle(HOP_PROTOCOL, admit, { maxInboundStreams: MAX_STREAMS })
  }
  try {
    await libp2p.start()
  } catch (error) {
    throw listenFailure(error)
  }
  refreshAddresses()

  const describe = (): Announcement => {
    const pairingName = doors.pairingName()
    return {
      device: id,
      addresses: addresses.peek().map(address => address.replace(/\/p2p\/[^/]+$/, '')),
      ...(pairingName === undefined ? {} : { pairingName }),
    }
  }
  const onHeard = (announcement: Announcement, isLeaving: boolean): void => {
    nearby.heard(announcement, isLeaving)
    surroundings.onHeard(announcement.device, isLeaving)
    if (!isLeaving && book.sight(announcement.device, announcement.addresses)) members.wake(announcement.device)
  }
  const mdns: Mdns | undefined =
    options.mdns === true ? createMdns({ self: id, clock, logger, describe, onHeard, onEcho: surroundings.onEcho }) : undefined
  if (mdns !== undefined) opened.add(() => mdns.close())

  const resume = (): void => {
    for (const link of links.current.peek().values()) void link.probe(PROBE_MS).then(isAlive => (isAlive ? undefined : link.close('lost')))
    circuits.lookAgain()
    members.wake()
  }
  const networkChanged = (): void => {
    refreshAddresses()
    mdns?.rescan()
    resume()
  }
  opened.add(watchInterfaces({ clock, onChange: networkChanged }))
  opened.add(() => links.closeWhere(() => true, 'shutting-down'))
  opened.add(() => members.stop())

  const setMembers: NetNode['setMembers'] = (devices, memberOptions = {}) => {
    relays = memberOptions.relays ?? new Set()
    followRelays()
    for (const [device, given] of devices) book.give(device, given)
    members.set([...devices.keys()].filter(device => device !== id))
    void links.closeWhere(({ peer }) => !gate.isMember(peer), 'not-a-member')
    members.wake()
  }
  if (options.members !== undefined) setMembers(options.members)

  return {
    id,
    addresses,
    links: links.current,
    setMembers,
    addressesOf: device => book.addressesOf(device),
    pairing: { open: doors.openPairing, hide: doors.hidePairing, dial: doors.dialPairing, nearby: nearby.devices },
    group: { open: doors.openGroup, dial: doors.dialGroup },
    dial: doors.dial,
    discovery: surroundings,
    resume,
    networkChanged,
    close: opened.close,
    [Symbol.asyncDispose]: opened.close,
  }
}

/** What libp2p shows only to its services: dialling one address, past the dial queue, and where it listens. */
interface TransportAccess {
  readonly dial: DialOne
  addresses(): string[]
  components: WebrtcUpgradeOptions['components']
}

/** Bound everywhere; the gate keeps it private (private-addresses.ts). */
const EVERY_INTERFACE: readonly string[] = ['/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/tcp/0/ws']
/** A backstop only; longer than any pairing. */
const SILENCE_MS: number = 15 * MINUTE_MS
