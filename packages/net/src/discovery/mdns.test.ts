import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

/** Two network namespaces joined by a veth pair: mDNS never leaves them. */
const names = [`segue-a-${process.pid}`, `segue-b-${process.pid}`] as const
const program = fileURLToPath(new URL('../../test-support/bundle/mdns-device.js', import.meta.url))
const children: ChildProcess[] = []

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' })
}

function mayMakeNamespaces(): boolean {
  try {
    for (const name of names) ip('netns', 'add', name)
    ip('link', 'add', 'segue0', 'netns', names[0], 'type', 'veth', 'peer', 'name', 'segue0', 'netns', names[1])
    for (const name of names) ip('-n', name, 'link', 'set', 'lo', 'up')
    return true
  } catch {
    return false
  }
}

const isAllowed = mayMakeNamespaces()

afterAll(async () => {
  for (const child of children.filter(({ exitCode }) => exitCode === null)) {
    await new Promise(resolve => {
      child.once('exit', resolve)
      child.stdin?.end()
    })
  }
  for (const name of names) {
    try {
      ip('netns', 'del', name)
    } catch {
      // never made
    }
  }
})

interface Running {
  /** The first line with `key`, said before or later, for which `holds`. */
  said(key: string, holds?: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>
}

function start(namespace: string, ...args: readonly string[]): Running {
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  const lines: Record<string, unknown>[] = []
  const listeners = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', line => {
    lines.push(JSON.parse(line) as Record<string, unknown>)
    for (const listener of listeners) listener()
  })
  return {
    said: (key, holds = () => true) =>
      new Promise(resolve => {
        const look = (): void => {
          const line = lines.find(candidate => key in candidate && holds(candidate))
          if (line === undefined) return
          listeners.delete(look)
          resolve(line)
        }
        listeners.add(look)
        look()
      }),
  }
}

test.skipIf(!isAllowed)(
  '[N25] two devices without addresses find each other on an interface that came up later, link, and show who has pairing open (needs ip netns)',
  async () => {
    const laptop = start(names[0], '1', '2', 'Laptop')
    const desk = start(names[1], '2', '1', 'Desk')
    const { ready: laptopId } = await laptop.said('ready')
    const { ready: deskId } = await desk.said('ready')
    names.forEach((name, i) => {
      ip('-n', name, 'addr', 'add', `10.77.0.${i + 1}/24`, 'dev', 'segue0')
      ip('-n', name, 'link', 'set', 'segue0', 'up')
    })
    const hasSome = ({ nearby }: Record<string, unknown>): boolean => (nearby as unknown[]).length > 0
    const { nearby } = await laptop.said('nearby', hasSome)
    expect(nearby).toMatchObject([
      {
        id: deskId,
        name: 'Desk',
        addresses: [expect.stringContaining('/ip4/10.77.0.2/tcp/'), expect.stringContaining('/ip4/10.77.0.2/tcp/')],
      },
    ])
    expect((await laptop.said('linked')).linked).toBe(deskId)
    expect((await desk.said('linked')).linked).toBe(laptopId)
  },
)
