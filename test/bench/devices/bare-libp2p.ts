/** libp2p alone, as Segue sets it up (TCP, Noise, yamux, identify), with as many idle streams a connection: what a connection costs at least. */
import '@segue/net'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { serve } from '../remote.ts'

const PROTOCOLS = ['/bench/live', '/bench/bulk', '/bench/control', '/bench/ephemeral']
let nodes: readonly Libp2p[] = []

const methods = {
  /** Gives its address. */
  async listen(): Promise<string> {
    const node = await start(['/ip4/127.0.0.1/tcp/0'])
    nodes = [node]
    for (const protocol of PROTOCOLS) await node.handle(protocol, () => undefined, { maxInboundStreams: 4_096 })
    return String(node.getMultiaddrs()[0])
  },
  async connect(address: string, count: number, atOnce: number): Promise<void> {
    for (let at = 0; at < count; at += atOnce) {
      await Promise.all(
        Array.from({ length: Math.min(atOnce, count - at) }, async () => {
          const node = await start([])
          nodes = [...nodes, node]
          const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(DIAL_DEADLINE_MS) })
          for (const protocol of PROTOCOLS) await connection.newStream(protocol)
        }),
      )
    }
  },
  connections: (): number => nodes.reduce((sum, node) => sum + node.getConnections().length, 0),
  async residentMb(): Promise<number> {
    for (let i = 0; i < 3; i++) {
      globalThis.gc?.()
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    return process.memoryUsage.rss() / 2 ** 20
  },
}
export type BareLibp2p = typeof methods

serve(methods)

const DIAL_DEADLINE_MS = 30_000

function start(listen: string[]): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
    connectionManager: { maxConnections: 4_096, inboundConnectionThreshold: 4_096, maxIncomingPendingConnections: 512 },
  }) as Promise<Libp2p>
}
