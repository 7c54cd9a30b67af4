/**
 * A TCP proxy on 127.0.0.1 between two processes: counts what it carries, keeps it back as long as a slower or narrower network would,
 * and cuts.
 */
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

export interface WireOptions {
  /** One way. */
  readonly delayMs?: number
  /** Each way; unlimited without it. */
  readonly bytesPerSecond?: number | undefined
  /** Chosen by the system unless given. */
  readonly port?: number
}

export async function openWire(target: number, { delayMs = 0, bytesPerSecond, port = 0 }: WireOptions = {}): Promise<Wire> {
  const sockets = new Set<Socket>()
  let bytes = 0
  let at = 0
  const carry = (from: Socket, to: Socket): void => {
    sockets.add(from)
    from.setNoDelay(true)
    let freeAt = 0
    let last: Promise<void> = Promise.resolve()
    from.on('data', piece => {
      bytes += piece.length
      at = performance.now()
      if (bytesPerSecond === undefined) {
        if (delayMs === 0) to.write(piece)
        else setTimeout(() => to.destroyed || to.write(piece), delayMs)
        return
      }
      freeAt = Math.max(freeAt, at) + (1_000 * piece.length) / bytesPerSecond
      const due = freeAt + delayMs
      last = last.then(async () => {
        await new Promise(resolve => setTimeout(resolve, due - performance.now()))
        if (!to.destroyed) to.write(piece)
      })
      // Little is on its way at a time, as in a network's queues: the rest waits at its sender.
      if (freeAt - at < MAX_QUEUED_MS) return
      from.pause()
      setTimeout(() => from.resume(), freeAt - at - MAX_QUEUED_MS / 2)
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
  }).listen(port, '127.0.0.1')
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

/** Loopback itself as a wire: nothing in between takes time, so nothing is counted and nothing can be cut. */
export function bareWire(target: number): Wire {
  const cannot = (): never => {
    throw new Error('a bare wire neither counts nor cuts')
  }
  return { port: target, carried: cannot, cut: cannot, close: async () => undefined }
}

const MAX_QUEUED_MS = 100
