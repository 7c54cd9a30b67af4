/**
 * A device's part of circuit relay v2: being reached through the relays it is linked to, and reaching others there.
 *
 * libp2p's transport makes a reservation with a relay once; when the relay restarts it is not made again, and a relay that is down at
 * the start ends the start (js-libp2p issue 3601). So the node does not "listen" on relays: for each relay that is linked a loop here
 * keeps a reservation, with a back-off. Only relays of the group may bring circuits, and only members may come through one.
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import type { Connection, PeerId, Stream, StreamHandler, Transport } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { createSubject, type DeviceId, type Observable } from '@segue/core/sealed'
import type { Clock, Logger, Random } from '@segue/core/ports'
import { CIRCUIT_AGAIN_MS, MAX_STREAMS, RESERVE_FIRST_MS, RESERVE_MAX_MS } from '../limits.ts'
import { jitteredDelay } from '../link/reconnect.ts'
import type { TransportFactory } from '../net-node.ts'
import { STOP_PROTOCOL } from './hop-messages.ts'

export interface Circuits {
  readonly transport: TransportFactory
  /** Relays to be reached through: those linked now, with an address each. Call whenever that changes. */
  setRelays(linked: ReadonlyMap<DeviceId, string>): void
  /** Relays that hold a reservation of this device. */
  readonly reserved: Observable<ReadonlySet<DeviceId>>
  /** Addresses through each linked relay, but none while the device was looked for there in vain a moment ago. */
  addressesTo(device: DeviceId): readonly string[]
  /** Where the relays only bring the two together. */
  webrtcAddresses(): readonly string[]
  /** It was not reached through any relay. */
  inVain(device: DeviceId): void
  /** Something changed: look for it, or everybody, again. */
  lookAgain(device?: DeviceId): void
  stop(): void
}

export interface CircuitsOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger?: Logger | undefined
}

export function createCircuits({ clock, random, logger }: CircuitsOptions): Circuits {
  let made: CircuitRelayTransport | undefined
  let relays: ReadonlyMap<DeviceId, string> = new Map()
  const loops = new Map<DeviceId, AbortController>()
  const reserved = createSubject<ReadonlySet<DeviceId>>(new Set())
  const vain = new Map<DeviceId, number>()

  const setReserved = (relay: DeviceId, isReserved: boolean): void => {
    if (reserved.peek().has(relay) === isReserved) return
    const next = new Set(reserved.peek())
    if (isReserved) next.add(relay)
    else next.delete(relay)
    if (isReserved) vain.clear()
    reserved.set(next)
  }

  const keepReserved = async (relay: DeviceId, signal: AbortSignal): Promise<void> => {
    if (made === undefined) return
    const { reservationStore: store } = made
    const peer = peerIdFromString(relay)
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await store.addRelay(peer, 'configured')
        if (signal.aborted) return
        failures = 0
        setReserved(relay, true)
        await whenLost(store, relay, signal)
        setReserved(relay, false)
      } catch (error) {
        if (signal.aborted) return
        logger?.info('relay-does-not-reserve', { relay, error: String(error) })
      }
      await clock.sleep(jitteredDelay(failures + 1, { firstMs: RESERVE_FIRST_MS, maxMs: RESERVE_MAX_MS, random }), { signal })
    }
  }
  const startLoop = (relay: DeviceId): void => {
    const stop = new AbortController()
    loops.set(relay, stop)
    keepReserved(relay, stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) logger?.error('reservation-loop-failed', { relay, error: String(error) })
    })
  }
  const stopLoop = (relay: DeviceId): void => {
    loops.get(relay)?.abort(new Error('no longer linked'))
    loops.delete(relay)
    setReserved(relay, false)
  }

  const addresses = (): readonly string[] =>
    [...relays].map(([relay, address]) => `${address.replace(/\/p2p\/[^/]+$/, '')}/p2p/${relay}/p2p-circuit`)

  const mayBring = (connection: Connection): boolean => {
    const peer = connection.remotePeer.toString() as DeviceId
    return relays.has(peer) && made?.reservationStore.hasReservation(connection.remotePeer) === true
  }

  return {
    transport: (components => {
      const make = circuitRelayTransport({ maxInboundStopStreams: MAX_STREAMS })
      const guarded = guardHandlers(components as Components, STOP_PROTOCOL, mayBring)
      const transport = make(guarded as Parameters<typeof make>[0]) as CircuitRelayTransport
      forgiveRelays(transport)
      made = transport
      return transport
    }) as TransportFactory,
    reserved,
    setRelays(linked) {
      relays = linked
      for (const relay of loops.keys()) if (!linked.has(relay)) stopLoop(relay)
      for (const relay of linked.keys()) if (!loops.has(relay)) startLoop(relay)
    },
    addressesTo(device) {
      const triedAt = vain.get(device)
      if (relays.has(device) || (triedAt !== undefined && clock.monotonic() - triedAt < CIRCUIT_AGAIN_MS)) return []
      return addresses()
    },
    webrtcAddresses: () => addresses().map(address => `${address}/webrtc`),
    inVain: device => void vain.set(device, clock.monotonic()),
    lookAgain(device) {
      if (device === undefined) vain.clear()
      else vain.delete(device)
    },
    stop() {
      for (const relay of [...loops.keys()]) stopLoop(relay)
    },
  }
}

