/** The doors beside the members' streams, pairing and membership proof first: what stands open, and how to knock at another's. */
import type { Connection, Stream } from '@libp2p/interface'
import { GROUP_PROTOCOL, PAIRING_PROTOCOL, SegueError } from '@segue/core/sealed'
import type { DeviceId, ErrorCode } from '@segue/core/sealed'
import type { Clock, Logger, PairingLink } from '@segue/core/ports'
import type { Gate } from '../gate.ts'
import { hangUp } from '../link/hang-up.ts'
import type { DialOptions, DialTarget, ServedProtocol } from '../net-node.ts'
import { createPairingLink } from './pairing-stream.ts'

type Handler = (link: PairingLink) => void

export interface Doors {
  openPairing(name: string | undefined, handler: Handler): () => void
  hidePairing(): void
  openGroup(handler: Handler): () => void
  /** For as long as the node runs. */
  serve(served: ServedProtocol): void
  dial(protocol: string, target: DialTarget, options?: DialOptions): Promise<PairingLink>
  dialPairing(target: DialTarget, options?: DialOptions): Promise<PairingLink>
  dialGroup(target: DialTarget, options?: DialOptions): Promise<PairingLink>
  /** The name shown nearby while pairing is open. */
  pairingName(): string | undefined
}

export interface DoorsOptions {
  readonly self: DeviceId
  readonly gate: Gate
  readonly clock: Clock
  readonly logger?: Logger | undefined
  handle(protocol: string, handler: (stream: Stream, connection: Connection) => void): void
  unhandle(protocol: string): void
  dial(target: DialTarget, options: DialOptions): Promise<Connection>
  /** Pairing was opened or closed. */
  onPairingChanged(): void
}

export function createDoors(options: DoorsOptions): Doors {
  const { self, gate, clock } = options
  const pairingLinks = new Set<PairingLink>()
  let pairing: Opened | undefined
  let groupHandler: Handler | undefined

  const welcome = (handler: Handler, link: PairingLink): void => {
    try {
      handler(link)
    } catch (error) {
      options.logger?.error('stranger-handler-failed', { peer: link.peer, error: String(error) })
      void link.close()
    }
  }

  const closePairing = (opened: Opened): void => {
    if (pairing !== opened) return
    pairing = undefined
    gate.strangersMay.pair = false
    options.unhandle(PAIRING_PROTOCOL)
    for (const link of pairingLinks) void link.close()
    options.onPairingChanged()
  }

  const knock = async (protocol: string, refused: ErrorCode, target: DialTarget, { signal }: DialOptions): Promise<PairingLink> => {
    const connection = await options.dial(target, { signal })
    gate.claim(connection)
    try {
      const stream = await connection.newStream(protocol, signal === undefined ? {} : { signal })
      const onEnded = (): void => void hangUp(connection, clock)
      return createPairingLink({ stream, connection, self, clock, onEnded })
    } catch (error) {
      void hangUp(connection, clock)
      signal?.throwIfAborted()
      throw new SegueError(refused, {}, { cause: error })
    }
  }

  return {
    pairingName: () => pairing?.name,
    openPairing(name, handler) {
      if (pairing !== undefined) closePairing(pairing)
      const opened: Opened = { name }
      pairing = opened
      gate.strangersMay.pair = true
      options.handle(PAIRING_PROTOCOL, (stream, connection) => {
        if (pairing !== opened) return gate.refuse(stream, connection)
        gate.claim(connection)
        const onEnded = (): void => {
          pairingLinks.delete(link)
          gate.release(connection)
        }
        const link = createPairingLink({ stream, connection, self, clock, onEnded })
        pairingLinks.add(link)
        welcome(handler, link)
      })
      options.onPairingChanged()
      return () => closePairing(opened)
    },
    hidePairing() {
      if (pairing?.name === undefined) return
      pairing.name = undefined
      options.onPairingChanged()
    },
    openGroup(handler) {
      if (groupHandler !== undefined) options.unhandle(GROUP_PROTOCOL)
      groupHandler = handler
      gate.strangersMay.prove = true
      options.handle(GROUP_PROTOCOL, (stream, connection) => {
        if (groupHandler !== handler || !gate.takeProof(connection)) return gate.refuse(stream, connection)
        // Not claimed: the deadline of the connection is the deadline of the proof.
        welcome(handler, createPairingLink({ stream, connection, self, clock, onEnded: () => undefined }))
      })
      return () => {
        if (groupHandler !== handler) return
        groupHandler = undefined
        gate.strangersMay.prove = false
        options.unhandle(GROUP_PROTOCOL)
      }
    },
    serve({ protocol, to, onStream, maxFrameBytes }) {
      if (to === 'strangers') gate.strangersMay.knock = true
      options.handle(protocol, (stream, connection) => {
        const isWelcome = to === 'strangers' || gate.isMember(connection.remotePeer.toString() as DeviceId)
        if (!isWelcome) return gate.refuse(stream, connection)
        // Not claimed: a connection that is no link ends with its deadline, however many streams it opens.
        const link = createPairingLink({ stream, connection, self, clock, maxFrameBytes, onEnded: () => undefined })
        welcome(each => onStream(each, ms => gate.stay(connection, ms)), link)
      })
    },
    dial: (protocol, target, dialOptions = {}) => knock(protocol, 'UNREACHABLE', target, dialOptions),
    dialPairing: (target, dialOptions = {}) => knock(PAIRING_PROTOCOL, 'PAIRING_REFUSED', target, dialOptions),
    dialGroup: (target, dialOptions = {}) => knock(GROUP_PROTOCOL, 'UNREACHABLE', target, dialOptions),
  }
}

/** `name` is what devices nearby are shown; undefined: nothing. */
interface Opened {
  name: string | undefined
}
