import { createServer, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { CLOSE_CODES } from '@segue/core'
import type { Random } from '@segue/core/ports'
import { createDevice, createPair, knowing, linkTo, startNode, stopAll } from '../../test-support/cast.ts'
import { dialRaw, linkRaw, startRawPeer, stopRawPeers } from '../../test-support/raw-peer.ts'
import { encodeSignal } from './frame-reader.ts'
import { RECONNECT_FIRST_MS, RECONNECT_MAX_MS } from '../limits.ts'
import { jitteredDelay } from './reconnect.ts'

const servers: ReturnType<typeof createServer>[] = []
const sockets = new Set<Socket>()

afterEach(async () => {
  await stopRawPeers()
  await stopAll()
  for (const socket of sockets) socket.destroy()
  await Promise.all(servers.splice(0).map(server => new Promise(resolve => server.close(resolve))))
})

test.each([1, 2, 3, 4, 5])('[N11] when both dial at once one link stays, the same on both sides (%i)', async () => {
  const [a, b] = await createPair()
  const laptop = await startNode(a, [b])
  const desk = await startNode(b, [a])
  laptop.node.setMembers(knowing(desk))
  desk.node.setMembers(knowing(laptop))
  await linkTo(laptop, b)
  await linkTo(desk, a)
  // A frame each way, answered, proves that both ends hold the two ends of one connection.
  await expect
    .poll(async () => {
      const [mine, theirs] = [laptop.node.links.peek().get(b.id), desk.node.links.peek().get(a.id)]
      return mine !== undefined && theirs !== undefined && mine.outbound !== theirs.outbound
    })
    .toBe(true)
  const toDesk = await linkTo(laptop, b)
  const before = desk.arrivals.peek().length
  await toDesk.send('control', new Uint8Array([1]))
  await desk.arrivals.when(list => list.length === before + 1)
  expect(laptop.ups.peek().filter(link => !link.closed.aborted)).toHaveLength(1)
  expect(desk.ups.peek().filter(link => !link.closed.aborted)).toHaveLength(1)
})

test('[N11] a second connection by the same dialler replaces the first', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(a, [b])
  const raw = await startRawPeer(b)
  const first = await linkRaw(await dialRaw(raw, desk))
  await linkTo(desk, b)
  const second = await linkRaw(await dialRaw(raw, desk))
  expect(await desk.closes.when(codes => codes.length > 0)).toEqual(['duplicate'])
  const lastWord = await first.get('sync-live')?.received.when(received => received.length > 0)
  expect(lastWord).toEqual(encodeSignal('close', CLOSE_CODES.duplicate))
  await desk.ups.when(links => links.length === 2)
  expect(second.get('control')?.ended.peek()).toBe(false)
})

test('[N12] a peer that restarts is linked again', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const port = /tcp\/(\d+)/.exec(desk.node.addresses.peek()[0] ?? '')?.[1]
  const laptop = await startNode(a, [b], { members: knowing(desk) })
  await linkTo(laptop, b)
  await desk.node.close()
  await laptop.closes.when(codes => codes.length === 1)
  const again = await startNode(b, [a], { listen: [`/ip4/127.0.0.1/tcp/${port}`] })
  await linkTo(again, a)
  await linkTo(laptop, b)
  expect(laptop.closes.peek()).toEqual(['shutting-down'])
})

test('[N13] the delay is anything below a ceiling that doubles from 100 ms to 30 s', () => {
  const most: Random = { bytes: length => new Uint8Array(length).fill(0xff) }
  const least: Random = { bytes: length => new Uint8Array(length) }
  const delay = (failures: number, random: Random): number =>
    jitteredDelay(failures, { firstMs: RECONNECT_FIRST_MS, maxMs: RECONNECT_MAX_MS, random })
  const ceilings = [1, 2, 3, 9, 10, 60].map(failures => Math.ceil(delay(failures, most)))
  expect(ceilings).toEqual([100, 200, 400, 25_600, 30_000, 30_000])
  expect(delay(60, least)).toBe(0)
})

test('[N14] a member whose address was unknown is dialled as soon as it is known', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const laptop = await startNode(a, [b], { members: new Map([[b.id, []]]) })
  expect(laptop.node.links.peek().size).toBe(0)
  laptop.node.setMembers(knowing(desk))
  await linkTo(laptop, b)
})

test('[N15] an address where nobody answers does not hold up the others', async () => {
  const silent = createServer(socket => void sockets.add(socket))
  servers.push(silent)
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { port: number }
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const addresses = [`/ip4/127.0.0.1/tcp/${port}`, '/ip4/127.0.0.1/tcp/1', ...desk.node.addresses.peek()]
  const laptop = await startNode(a, [b], { members: new Map([[b.id, addresses]]) })
  await linkTo(laptop, b)
  await expect.poll(() => sockets.size).toBe(1)
  expect(laptop.node.addressesOf(b.id)[0]).toBe(desk.node.addresses.peek()[0]?.replace(/\/p2p\/.*/, ''))
})

test('[N15] the acceptor learns from the hello where it can dial back', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const laptop = await startNode(a, [b], { members: knowing(desk) })
  await linkTo(desk, a)
  expect(desk.node.addressesOf(a.id).map(address => `${address}/p2p/${a.id}`)).toEqual(laptop.node.addresses.peek())
})

test('[N16] whoever answers at the address of a member without its key is not linked', async () => {
  const [laptopDevice, deskDevice, impostorDevice] = [await createDevice(), await createDevice(), await createDevice()]
  const impostor = await startNode(impostorDevice, [laptopDevice])
  const address = impostor.node.addresses.peek()[0]?.replace(/\/p2p\/.*/, '') ?? ''
  const laptop = await startNode(laptopDevice, [deskDevice])
  await expect(laptop.node.group.dial({ device: deskDevice.id, addresses: [address] })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  expect(impostor.ups.peek()).toEqual([])
})
