/** Gathers the facts that doctor judges (findings.ts): from the daemon, this machine's interfaces, and a try at its own ports. */
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { DaemonDown, connectToDaemon } from '../client/daemon-client.ts'
import type { Paths } from '../paths.ts'
import type { DoctorAnswer } from './facts.ts'
import { findingsOf, type Finding } from './findings.ts'

const CONNECT_DEADLINE_MS = 1_500

export async function examine(paths: Paths): Promise<readonly Finding[]> {
  const interfaces = Object.entries(networkInterfaces())
  const names = interfaces.filter(([, addresses]) => addresses?.some(address => !address.internal) === true).map(([name]) => name)
  const answer = await askDaemon(paths)
  return findingsOf({
    daemon: answer,
    closedAddresses: answer === undefined ? [] : await closedOf(answer.addresses),
    interfaces: names,
    // Loopback alone is meant where the daemon was told to listen there.
    hasPrivateAddress: names.length > 0 || answer?.addresses.some(address => address.includes('/127.0.0.1/')) === true,
  })
}

async function askDaemon(paths: Paths): Promise<DoctorAnswer | undefined> {
  try {
    return await (await connectToDaemon(paths.runtime)).call<DoctorAnswer>('doctor')
  } catch (error) {
    if (error instanceof DaemonDown) return undefined
    throw error
  }
}

/** Those that take no connection from this machine. Whether another machine gets through, only that one can say. */
export async function closedOf(addresses: readonly string[]): Promise<readonly string[]> {
  const tcp = addresses.flatMap(address => {
    const [, host, port] = /^\/ip[46]\/([^/]+)\/tcp\/(\d+)/.exec(address) ?? []
    return host === undefined || port === undefined ? [] : [{ address: `${host}:${port}`, host, port: Number(port) }]
  })
  const tried = await Promise.all(tcp.map(async ({ address, host, port }) => ((await isOpen(host, port)) ? undefined : address)))
  return [...new Set(tried.filter(address => address !== undefined))]
}

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: CONNECT_DEADLINE_MS })
    const settle = (open: boolean): void => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
    socket.once('timeout', () => settle(false))
  })
}
