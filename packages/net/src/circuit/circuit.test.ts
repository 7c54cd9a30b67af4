import { createServer, type AddressInfo } from 'node:net'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import { CHANNELS, createSubject, utf8, type DeviceId } from '@segue/core'
import { createDevice, createPair, linkTo, startNode, stopAll, type Device, type Recorded } from '../../test-support/cast.ts'
import { dialRaw, linkRaw, record, startRawPeer, stopRawPeers } from '../../test-support/raw-peer.ts'
import type { NodeOptions } from '../net-node.ts'
import { webrtcThroughRelays } from '../webrtc.ts'
import { STOP_PROTOCOL } from './hop-messages.ts'
import { SIGNALING_PROTOCOL } from './webrtc-upgrade.ts'

afterEach(async () => {
  await stopRawPeers()
  await stopAll()
})

const everybody = { mayReach: () => true }

/** A relay for `members`. */
async function startRelay(members: readonly Device[], options: Partial<NodeOptions> = {}, device?: Device): Promise<Recorded> {
  return startNode(device ?? (await createDevice()), members, { circuits: everybody, ...options })
}

/** Dials out and cannot be dialled, unless told otherwise. */
async function startBehind(
  device: Device,
  members: readonly Device[],
  relay: Recorded,
  options: Partial<NodeOptions> = {},
): Promise<Recorded> {
  const started = await startNode(device, [...members, relay.device], { listen: [], ...options })
  know(started, members, relay)
  return started
}

function know(from: Recorded, members: readonly Device[], relay: Recorded): void {
  const known = new Map<DeviceId, readonly string[]>(members.map(({ id }) => [id, []]))
  from.node.setMembers(new Map([...known, [relay.device.id, relay.node.addresses.peek()]]), { relays: new Set([relay.device.id]) })
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

function portOf(node: Recorded): string {
  return /tcp\/(\d+)/.exec(node.node.addresses.peek()[0] ?? '')?.[1] ?? ''
}

test('[N38] two devices that cannot be dialled link through their relay, on every channel', async () => {
  const [a, b] = await createPair()
  const relay = await startRelay([a, b])
  const laptop = await startBehind(a, [b], relay)
  const desk = await startBehind(b, [a], relay)
  const link = await linkTo(laptop, b)
  expect([link.path, (await linkTo(desk, a)).path]).toEqual(['relayed', 'relayed'])
  for (const channel of CHANNELS) await link.send(channel, utf8(channel))
  await link.send('sync-bulk', new Uint8Array(600_000).fill(7))
  const arrived = await desk.arrivals.when(list => list.length === CHANNELS.length + 1)
  expect(new Set(arrived.map(({ channel }) => channel))).toEqual(new Set(CHANNELS))
  expect(Math.max(...arrived.map(({ frame }) => frame.length))).toBe(600_000)
  expect(relay.arrivals.peek()).toEqual([])
})

test('[N38] the relay is asked who may reach whom, for every circuit', async () => {
  const [a, b] = await createPair()
  const asked = createSubject<readonly string[]>([])
  const mayReach = (from: DeviceId, to: DeviceId): boolean => {
    asked.set([...asked.peek(), `${from} ${to}`])
    return false
  }
  const relay = await startRelay([a, b], { circuits: { mayReach } })
  const laptop = await startBehind(a, [b], relay)
  await startBehind(b, [a], relay)
  await asked.when(list => list.includes(`${a.id} ${b.id}`) && list.includes(`${b.id} ${a.id}`))
  expect(laptop.node.links.peek().has(b.id)).toBe(false)
})

test('[N38] a stranger gets no circuit of a relay, though it may knock there for something else', async () => {
  const [a, b] = await createPair()
  const asked: DeviceId[] = []
  const relay = await startRelay([b], {
    circuits: { mayReach: from => asked.push(from) > 0 },
    protocols: [{ protocol: '/open/1', to: 'strangers', onStream: () => undefined }],
  })
  const desk = await startBehind(b, [], relay)
  await linkTo(desk, relay.device)
  const stranger = await startRawPeer(a)
  await dialRaw(stranger, relay)
  await expect(stranger.dial(multiaddr(`${relay.node.addresses.peek()[0]}/p2p-circuit/p2p/${b.id}`))).rejects.toThrow()
  expect(asked).toEqual([])
})

test('[N38] through a circuit come members only, even while pairing stands open', async () => {
  const [a, b] = await createPair()
  const circuits = createSubject(0)
  const relay = await startRelay([a, b], { circuits: { ...everybody, onCircuits: n => circuits.set(circuits.peek() + n) } })
  const desk = await startBehind(b, [], relay)
  const links: unknown[] = []
  desk.node.pairing.open('Desk', link => links.push(link))
  await linkTo(desk, relay.device)
  const stranger = await startRawPeer(a)
  await dialRaw(stranger, relay)
  const address = multiaddr(`${relay.node.addresses.peek()[0]}/p2p-circuit/p2p/${b.id}`)
  await expect(stranger.dial(address)).rejects.toThrow(/status/)
  await expect(stranger.dial(address)).rejects.toThrow(/status/)
  expect([links.length, desk.ups.peek().length, circuits.peek()]).toEqual([0, 1, 0])
})

test('[N38] nobody but a relay of the group brings circuits', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const member = await startRawPeer(a)
  const connection = await dialRaw(member, desk)
  await linkRaw(connection)
  await linkTo(desk, a)
  const bringing = record(await connection.newStream(STOP_PROTOCOL))
  await bringing.ended.when(ended => ended)
  expect(bringing.received.peek()).toHaveLength(0)
})

