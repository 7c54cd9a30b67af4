/** Serves the daemon's commands on loopback. What the API looks like is in api.ts. */
import { timingSafeEqual } from 'node:crypto'
import { SegueError, isSegueError } from '@segue/engine'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import * as v from 'valibot'
import { MAX_BODY_BYTES, type Reply } from './api.ts'
import { WrongRequest, type CommandContext, type DaemonCommand, type DaemonControl } from './command.ts'

export interface ApiServer {
  readonly port: number
  close(): Promise<void>
}

export interface ApiServerOptions {
  readonly daemon: DaemonControl
  readonly commands: readonly DaemonCommand[]
  readonly token: string
  /** Told of failures that are nobody's bad input. */
  readonly onInternalError: (error: unknown, command: string) => void
  readonly stop: () => void
}

/** Listens on 127.0.0.1, on a port the system chooses. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const commands = new Map(options.commands.map(command => [command.name, command]))
  const app = fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true })
  app.removeContentTypeParser('text/plain') // what a page elsewhere could send without asking: JSON only

  app.addHook('onRequest', async (request, reply) => {
    const refusal = refuse(request, options.token)
    if (refusal !== undefined) await reply.code(refusal.status).send({ error: refusal.why })
  })
  app.post<{ Params: { name: string } }>('/v1/call/:name', async (request, reply) => {
    const command = commands.get(request.params.name)
    if (command === undefined) return reply.code(404).send({ error: `no such command: ${request.params.name}` })
    await answer(command, request, reply, options)
    return reply
  })

  await app.listen({ host: '127.0.0.1', port: 0 })
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('broken promise: a TCP server has a port')
  return { port: address.port, close: () => app.close() }
}

function refuse(request: FastifyRequest, token: string): { readonly status: number; readonly why: string } | undefined {
  const host = request.headers.host ?? ''
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)) return { status: 403, why: 'wrong Host' }
  const origin = request.headers.origin
  if (origin !== undefined && origin !== `http://${host}`) return { status: 403, why: 'wrong Origin' }
  const given = Buffer.from((request.headers.authorization ?? '').replace(/^Bearer /, ''))
  const expected = Buffer.from(token)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { status: 401, why: 'wrong token' }
  return undefined
}

async function answer(command: DaemonCommand, request: FastifyRequest, reply: FastifyReply, options: ApiServerOptions): Promise<void> {
  const gone = new AbortController()
  reply.hijack()
  const stream = reply.raw
  stream.on('close', () => gone.abort(new SegueError('CANCELLED')))
  stream.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
  const say = (line: Reply): void => {
    if (!stream.destroyed) stream.write(`${JSON.stringify(line)}\n`)
  }

  let stopAfter = false
  // somebody is at work; a look at the status is no work
  const release = command.name === 'status' ? () => undefined : options.daemon.device.hold()
  const checked = v.safeParse(command.params, request.body ?? {})
  if (!checked.success) {
    say({ type: 'error', code: 'USAGE', message: describeIssues(checked.issues), details: {} })
  } else {
    try {
      const context: CommandContext = {
        get segue() {
          const now = options.daemon.device.state.peek()
          if (now.kind !== 'open') throw new SegueError('LOCKED')
          return now.segue
        },
        daemon: options.daemon,
        signal: gone.signal,
        emit: event => say({ type: 'event', event }),
        stop: () => {
          stopAfter = true
        },
      }
      say({ type: 'result', value: (await command.run(context, checked.output)) ?? {} })
    } catch (error) {
      if (isSegueError(error)) {
        say({ type: 'error', code: error.code, message: error.message, details: error.details })
      } else if (error instanceof WrongRequest) {
        say({ type: 'error', code: 'USAGE', message: error.message, details: {} })
      } else {
        options.onInternalError(error, command.name)
        say({
          type: 'error',
          code: 'INTERNAL',
          message: `Something went wrong inside Segue (${command.name}). segue logs has more.`,
          details: {},
        })
      }
    }
  }
  release()
  await new Promise<void>(resolve => stream.end(resolve))
  if (stopAfter) options.stop()
}

function describeIssues(issues: readonly v.BaseIssue<unknown>[]): string {
  return issues.map(issue => `${v.getDotPath(issue) ?? 'parameters'}: ${issue.message}`).join('; ')
}