export interface Components {
  readonly registrar: { handle(protocol: string, handler: StreamHandler, options?: object): Promise<void> }
}

/** The same components, but streams of `protocol` come to their handler only when `admits` says so. */
export function guardHandlers<Given extends Components>(
  components: Given,
  protocol: string,
  admits: (connection: Connection) => boolean,
): Given {
  const handle = (name: string, handler: StreamHandler, options?: object): Promise<void> => {
    const guarded = (stream: Stream, connection: Connection): Promise<void> | void => {
      if (name === protocol && !admits(connection)) return stream.abort(new Error('not for you'))
      return handler(stream, connection)
    }
    return components.registrar.handle(name, guarded, options)
  }
  const registrar = overriding(components.registrar, { handle })
  return overriding(components, { registrar } as Partial<Given>)
}

function overriding<Given extends object>(target: Given, overrides: Partial<Given>): Given {
  return new Proxy(target, {
    get(whole, key) {
      if (Object.hasOwn(overrides, key)) return Reflect.get(overrides, key)
      const value: unknown = Reflect.get(whole, key)
      return typeof value === 'function' ? value.bind(whole) : value
    },
  })
}

/**
 * The transport leaves out for good a relay that once could not be dialled or did not know the protocol, by a filter that errs. Relays of
 * the group are few, named by the group, and may have been updated.
 */
function forgiveRelays(transport: CircuitRelayTransport): void {
  Object.assign(transport.reservationStore, { relayFilter: { has: () => false, add: () => undefined, remove: () => undefined } })
}

/** What the package has and does not export. */
interface CircuitRelayTransport extends Transport {
  readonly reservationStore: Store
}

interface Store {
  addRelay(relay: PeerId, type: 'configured'): Promise<unknown>
  hasReservation(relay: PeerId): boolean
  addEventListener(type: 'relay:removed', listener: (event: RemovedEvent) => void): void
  removeEventListener(type: 'relay:removed', listener: (event: RemovedEvent) => void): void
}
type RemovedEvent = CustomEvent<{ readonly relay: PeerId }>

/** Resolves when the reservation with `relay` is gone; rejects when `signal` aborts. */
function whenLost(store: Store, relay: DeviceId, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      store.removeEventListener('relay:removed', onRemoved)
      signal.removeEventListener('abort', onAbort)
    }
    const onRemoved = (event: RemovedEvent): void => {
      if (event.detail.relay.toString() !== relay) return
      stop()
      resolve()
    }
    const onAbort = (): void => {
      stop()
      reject(signal.reason)
    }
    store.addEventListener('relay:removed', onRemoved)
    signal.addEventListener('abort', onAbort, { once: true })
    if (!store.hasReservation(peerIdFromString(relay))) {
      stop()
      resolve()
    }
  })
}
