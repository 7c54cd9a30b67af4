/**
 * How `segue-relay invite`, `status` and the rest reach a relay that runs: HTTP over a socket in its own folder, which only its own user
 * may enter. `POST /<operation>` with a JSON body; the answer is JSON, `{"error": "..."}` with another status than 200 on failure.
 */
import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { createServer, request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import * as v from 'valibot'
import { Refusal, explain } from './explain.ts'
import { OPERATION_REQUESTS, type Operations } from './operations.ts'

export interface AdminSocket {
  close(): Promise<void>
}

export async function startAdminSocket(directory: string, operations: Operations): Promise<AdminSocket> {
  const path = socketIn(directory)
  const server = createServer((incoming, response) => {
    const reply = (status: number, body: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    answer(operations, incoming).then(
      result => reply(200, result),
      (error: unknown) => reply(400, { error: explain(error, directory) }),
    )
  })
  await rm(path, { force: true }) // of a run that was killed; the store's lock says that no other is alive
  server.listen(path)
  await once(server, 'listening')
  await chmod(path, 0o600)
  return {
    async close() {
      server.closeAllConnections()
      if (server.listening) await new Promise(resolve => server.close(resolve))
      await rm(path, { force: true })
    },
  }
}

/** Undefined when no relay runs on that folder. What it refuses, it says in words for people. */
export async function callRelay<Name extends keyof Operations>(
  directory: string,
  name: Name,
  body: Parameters<Operations[Name]>[0],
): Promise<Awaited<ReturnType<Operations[Name]>> | undefined> {
  const call = request({ socketPath: socketIn(directory), method: 'POST', path: `/${name}` })
  call.end(JSON.stringify(body))
  let response: IncomingMessage
  try {
    ;[response] = (await once(call, 'response')) as [IncomingMessage]
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
    throw error
  }
  const result: unknown = JSON.parse(await textOf(response))
  if (response.statusCode !== 200) throw new Refusal((result as { error?: string }).error ?? 'refused')
  return result as Awaited<ReturnType<Operations[Name]>>
}

async function answer(operations: Operations, incoming: IncomingMessage): Promise<unknown> {
  const name = incoming.url?.slice(1) ?? ''
  if (incoming.method !== 'POST' || !Object.hasOwn(OPERATION_REQUESTS, name)) throw new Error('no such operation')
  const operation = name as keyof Operations
  const body: unknown = JSON.parse((await textOf(incoming)) || '{}')
  const parsed = v.parse(OPERATION_REQUESTS[operation], body)
  return (operations[operation] as (request: typeof parsed) => Promise<unknown>)(parsed)
}

const MAX_BODY_BYTES = 64 * 1_024 * 1_024

async function textOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of message as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MAX_BODY_BYTES) throw new Error('too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

function socketIn(directory: string): string {
  return join(directory, 'admin.sock')
}
