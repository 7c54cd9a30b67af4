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

export interface TestNetworks {
  readonly relay: readonly string[]
  readonly laptop: readonly string[]
  readonly desk: readonly string[]
  /** Where both networks reach the relay. */
  readonly relayAddress: string
  /** The desk's address on its own network, which the laptop has no way to. */
  readonly deskAddress: string
  remove(): void
}

/** Two networks with one device each, and a relay that both reach. It forwards nothing: there is no way from one device to the other. */
export function createTestNetworks(): TestNetworks {
  const prefix = `sn${process.pid % 100_000}`
  const names = { relay: `${prefix}-relay`, laptop: `${prefix}-laptop`, desk: `${prefix}-desk` }
  const remove = (): void => {
    for (const name of Object.values(names)) {
      try {
        ip('netns', 'del', name)
      } catch {
        // it was not made: the setup failed before
      }
    }
  }
  const relayAddress = '10.78.0.1'
  try {
    for (const name of Object.values(names)) {
      ip('netns', 'add', name)
      ip('-n', name, 'link', 'set', 'lo', 'up')
    }
    ip('-n', names.relay, 'addr', 'add', `${relayAddress}/32`, 'dev', 'lo')
    for (const [i, device] of [names.laptop, names.desk].entries()) {
      ip('link', 'add', 'eth0', 'netns', device, 'type', 'veth', 'peer', 'name', `p${i}`, 'netns', names.relay)
      ip('-n', names.relay, 'addr', 'add', `10.78.${i + 1}.1/24`, 'dev', `p${i}`)
      ip('-n', names.relay, 'link', 'set', `p${i}`, 'up')
      ip('-n', device, 'addr', 'add', `10.78.${i + 1}.2/24`, 'dev', 'eth0')
      ip('-n', device, 'link', 'set', 'eth0', 'up')
      ip('-n', device, 'route', 'add', 'default', 'via', `10.78.${i + 1}.1`)
    }
    execFileSync('ip', ['netns', 'exec', names.relay, 'sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward'], { stdio: 'ignore' })
  } catch (error) {
    remove()
    throw error
  }
  const on = (name: string): readonly string[] => ['ip', 'netns', 'exec', name]
  return { relay: on(names.relay), laptop: on(names.laptop), desk: on(names.desk), relayAddress, deskAddress: '10.78.2.2', remove }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
