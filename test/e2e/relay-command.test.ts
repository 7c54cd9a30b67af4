/** `segue relay`: a real relay process, and what the command says of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'
import { createTemporaryHomes } from './temporary-homes.ts'

const ENTRY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../packages/relay/bin/segue-relay.js')
const homes = createTemporaryHomes()
let laptop: Shell
let invite = ''
let stopRelay = async (): Promise<void> => undefined

beforeAll(async () => {
  const listen = ['--listen', '/ip4/127.0.0.1/tcp/0', '--ops', 'off', '--log-level', 'error']
  const relay = spawn(process.execPath, [ENTRY, '--data', path.join(homes.root, 'relay'), ...listen, 'serve'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  stopRelay = async () => {
    const ended = once(relay, 'exit')
    relay.kill('SIGTERM')
    await ended
  }
  for await (const line of createInterface({ input: relay.stderr })) {
    invite = /segue-relay1:[\w-]+/.exec(line)?.[0] ?? ''
    if (invite !== '') break
  }
  relay.stderr.resume()
  laptop = await homes.start('laptop')
}, 120_000)
afterAll(async () => {
  await stopRelay()
  await homes.remove()
})

interface Listed {
  readonly relays: readonly { readonly id: string; readonly state: string; readonly members: string; readonly sync: string }[]
}

test('an invite is added from a pipe, listed, seen in status and with a session, and the relay removed', async () => {
  expect(await segueJson<Listed>(laptop, 'relay', 'list')).toEqual({ schemaVersion: 1, relays: [] })
  const wrong = await runSegue(laptop, '--json', 'relay', 'add', 'segue-relay1:nonsense')
  expect([wrong.code, JSON.parse(wrong.stdout)]).toMatchObject([1, { schemaVersion: 1, error: { code: 'RELAY_INVITE_INVALID' } }])

  const adding = startSegue(laptop, '--json', 'relay', 'add', '-')
  adding.type(invite)
  const added = await adding.finished
  expect(added.code, added.stderr).toBe(0)
  const { relay } = JSON.parse(added.stdout) as { readonly relay: { readonly id: string; readonly addresses: readonly string[] } }
  expect(relay.addresses[0]).toContain('/ip4/127.0.0.1/')

  await expect
    .poll(() => segueJson<Listed>(laptop, 'relay', 'list'), { timeout: 30_000, interval: 100 })
    .toMatchObject({ relays: [{ id: relay.id, state: 'linked', members: 'current', sync: 'in-sync' }] })
  const text = await runSegue(laptop, 'relay', 'list')
  expect(text.stdout).toMatch(/linked +in-sync +your group/)
  await segueJson(laptop, 'session', 'import', homes.file('note.txt', 'hello\n'))
  await expect
    .poll(async () => (await runSegue(laptop, 'session', 'show', 'note.txt')).stdout, { timeout: 30_000, interval: 100 })
    .toContain('on 0 other device(s) and 1 relay(s)')
  expect((await runSegue(laptop, 'status')).stdout).toMatch(/relays {4}1 of 1 linked[^]*a relay has it, sealed/)

  const gone = await runSegue(laptop, 'relay', 'remove', relay.id.slice(-8))
  expect([gone.code, gone.stdout.includes('not used any more')], gone.stderr).toEqual([0, true])
  expect(await segueJson<Listed>(laptop, 'relay', 'list')).toEqual({ schemaVersion: 1, relays: [] })
  const again = await runSegue(laptop, '--json', 'relay', 'remove', relay.id)
  expect([again.code, JSON.parse(again.stdout)]).toMatchObject([1, { error: { code: 'RELAY_UNKNOWN' } }])
}, 120_000)
