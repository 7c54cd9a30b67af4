/** The plain automerge-repo app of examples/, in two processes on 127.0.0.1, before and after it took our adapters: one story for both. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createSubject } from '@segue/core'
import { openDeviceKeys } from '@segue/storage/automerge-repo'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { ROOT } from '../meta/source-files.ts'

const EXAMPLE = path.join(ROOT, 'examples/plain-automerge-repo')
const MAX_SWAPPED_LINES = 10

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'segue-example-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

test('at most ten lines of the app change', async () => {
  const lines = async (file: string): Promise<readonly string[]> => (await readFile(path.join(EXAMPLE, file), 'utf8')).split('\n')
  const before = new Set(await lines('before.ts'))
  const changed = (await lines('after.ts')).filter(line => !before.has(line))
  expect(changed.length).toBeLessThanOrEqual(MAX_SWAPPED_LINES)
})

test('its README shows the app as it is', async () => {
  const readme = await readFile(path.join(EXAMPLE, 'README.md'), 'utf8')
  for (const file of ['before.ts', 'after.ts']) expect(readme).toContain(await readFile(path.join(EXAMPLE, file), 'utf8'))
})

test('with automerge-repo’s own adapters, two processes share a list and find it again', async () => {
  const port = String(await freePort())
  await tellTheStory('before.ts', [path.join(folder, 'files-1'), port], [path.join(folder, 'files-2'), '', `ws://127.0.0.1:${port}`])
})

test('with ours, two processes share a list and find it again', async () => {
  const laptop = await device('laptop')
  const desk = await device('desk')
  await tellTheStory('after.ts', [laptop.directory, laptop.own, desk.address], [desk.directory, desk.own, laptop.address])
})

async function tellTheStory(program: string, laptopArguments: readonly string[], deskArguments: readonly string[]): Promise<void> {
  const laptop = start(program, laptopArguments)
  laptop.say('new')
  const url = await laptop.hears(/^automerge:\w+$/)
  laptop.say('add buy milk')
  await laptop.hears('[ ] buy milk')

  const desk = start(program, deskArguments)
  desk.say(`open ${url}`)
  await desk.hears('[ ] buy milk')
  desk.say('add call home')
  await laptop.hears('[ ] buy milk  [ ] call home')
  laptop.say('done 1')
  await desk.hears('[x] buy milk  [ ] call home')
  await Promise.all([laptop.end(), desk.end()])

  const again = start(program, laptopArguments)
  again.say(`open ${url}`)
  await again.hears('[x] buy milk  [ ] call home')
  await again.end()
}

interface Running {
  say(line: string): void
  /** Resolves with the first line printed that is this, or matches this. */
  hears(wanted: string | RegExp): Promise<string>
  end(): Promise<void>
}

function start(program: string, args: readonly string[]): Running {
  const tsx = path.join(ROOT, 'node_modules/tsx/dist/cli.mjs')
  const child: ChildProcess = spawn(process.execPath, [tsx, path.join(EXAMPLE, program), ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exit = once(child, 'exit')
  const output = createSubject('')
  child.stdout?.setEncoding('utf8').on('data', (text: string) => output.set(output.peek() + text))
  const find = (text: string, wanted: string | RegExp): string | undefined =>
    text.split('\n').find(line => (typeof wanted === 'string' ? line === wanted : wanted.test(line)))
  return {
    say: line => void child.stdin?.write(`${line}\n`),
    hears: async wanted => find(await output.when(text => find(text, wanted) !== undefined), wanted) ?? expect.fail('it was just there'),
    async end() {
      child.stdin?.end()
      expect(await exit).toEqual([0, null])
    },
  }
}

async function device(name: string): Promise<{ readonly directory: string; readonly own: string; readonly address: string }> {
  const directory = path.join(folder, name)
  const { id } = await openDeviceKeys(path.join(directory, 'device-keys'))
  const own = `/ip4/127.0.0.1/tcp/${await freePort()}`
  return { directory, own, address: `${own}/p2p/${id}` }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
