/** What keeps the daemon alive, and what happens when it dies, does not start, or is started twice. */
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runSegue, segueJson, startSegue, type Shell } from './segue-process.ts'
import { createTemporaryHomes, ON_LOOPBACK } from './temporary-homes.ts'

const homes = createTemporaryHomes()
afterAll(() => homes.remove())

interface Address {
  readonly pid: number
  readonly supervisor: number
  readonly port: number
  readonly token: string
}

const runtimeOf = ({ home }: Shell): string => path.join(home, 'daemon.json')
const addressOf = (shell: Shell): Address => JSON.parse(readFileSync(runtimeOf(shell), 'utf8')) as Address

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('two ups at once start one daemon; killed it comes back with what it had; down ends all of it', async () => {
  const laptop = homes.shell('laptop')
  const up = ['up', '--keys', 'key-file', ...ON_LOOPBACK]
  const states = await Promise.all([segueJson<{ state: string }>(laptop, ...up), segueJson<{ state: string }>(laptop, ...up)])
  expect(states.map(({ state }) => state).sort()).toEqual(['already-running', 'running'])

  const { id } = await segueJson<{ id: string }>(laptop, 'session', 'create', 'Survives')
  const before = addressOf(laptop)
  process.kill(before.pid, 'SIGKILL')
  const { sessions } = await segueJson<{ sessions: readonly { id: string }[] }>(laptop, 'session', 'list')
  expect(sessions.map(session => session.id)).toEqual([id])
  const after = addressOf(laptop)
  expect([after.pid === before.pid, after.token === before.token, after.supervisor === before.supervisor]).toEqual([false, false, true])

  expect((await runSegue(laptop, 'down')).code).toBe(0)
  expect([isAlive(after.pid), isAlive(after.supervisor), existsSync(runtimeOf(laptop))]).toEqual([false, false, false])
})

test('a runtime file that a crash left behind is no daemon: commands say so, and up starts one', async () => {
  const desk = await homes.start('desk')
  const { pid, supervisor } = addressOf(desk)
  const stale = readFileSync(runtimeOf(desk))
  process.kill(supervisor, 'SIGKILL')
  process.kill(pid, 'SIGKILL')
  await expect.poll(() => isAlive(pid), { timeout: 20_000 }).toBe(false)
  writeFileSync(runtimeOf(desk), stale)
  expect((await runSegue(desk, 'status')).code).toBe(3)
  expect(await segueJson(desk, 'up')).toMatchObject({ state: 'running', name: 'desk' })
})

test('a daemon that cannot start says why, and nothing goes on trying', async () => {
  const phone = homes.shell('phone')
  writeFileSync(homes.file('not-a-folder', ''), '')
  const { code, stderr } = await runSegue({ home: path.join(homes.root, 'not-a-folder') }, 'up', '--keys', 'key-file', ...ON_LOOPBACK)
  expect([code, stderr]).toEqual([1, expect.stringContaining('not-a-folder is a file, not a folder.')])
  const wrong = await runSegue(phone, 'up', '--keys', 'key-file', '--no-mdns', '--listen', 'nonsense')
  expect([wrong.code, wrong.stderr, existsSync(phone.home)]).toEqual([
    2,
    expect.stringContaining('--listen takes addresses such as'),
    false,
  ])
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const taken = `/ip4/127.0.0.1/tcp/${(other.address() as AddressInfo).port}`
  const refused = await runSegue(phone, 'up', '--keys', 'key-file', '--no-mdns', '--listen', taken)
  other.close()
  expect(refused.stderr).toContain(`Segue cannot listen on ${taken}: another program listens there.`)
  expect([refused.code, existsSync(runtimeOf(phone))]).toEqual([1, false])
})

test('in the foreground it ends with its terminal', async () => {
  const tablet = homes.shell('tablet')
  const up = startSegue(tablet, 'up', '--foreground', '--keys', 'key-file', ...ON_LOOPBACK)
  await up.says(/is up as/)
  const { pid, supervisor } = addressOf(tablet)
  up.kill()
  await up.finished
  await expect.poll(() => isAlive(pid) || isAlive(supervisor), { timeout: 20_000 }).toBe(false)
  expect(existsSync(runtimeOf(tablet))).toBe(false)
})
