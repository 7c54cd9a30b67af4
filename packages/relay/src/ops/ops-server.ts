/**
 * `/healthz` (the process answers), `/readyz` (the store takes writes and the relay is not draining) and `/metrics`, on a listener of
 * their own that belongs on loopback or an inner network: nothing here is for the public, and nothing here names anybody.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface OpsServer {
  /** host:port */
  readonly address: string
  close(): Promise<void>
}

export interface OpsAnswers {
  /** Undefined, or why not. */
  notReady(): Promise<string | undefined>
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>
}

export async function startOpsServer({ host, port }: { host: string; port: number }, answers: OpsAnswers): Promise<OpsServer> {
  const answer = async (path: string | undefined): Promise<{ status: number; body: string; type?: string }> => {
    if (path === '/healthz') return { status: 200, body: 'ok\n' }
    if (path === '/readyz') {
      const why = await answers.notReady()
      return why === undefined ? { status: 200, body: 'ready\n' } : { status: 503, body: `${why}\n` }
    }
    if (path === '/metrics') {
      const { text, contentType } = await answers.metrics()
      return { status: 200, body: text, type: contentType }
    }
    return { status: 404, body: 'not found\n' }
  }
  const server = createServer((request, response) => {
    const path = request.method === 'GET' ? request.url?.split('?')[0] : undefined
    answer(path)
      .catch((error: unknown) => ({ status: 500, body: `${error instanceof Error ? error.name : 'failed'}\n`, type: undefined }))
      .then(({ status, body, type = 'text/plain; charset=utf-8' }) => {
        response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
      })
      .catch(() => response.destroy())
  })
  server.maxConnections = 64
  server.listen(port, host)
  await once(server, 'listening')
  const bound = server.address() as AddressInfo
  return {
    address: `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    async close() {
      server.closeAllConnections()
      if (server.listening) await new Promise(resolve => server.close(resolve))
    },
  }
}