test('[N39] a relay that was down at the start and one that restarts is made use of again, by itself', async () => {
  const [a, b] = await createPair()
  const first = await startRelay([a, b])
  await first.node.close()
  const listen = [`/ip4/127.0.0.1/tcp/${portOf(first)}`]
  const laptop = await startBehind(a, [b], first)
  const desk = await startBehind(b, [a], first)
  const second = await startRelay([a, b], { listen }, first.device)
  await laptop.node.links.when(links => links.get(b.id)?.path === 'relayed')
  await second.node.close()
  await laptop.node.links.when(links => links.size === 0)
  await startRelay([a, b], { listen }, first.device)
  await laptop.node.links.when(links => links.get(b.id)?.path === 'relayed')
  const link = await linkTo(laptop, b)
  await link.send('control', utf8('here again'))
  await desk.arrivals.when(list => list.some(({ frame }) => frame.length === 10))
})

test('[N40] a link through a relay gives way to one past it as soon as there is a way, on both sides', async () => {
  const [a, b] = await createPair()
  const relay = await startRelay([a, b])
  const laptop = await startBehind(a, [b], relay)
  const port = await freePort()
  const desk = await startBehind(b, [a], relay, { listen: [`/ip4/127.0.0.1/tcp/${port}`], announce: [] })
  const relayed = await linkTo(laptop, b)
  expect(relayed.path).toBe('relayed')
  const frames = Array.from({ length: 40 }, (_, i) => new Uint8Array(20_000).fill(i))
  const sent = Promise.allSettled(frames.map(frame => relayed.send('sync-live', frame)))
  laptop.node.setMembers(
    new Map([
      [b.id, [`/ip4/127.0.0.1/tcp/${port}`]],
      [relay.device.id, relay.node.addresses.peek()],
    ]),
    { relays: new Set([relay.device.id]) },
  )
  await laptop.node.links.when(links => links.get(b.id)?.path === 'lan')
  await desk.node.links.when(links => links.get(a.id)?.path === 'lan')
  expect(await desk.closes.when(codes => codes.length > 0)).toEqual(['duplicate'])
  await sent
  const arrived = desk.arrivals.peek().map(({ frame }) => frame[0])
  expect(arrived).toEqual(arrived.map((_, i) => i)) // whatever came before the end came in order
})

test('[N40] a device whose address is told over the relayed link is dialled there at once', async () => {
  const [a, b] = await createPair()
  const relay = await startRelay([a, b])
  const laptop = await startBehind(a, [b], relay)
  await startBehind(b, [a], relay, { listen: ['/ip4/127.0.0.1/tcp/0'] })
  await laptop.node.links.when(links => links.get(b.id)?.path === 'lan')
  expect(laptop.ups.peek().map(({ path }) => path)).toContain('relayed')
})

test('[N40] a link past the relays is not given up for one through a relay', async () => {
  const [a, b] = await createPair()
  const relay = await startRelay([a, b])
  const desk = await startBehind(b, [a], relay, { listen: ['/ip4/127.0.0.1/tcp/0'] })
  const laptop = await startBehind(a, [b], relay)
  laptop.node.setMembers(
    new Map([
      [b.id, desk.node.addresses.peek()],
      [relay.device.id, relay.node.addresses.peek()],
    ]),
    { relays: new Set([relay.device.id]) },
  )
  const direct = await laptop.node.links.when(links => links.get(b.id)?.path === 'lan').then(links => links.get(b.id))
  await desk.node.links.when(links => links.get(a.id)?.path === 'lan')
  expect(direct?.closed.aborted).toBe(false)
  expect(desk.closes.peek().filter(code => code === 'lost')).toEqual([])
})

test('[N42] nobody is answered about WebRTC but members, and they only over a circuit', async () => {
  const [a, b] = await createPair()
  const relay = await startRelay([b])
  const options = { listen: ['/ip4/127.0.0.1/tcp/0'], loadWebrtc: async () => webrtcThroughRelays() }
  const desk = await startBehind(b, [a], relay, options)
  desk.node.group.open(() => undefined) // so that strangers come as far as that
  await linkTo(desk, relay.device)
  for (const device of [a, await createDevice()]) {
    const connection = await dialRaw(await startRawPeer(device), desk)
    const open = (): Promise<Stream | undefined> => connection.newStream(SIGNALING_PROTOCOL).catch(() => undefined)
    let stream: Stream | undefined
    await expect.poll(async () => (stream ??= await open()) !== undefined).toBe(true) // it is being loaded
    const asking = record(stream as Stream)
    await asking.ended.when(ended => ended)
    expect(asking.received.peek()).toHaveLength(0)
  }
})
