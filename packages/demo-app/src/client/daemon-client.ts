/** Asks the running daemon. Used by the command line and by the demo. */
import { readFile } from 'node:fs/promises'
import { ERROR_TABLE, SegueError, type ErrorCode } from '@segue/engine'
import { API_VERSION, type DaemonAddress, type Reply } from '../daemon/api.ts'

export interface CallOptions {
  readonly onEvent?: ((event: Readonly<Record<string, unknown>>) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface DaemonClient {
  readonly address: DaemonAddress
  /** Rejects with SegueError for what Segue says, UsageError for parameters the daemon refuses, DaemonDown when it does not answer. */
  call<Result>(command: string, params?: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<Result>
}

export class DaemonDown extends Error {
  constructor() {
    super('The daemon is not running. Start it with: segue up')
    this.name = 'DaemonDown'
  }
}

export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/** Finds the daemon by its runtime file. Rejects with DaemonDown when there is none, VERSION_UNSUPPORTED when it speaks another API. */
export async function connectToDaemon(runtimeFile: string): Promise<DaemonClient> {
  let address: DaemonAddress
  try {
    address = JSON.parse(await readFile(runtimeFile, 'utf8')) as DaemonAddress
  } catch {
    throw new DaemonDown()
  }
  if (address.apiVersion !== API_VERSION) throw new SegueError('VERSION_UNSUPPORTED')
  return {
    address,
    async call(command, params = {}, options = {}) {
      return (await callDaemon(address, command, params, options)) as never
    },
  }
}

async function callDaemon(address: DaemonAddress, command: string, params: Readonly<Record<string, unknown>>, options: CallOptions): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(`http://127.0.0.1:${address.port}/v1/call/${command}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${address.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(params),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
  } catch (error) {
    if (options.signal?.aborted === true) throw new SegueError('CANCELLED')
    throw isRefusedConnection(error) ? new DaemonDown() : error
  }
  if (!response.ok || response.body === null) throw response.status === 404 ? new UsageError(`this daemon has no ${command}`) : new DaemonDown()
  for await (const reply of lines(response.body)) {
    if (reply.type === 'event') options.onEvent?.(reply.event)
    else if (reply.type === 'result') return reply.value
    else throw errorOf(reply)
  }
  throw new DaemonDown() // it went away in the middle of its answer
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<Reply> {
  let rest = ''
  for await (const text of body.pipeThrough(new TextDecoderStream() as never) as unknown as AsyncIterable<string>) {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) yield JSON.parse(part) as Reply
  }
}

function errorOf(reply: Extract<Reply, { type: 'error' }>): Error {
  if (reply.code === 'USAGE') return new UsageError(reply.message)
  if (reply.code in ERROR_TABLE) return new SegueError(reply.code as ErrorCode, reply.details)
  return new Error(reply.message)
}

function isRefusedConnection(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined
  return cause?.code === 'ECONNREFUSED' || cause?.code === 'ECONNRESET'
}
