/** Asks the running daemon. Used by the command line and by the demo. */
import { readFile } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { assertPrivate, ERROR_TABLE, SegueError, isSegueError, type ErrorCode } from '@segue/engine/client'
import { API_VERSION, type DaemonAddress, type Reply } from '../daemon/api.ts'
import { isAlive, isOurs } from '../daemon/is-alive.ts'

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
  constructor(message = 'The daemon is not running. Start it with: segue up') {
    super(message)
    this.name = 'DaemonDown'
  }
}

export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/**
 * Finds the daemon by its runtime file. When that one died and its supervisor starts another, waits for it. Rejects with DaemonDown when
 * there is none, VERSION_UNSUPPORTED when it speaks another API, STORE_NOT_PRIVATE when others have rights to the file.
 */
export async function connectToDaemon(runtimeFile: string): Promise<DaemonClient> {
  let address = await readAddress(runtimeFile)
  for (let waitedMs = 0; !isAlive(address.pid) && isAlive(address.supervisor); waitedMs += RESTART_LOOK_MS) {
    if (waitedMs >= RESTART_WAIT_MS)
      throw new DaemonDown('The daemon died and is being started again; try in a moment. segue logs says why.')
    await sleep(RESTART_LOOK_MS)
    address = await readAddress(runtimeFile)
  }
  // After a crash or a power cut the file outlives its daemon, and anybody on this machine may have the port by now.
  if (!isOurs(address.pid)) throw new DaemonDown()
  return {
    address,
    async call(command, params = {}, options = {}) {
      return (await callDaemon(address, command, params, options)) as never
    },
  }
}

const RESTART_WAIT_MS = 8_000
const RESTART_LOOK_MS = 100

async function readAddress(runtimeFile: string): Promise<DaemonAddress> {
  let address: DaemonAddress
  try {
    await assertPrivate(runtimeFile) // whoever can write it would be told passphrases
    address = JSON.parse(await readFile(runtimeFile, 'utf8')) as DaemonAddress
  } catch (error) {
    throw isSegueError(error) ? error : new DaemonDown()
  }
  if (address.apiVersion !== API_VERSION) throw new SegueError('VERSION_UNSUPPORTED')
  return address
}

async function callDaemon(
  address: DaemonAddress,
  command: string,
  params: Readonly<Record<string, unknown>>,
  { onEvent, signal }: CallOptions,
): Promise<unknown> {
  try {
    const response = await send(address, command, params, signal)
    if (response.statusCode !== 200) {
      response.resume()
      throw refusalOf(response.statusCode, command)
    }
    for await (const line of createInterface({ input: response })) {
      const reply = JSON.parse(line) as Reply
      if (reply.type === 'event') onEvent?.(reply.event)
      else if (reply.type === 'result') return reply.value
      else throw errorOf(reply)
    }
  } catch (error) {
    if (signal?.aborted === true) throw new SegueError('CANCELLED')
    throw isBrokenConnection(error) ? new DaemonDown() : error
  }
  if (signal?.aborted === true) throw new SegueError('CANCELLED')
  throw new DaemonDown('The daemon went away in the middle of its answer. segue logs says why; segue status whether it is back.')
}

/** node:http and not fetch: fetch gives up on an answer that is silent for five minutes, and a person may take ten over a pairing. */
function send(
  address: DaemonAddress,
  command: string,
  params: Readonly<Record<string, unknown>>,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify(params)
    const headers = {
      authorization: `Bearer ${address.token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    }
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: address.port,
        method: 'POST',
        path: `/v1/call/${command}`,
        headers,
        ...(signal === undefined ? {} : { signal }),
      },
      resolve,
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function refusalOf(status: number | undefined, command: string): Error {
  if (status === 404)
    return new UsageError(`The daemon that runs does not know ${command}: it is of another version. Restart it: segue down, segue up.`)
  if (status === 413) return new SegueError('DOCUMENT_TOO_LARGE', { size: 'more than a request may carry' })
  return new DaemonDown() // another program has its port by now
}

function errorOf(reply: Extract<Reply, { type: 'error' }>): Error {
  if (reply.code === 'USAGE') return new UsageError(reply.message)
  if (reply.code in ERROR_TABLE) return new SegueError(reply.code as ErrorCode, reply.details)
  return new Error(reply.message)
}

function isBrokenConnection(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === 'EPIPE'
}
