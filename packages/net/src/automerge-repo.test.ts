import { Repo } from '@automerge/automerge-repo'
import { runNetworkAdapterTests } from '@automerge/automerge-repo/helpers/tests/network-adapter-tests.js'
import { randomBytes } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { MIB } from '@segue/core'
import { createDevice } from '../test-support/cast.ts'
import { SegueNetworkAdapter } from './automerge-repo.ts'

const adapters: SegueNetworkAdapter[] = []

afterEach(() => {
  for (const adapter of adapters.splice(0)) adapter.disconnect()
})

/** Adapters that know each other's address, as after a QR or at a second start. */
async function createAdapters(count: number): Promise<SegueNetworkAdapter[]> {
  const devices = await Promise.all(Array.from({ length: count }, () => createDevice()))
  const addresses = await Promise.all(devices.map(async () => `/ip4/127.0.0.1/tcp/${await freePort()}`))
  const made = devices.map(({ id, signing }, i) => {
    const members = new Map(devices.flatMap((device, j) => (device.id === id ? [] : [[device.id, [addresses[j] as string]] as const])))
    return new SegueNetworkAdapter({ signing, members, listen: [addresses[i] as string] })
  })
  adapters.push(...made)
  return made
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

runNetworkAdapterTests(async () => {
  const [a, b, c] = (await createAdapters(3)) as [SegueNetworkAdapter, SegueNetworkAdapter, SegueNetworkAdapter]
  return { adapters: [a, b, c] }
}, '[N27] SegueNetworkAdapter')

test('[N27] a document larger than one frame crosses whole', async () => {
  const [a, b] = (await createAdapters(2)) as [SegueNetworkAdapter, SegueNetworkAdapter]
  const laptop = new Repo({ network: [a] })
  const desk = new Repo({ network: [b] })
  const blob = new Uint8Array(randomBytes(3 * MIB)) // random: it does not compress
  const handle = laptop.create({ blob })
  const found = await desk.find<{ blob: Uint8Array }>(handle.url)
  expect(found.doc().blob.length).toBe(blob.length)
  expect(Buffer.compare(found.doc().blob, blob)).toBe(0)
})
