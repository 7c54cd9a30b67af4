/** A TCP proxy on 127.0.0.1 between two processes: counts what it carries, keeps it back as long as a slower network would, and cuts. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface Wire {
  readonly port: number
  /** Bytes carried so far, both ways, and when the last of them came (milliseconds of this process). */
  carried(): { readonly bytes: number; readonly at: number }
  /** Breaks every connection; new ones are taken. */
  cut(): void
  close(): Promise<void>
}

export async function openWire(target: number, { delayMs = 0 }: { readonly delayMs?: number } = {}): Promise<Wire> {
  const sockets = new Set<Socket>()
  let bytes = 0
  let at = 0
  const carry = (from: Socket, to: Socket): void => {
    sockets.add(from)
    from.setNoDelay(true)
    from.on('data', piece => {
      bytes += piece.length
      at = performance.now()
      if (delayMs === 0) to.write(piece)
      else setTimeout(() => to.destroyed || to.write(piece), delayMs)
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer(inbound => {
    const outbound = connect(target, '127.0.0.1')
    carry(inbound, outbound)
    carry(outbound, inbound)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: address.port,
    carried: () => ({ bytes, at }),
    cut,
    async close() {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
