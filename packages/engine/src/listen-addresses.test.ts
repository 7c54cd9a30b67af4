import { once } from 'node:events'
import { createServer } from 'node:net'
import { createMemoryRecordStore } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { keepListenAddresses, keptListenAddresses } from './listen-addresses.ts'

const PEER = '/p2p/12D3KooWAoU1nPLNYa8q4GNvCQC9rWnKWCbRVuLLPPVumNWhFNgD'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '0.0.0.0')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

test('a device listens on the ports it had before', async () => {
  const records = createMemoryRecordStore()
  expect(await keptListenAddresses(records)).toBeUndefined()
  const [tcp, ws] = [await freePort(), await freePort()]
  await keepListenAddresses(records, [`/ip4/192.168.1.5/tcp/${ws}/ws${PEER}`, `/ip4/192.168.1.5/tcp/${tcp}${PEER}`])
  expect(await keptListenAddresses(records)).toEqual([`/ip4/0.0.0.0/tcp/${tcp}`, `/ip4/0.0.0.0/tcp/${ws}/ws`])
})

test('when somebody else took a port, the system chooses anew', async () => {
  const records = createMemoryRecordStore()
  const ws = await freePort()
  const taken = createServer().listen(0, '0.0.0.0')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  await keepListenAddresses(records, [`/ip4/10.0.0.5/tcp/${port}${PEER}`, `/ip4/10.0.0.5/tcp/${ws}/ws${PEER}`])
  expect(await keptListenAddresses(records)).toBeUndefined()
  taken.close()
  await once(taken, 'close')
})
