/**
 * Who gets in, and how far. Members: everything. Strangers: `identify`, the pairing protocol while a pairing is open, and one stream for
 * one membership proof, and doors that the node was told to open to them; at most MAX_STRANGERS at a time, and a connection that got
 * no further is closed after STRANGER_DEADLINE_MS. While none of it is wanted a stranger's connection ends right after Noise has told
 * who it is. Through a relay come members only, whatever stands open: the relay says who it brings, and Noise proves it.
 *
 * Anybody on the network who dials this device learns its id: Noise proves it to whoever asks.
 */
import type { Connection, ConnectionGater, Stream } from '@libp2p/interface'
import { CLOSE_CODES, PAIRING_PROTOCOL, STRANGER_DEADLINE_MS } from '@segue/core/sealed'
import type { DeviceId } from '@segue/core/sealed'
import type { Clock, DeviceLinkHost, Logger } from '@segue/core/ports'
import { MAX_STRANGERS } from './limits.ts'
import { hangUp } from './link/hang-up.ts'
import { encodeSignal } from './link/frame-reader.ts'
import { isPrivateAddress } from './private-addresses.ts'

export interface Gate {
  readonly gater: ConnectionGater
  isMember(peer: DeviceId): boolean
  /** Call on every connection, in or out. */
  onConnection(connection: Connection): void
  /** The connection has found its use and stays until `release`. */
  claim(connection: Connection): void
  release(connection: Connection): void
  /** Not a link, but it may go on for so long. */
  stay(connection: Connection, ms: number): void
  /** Turns `stream` away, in a way that both sides can read. */
  refuse(stream: Stream, connection: Connection): void
  /** Whether this connection may bring a proof: each may, once. */
  takeProof(connection: Connection): boolean
  /** Which things strangers may do just now; knock: at a door that is open to them as long as the node runs. */
  readonly strangersMay: { pair: boolean; prove: boolean; knock: boolean }
}

export interface GateOptions {
  readonly host: DeviceLinkHost
  readonly clock: Clock
  readonly allowPublic: boolean
  readonly maxStrangers?: number | undefined
  readonly logger?: Logger | undefined
  /** See NodeOptions. */
  readonly onStranger?: ((peer: DeviceId) => void) | undefined
}

export function createGate(options: GateOptions): Gate {
  const { clock, host, maxStrangers = MAX_STRANGERS } = options
  const strangersMay = { pair: false, prove: false, knock: false }
  const strangers = new Set<Connection>()
  const proofs = new WeakSet<Connection>()
  const deadlines = new Map<Connection, () => void>()

  const isMember = (peer: DeviceId): boolean => {
    try {
      return host.mayConnect(peer)
    } catch (error) {
      options.logger?.error('gate-failed', { peer, error: String(error) })
      return false
    }
  }

  const turnedAway = (peer: DeviceId): void => {
    options.logger?.info('stranger-refused', { peer })
    options.onStranger?.(peer)
  }

  const startDeadline = (connection: Connection, ms: number = STRANGER_DEADLINE_MS): void => {
    deadlines.get(connection)?.()
    const cancel = clock.after(ms, () => {
      deadlines.delete(connection)
      void hangUp(connection, clock)
    })
    deadlines.set(connection, cancel)
  }
  const stopDeadline = (connection: Connection): void => {
    deadlines.get(connection)?.()
    deadlines.delete(connection)
  }

  return {
    strangersMay,
    isMember,
    gater: {
      // Circuits come only over streams of the group's relays (circuit/circuit-client.ts).
      denyInboundConnection: ({ remoteAddr }) => !options.allowPublic && !isThroughCircuit(remoteAddr) && !isPrivateAddress(remoteAddr),
      denyInboundRelayedConnection: (_relay, peerId) => !isMember(peerId.toString() as DeviceId),
      denyInboundEncryptedConnection(peerId, connection) {
        const peer = peerId.toString() as DeviceId
        if (isMember(peer)) return false
        const isDenied =
          isThroughCircuit(connection.remoteAddr) ||
          !(strangersMay.pair || strangersMay.prove || strangersMay.knock) ||
          strangers.size >= maxStrangers
        if (isDenied) turnedAway(peer)
        return isDenied
      },
    },
    onConnection(connection) {
      startDeadline(connection)
      if (!isMember(connection.remotePeer.toString() as DeviceId)) strangers.add(connection)
      connection.addEventListener('close', () => {
        stopDeadline(connection)
        if (!strangers.delete(connection) || connection.direction === 'outbound') return
        const peer = connection.remotePeer.toString() as DeviceId
        if (!isMember(peer)) turnedAway(peer)
      })
    },
    claim: stopDeadline,
    release(connection) {
      if (connection.status === 'open') startDeadline(connection)
    },
    stay(connection, ms) {
      if (deadlines.has(connection) && connection.status === 'open') startDeadline(connection, ms)
    },
    refuse(stream, connection) {
      const peer = connection.remotePeer.toString()
      options.logger?.info('stream-refused', { peer, protocol: stream.protocol })
      if (stream.protocol === PAIRING_PROTOCOL) return stream.abort(new Error('pairing is not open'))
      stream.send(encodeSignal('close', CLOSE_CODES['not-a-member']))
      stream.close().catch((error: unknown) => stream.abort(error instanceof Error ? error : new Error(String(error))))
    },
    takeProof(connection) {
      if (!strangersMay.prove || proofs.has(connection)) return false
      proofs.add(connection)
      return true
    },
  }
}

/** WebRTC that was agreed on over a circuit names at the answering end nothing but the peer. */
function isThroughCircuit(address: { toString(): string }): boolean {
  return /\/p2p-circuit|^\/webrtc\/p2p\//.test(address.toString())
}
