/** A TCP proxy on 127.0.0.1 that keeps every byte it carries. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Tap {
  readonly address: string
  /** Each direction of each connection so far, whole. */
  carried(): readonly Buffer[]
}

export async function startTap(targetPort: number): Promise<Tap> {
  const directions: Buffer[][] = []
  const sockets = new Set<Socket>()
  const carry = (from: Socket, to: Socket): void => {
    const carried: Buffer[] = []
    directions.push(carried)
    sockets.add(from)
    from.on('data', bytes => carried.push(bytes))
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
    from.pipe(to)
  }
  const server = createServer(inbound => {
    const outbound = connect(targetPort, '127.0.0.1')
    carry(inbound, outbound)
    carry(outbound, inbound)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return { address: `/ip4/127.0.0.1/tcp/${address.port}`, carried: () => directions.map(parts => Buffer.concat(parts)) }
}
