/** Two devices of one group, each a process of its own behind a wire that can delay, count and cut. */
import { once } from 'node:events'
import { cp } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import type { Opened, SegueDevice } from './devices/segue.ts'
import { startRemote, type RemoteProcess } from './remote.ts'
import { bareWire, openWire, type Wire, type WireOptions } from './wire.ts'

export interface Device {
  readonly call: RemoteProcess<SegueDevice>['call']
  readonly opened: Opened
  readonly wire: Wire
  /** Where others reach it: through the wire. */
  readonly address: string
  stop(): Promise<void>
}

export interface Pair {
  readonly laptop: Device
  readonly desk: Device
  stop(): Promise<void>
}

/** `'bare'`: other devices reach it without anything in between. */
export type Line = WireOptions | 'bare'

export async function startDevice(name: string, directory: string, line: Line = {}): Promise<Device> {
  const remote = startRemote<SegueDevice>(new URL('./devices/segue.ts', import.meta.url))
  const port = await freePort()
  const wire = line === 'bare' ? bareWire(port) : await openWire(port, line)
  const address = `/ip4/127.0.0.1/tcp/${wire.port}`
  const opened = await remote.call.open({ directory, name, listen: `/ip4/127.0.0.1/tcp/${port}`, announce: address })
  return {
    call: remote.call,
    opened,
    wire,
    address,
    async stop() {
      await remote.call.close()
      await remote.stop()
      await wire.close()
    },
  }
}

/** Paired and in sync. */
export async function startPair(directory: string, line: Line = {}): Promise<Pair> {
  const laptop = await startDevice('laptop', path.join(directory, 'laptop'), line)
  const desk = await startDevice('desk', path.join(directory, 'desk'), line)
  await laptop.call.confirm(await desk.call.join(await laptop.call.invite()))
  await desk.call.joined()
  await Promise.all([laptop.call.whenInSync(), desk.call.whenInSync()])
  return { laptop, desk, stop: () => stopBoth({ laptop, desk }) }
}

/** The devices of `template` (a folder of a stopped pair), on copies of their stores. They do not know each other's addresses yet. */
export async function startCopies(template: string, directory: string, options: WireOptions = {}): Promise<Pair> {
  await copyStores(template, directory)
  const laptop = await startDevice('laptop', path.join(directory, 'laptop'), options)
  const desk = await startDevice('desk', path.join(directory, 'desk'), options)
  return { laptop, desk, stop: () => stopBoth({ laptop, desk }) }
}

export async function copyStores(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, preserveTimestamps: true })
}

async function stopBoth({ laptop, desk }: { readonly laptop: Device; readonly desk: Device }): Promise<void> {
  await Promise.all([laptop.stop(), desk.stop()])
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}
