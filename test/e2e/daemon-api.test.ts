/** The daemon's door on loopback: who may come in, and what it makes of what is sent. */
import { readFileSync, statSync } from 'node:fs'
import { request } from 'node:http'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTemporaryHomes } from './temporary-homes.ts'

const homes = createTemporaryHomes()
let port: number
let token: string
let runtimeFile: string

beforeAll(async () => {
  const { home } = await homes.start('laptop')
  runtimeFile = path.join(home, 'daemon.json')
  ;({ port, token } = JSON.parse(readFileSync(runtimeFile, 'utf8')) as { port: number; token: string })
})
afterAll(() => homes.remove())

interface Sent {
  readonly command?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

interface Answer {
  readonly status: number
  readonly text: string
}

function send({ command = 'status', method = 'POST', headers = {}, body = '{}' }: Sent = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers }
    const outgoing = request({ host: '127.0.0.1', port, method, path: `/v1/call/${command}`, headers: all }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    outgoing.on('error', reject)
    outgoing.end(method === 'GET' ? undefined : body)
  })
}

test('who has the token gets lines of JSON, the last of them the result', async () => {
  const { status, text } = await send()
  expect([status, JSON.parse(text)]).toEqual([200, expect.objectContaining({ type: 'result' })])
})

test('its address and token are in a file that only this user can read', () => {
  expect(statSync(runtimeFile).mode & 0o077).toBe(0)
})

test.each<[string, Record<string, string>, number]>([
  ['no token', { authorization: '' }, 401],
  ['another token', { authorization: `Bearer ${'A'.repeat(43)}` }, 401],
  ['a Host that a page could have rebound', { host: 'segue.example.org' }, 403],
  ['an Origin of a page elsewhere', { origin: 'https://example.org' }, 403],
  ['an Origin that is null', { origin: 'null' }, 403],
])('%s: turned away', async (_, headers, expected) => {
  const { status, text } = await send({ headers })
  expect([status, text.includes(token)]).toEqual([expected, false])
})

test('what is not there, or not asked for with POST, is not found', async () => {
  expect((await send({ command: 'bogus' })).status).toBe(404)
  expect((await send({ command: '__proto__' })).status).toBe(404)
  expect((await send({ method: 'GET' })).status).toBe(404)
})

test('garbage is refused before a command sees it', async () => {
  expect((await send({ body: '{"a' })).status).toBe(400)
  expect((await send({ body: '{"__proto__":{}}' })).status).toBe(400)
  expect((await send({ headers: { 'content-type': 'text/plain' }, body: 'hello' })).status).toBe(415)
  for (const body of ['[]', '"text"', '7', '{"unknown":1}']) {
    const { text } = await send({ command: 'session.show', body })
    expect(JSON.parse(text)).toMatchObject({ type: 'error', code: 'USAGE' })
  }
})

test('a body over the limit is refused unread', async () => {
  const answer = await send({ body: `"${'x'.repeat(9 * 1024 * 1024)}"` }).catch((error: unknown) => error)
  if (answer instanceof Error) expect((answer as NodeJS.ErrnoException).code).toMatch(/EPIPE|ECONNRESET/)
  else expect((answer as Answer).status).toBe(413)
})

test('what Segue says comes with its code; nothing of it breaks the daemon', async () => {
  const { text } = await send({ command: 'session.show', body: '{"session":"nothing"}' })
  expect(JSON.parse(text)).toMatchObject({ type: 'error', code: 'SESSION_UNKNOWN' })
  expect((await send()).status).toBe(200)
})
