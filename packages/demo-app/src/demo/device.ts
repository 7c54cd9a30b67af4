/** A device of the demo: a real daemon as a process of its own, in a folder of its own, on 127.0.0.1. */
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectToDaemon, type DaemonClient } from '../client/daemon-client.ts'
import { writeConfig } from '../config.ts'
import { isAlive } from '../daemon/is-alive.ts'
import { launchDaemon } from '../daemon/launch.ts'
import { resolvePaths, type Paths } from '../paths.ts'

export interface DemoDevice {
  readonly name: string
  /** SEGUE_HOME of this device. */
  readonly home: string
  readonly paths: Paths
  /** The daemon as it runs now; another object after a restart. */
  client(): DaemonClient
  start(): Promise<void>
  /** Ends the daemon cleanly and waits until it is gone. */
  stop(): Promise<void>
}

/**
 * Makes and starts a device; `lifetime` as in StartMessage. Its port stays the same over restarts, because without mDNS that is how the
 * other finds it.
 */
export async function createDemoDevice(name: string, home: string, lifetime: 'own' | 'starter'): Promise<DemoDevice> {
  const paths = resolvePaths({ SEGUE_HOME: home })
  await mkdir(home, { recursive: true, mode: 0o700 })
  const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`]
  await writeConfig(paths.config, { deviceName: name, keys: 'key-file', listen, mdns: false })
  let client: DaemonClient | undefined

  const device: DemoDevice = {
    name,
    home,
    paths,
    client() {
      if (client === undefined) throw new Error(`${name} is not running`)
      return client
    },
    async start() {
      const { answer } = await launchDaemon({ paths, deviceName: name, unlock: { kind: 'key-file' }, listen, mdns: false, lifetime })
      if (answer.type === 'failed') throw new Error(`${name} did not start: ${answer.message}`)
      client = await connectToDaemon(paths.runtime)
    },
    async stop() {
      const stopping = client
      client = undefined
      if (stopping === undefined) return
      await stopping.call('stop')
      for (let waited = 0; waited < 20_000 && isAlive(stopping.address.pid); waited += 20) await sleep(20)
    },
  }
  await device.start()
  return device
}

export function demoHomes(root: string): { readonly laptop: string; readonly desk: string } {
  return { laptop: path.join(root, 'laptop'), desk: path.join(root, 'desk') }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('broken promise: a TCP server has a port')
  return address.port
}
