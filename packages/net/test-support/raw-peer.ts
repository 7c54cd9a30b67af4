/** A peer that speaks libp2p and nothing of Segue except what a test makes it say. */
import '../src/polyfills.ts'
import { yamux } from '@chainsafe/libp2p-yamux'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify, type Identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { Connection, Stream } from '@libp2p/interface'
import { CHANNELS, PROTOCOL_OF, concatBytes, createSubject, encodeCbor } from '@segue/core/sealed'
import type { Channel, Observable } from '@segue/core/sealed'
import { encodeHeader } from '../src/link/frame-reader.ts'
import { noise } from '../src/noise.ts'
import type { Device, Recorded } from './cast.ts'

export type RawPeer = Libp2p<{ identify: Identify }>

const running: RawPeer[] = []

export async function startRawPeer(device: Device, listen: readonly string[] = []): Promise<RawPeer> {
  const peer = await createLibp2p<{ identify: Identify }>({
    privateKey: privateKeyFromRaw(device.signing.secretKey),
    addresses: { listen: [...listen] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ enableKeepAlive: false })],
    services: { identify: identify({ runOnConnectionOpen: false }) },
    connectionMonitor: { enabled: false },
  })
  running.push(peer)
  return peer
}

export async function stopRawPeers(): Promise<void> {
  for (const peer of running.splice(0)) await peer.stop()
}

export function dialRaw(peer: RawPeer, to: Recorded): Promise<Connection> {
  return peer.dial(
    to.node.addresses.peek().map(address => multiaddr(address)),
    { force: true },
  )
}

export interface RawStream {
  readonly stream: Stream
  readonly received: Observable<Uint8Array>
  readonly ended: Observable<boolean>
}

export function record(stream: Stream): RawStream {
  const received = createSubject<Uint8Array>(new Uint8Array(0))
  const ended = createSubject(false)
  stream.addEventListener('message', event => received.set(concatBytes(received.peek(), event.data.subarray())))
  stream.addEventListener('remoteCloseWrite', () => ended.set(true))
  stream.addEventListener('close', () => ended.set(true))
  if (stream.status !== 'open' || stream.remoteWriteStatus === 'closed') queueMicrotask(() => ended.set(true)) // before we listened
  return { stream, received, ended }
}

export function frame(bytes: Uint8Array): Uint8Array {
  return concatBytes(encodeHeader(bytes.length), bytes)
}

/** All streams and the hello, as a member's node does it. */
export async function linkRaw(connection: Connection): Promise<ReadonlyMap<Channel, RawStream>> {
  const streams = new Map<Channel, RawStream>()
  for (const channel of CHANNELS) streams.set(channel, record(await connection.newStream(PROTOCOL_OF[channel])))
  streams.get('control')?.stream.send(frame(encodeCbor({ v: 1, addresses: [] })))
  return streams
}
