/**
 * libp2p's WebSocket transport, for devices only. A browser lets any page dial any address of its machine's network and says with an
 * Origin header who does it; nothing else sends one. An upgrade that carries one is refused, so that a page somebody reads is nobody
 * on the local network.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import './polyfills.ts'
import { webSockets } from '@libp2p/websockets'
import type { Listener, Transport } from '@libp2p/interface'

export function webSocketsWithoutPages(): (components: Parameters<ReturnType<typeof webSockets>>[0]) => Transport {
  const make = webSockets()
  return components => {
    const transport = make(components)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = options => withoutPages(createListener(options))
    return transport
  }
}

/** Of libp2p's listener, which has no option for this; it asks itself for it when it starts to listen. */
interface Upgrading {
  onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}

function withoutPages(listener: Listener & Upgrading): Listener {
  const upgrade = listener.onUpgrade?.bind(listener)
  if (upgrade === undefined) throw new Error('broken promise: a WebSocket listener of libp2p has onUpgrade')
  listener.onUpgrade = (request, socket, head) => {
    if (request.headers.origin === undefined) return upgrade(request, socket, head)
    socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
  }
  return listener
}
