/** Hosts of the tests' own: network namespaces joined by veth pairs. Nothing in them reaches the machine's real interfaces. */
import { execFileSync } from 'node:child_process'

export interface TestLan {
  /** What to put before a command so that it runs on that host. */
  on(host: number): readonly string[]
  /** The host's address. */
  address(host: number): string
  /** Cuts or mends the host's cable. */
  plug(host: number, isPlugged: boolean): void
  remove(): void
}

/** Undefined when hosts can be made here, else why not. */
export function whyNoNamespaces(): string | undefined {
  const probe = `segue-probe-${process.pid}`
  try {
    ip('netns', 'add', probe)
    ip('netns', 'del', probe)
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT'
      ? 'iproute2 is not installed'
      : 'ip netns is not allowed here'
  }
}

/** `count` hosts on one switch, 10.77.0.1 and up. */
export function createTestLan(count: number): TestLan {
  const prefix = `sg${process.pid % 100_000}`
  const hub = `${prefix}-hub`
  const hosts = Array.from({ length: count }, (_, i) => `${prefix}-${i}`)
  const remove = (): void => {
    for (const name of [...hosts, hub]) {
      try {
        ip('netns', 'del', name)
      } catch {
        // it was not made: the setup failed before
      }
    }
  }
  try {
    ip('netns', 'add', hub)
    ip('-n', hub, 'link', 'add', 'br0', 'type', 'bridge')
    ip('-n', hub, 'link', 'set', 'br0', 'up')
    hosts.forEach((host, i) => {
      ip('netns', 'add', host)
      ip('-n', host, 'link', 'set', 'lo', 'up')
      ip('link', 'add', 'eth0', 'netns', host, 'type', 'veth', 'peer', 'name', `p${i}`, 'netns', hub)
      ip('-n', host, 'addr', 'add', `10.77.0.${i + 1}/24`, 'dev', 'eth0')
      ip('-n', host, 'link', 'set', 'eth0', 'up')
      ip('-n', host, 'route', 'add', 'default', 'dev', 'eth0')
      ip('-n', hub, 'link', 'set', `p${i}`, 'master', 'br0')
      ip('-n', hub, 'link', 'set', `p${i}`, 'up')
    })
  } catch (error) {
    remove()
    throw error
  }
  const nameOf = (host: number): string => hosts[host] as string
  return {
    on: host => ['ip', 'netns', 'exec', nameOf(host)],
    address: host => `10.77.0.${host + 1}`,
    plug: (host, isPlugged) => ip('-n', hub, 'link', 'set', `p${host}`, isPlugged ? 'up' : 'down'),
    remove,
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
