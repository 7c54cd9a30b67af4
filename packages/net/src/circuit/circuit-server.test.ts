import { assert, constantFrom, oneof, property, tuple, uint8Array } from 'fast-check'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test } from 'vitest'
import { CHANNELS, PAIRING_PROTOCOL, PROTOCOL_OF, concatBytes, encodeCbor, publicKeyOf, toHex, utf8, type DeviceId } from '@segue/core'
import type { Clock } from '@segue/core/ports'
import type { Connection, Stream } from '@libp2p/interface'
import {
  createDevice,
  createManualClock,
  createPair,
  linkTo,
  startNode,
  stopAll,
  type Device,
  type Recorded,
} from '../../test-support/cast.ts'
import { dialRaw, frame, startRawPeer, stopRawPeers, type RawPeer } from '../../test-support/raw-peer.ts'
import { CIRCUIT_BURST_BYTES } from '../limits.ts'
import { systemClock } from '../system-clock.ts'
import { createCircuitServer, type CircuitServing } from './circuit-server.ts'
import { HOP_PROTOCOL, STOP_PROTOCOL, decodeHopRequest, encodeHopStatus, isStopAgreed } from './hop-messages.ts'

afterEach(async () => {
  await stopRawPeers()
  await stopAll()
})

const RESERVE = new Uint8Array([8, 0])
const AGREED = new Uint8Array([8, 1, 32, 100])

function connectTo(device: DeviceId): Uint8Array {
  const id = concatBytes(new Uint8Array([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]), publicKeyOf(device))
  return concatBytes(new Uint8Array([8, 1, 18, id.length + 2, 10, id.length]), id)
}

async function ask(connection: Connection, request: Uint8Array): Promise<{ readonly answer: Uint8Array; readonly stream: Stream }> {
  const stream = await connection.newStream(HOP_PROTOCOL)
  const messages = lpStream(stream)
  await messages.write(request)
  const answer = (await messages.read()).subarray()
  return { answer, stream: messages.unwrap() }
}

/** Agrees to every circuit and gives its end of each. */
async function reachable(peer: RawPeer, relay: Recorded, onStream: (stream: Stream) => void): Promise<void> {
  const agree = async (stream: Stream): Promise<void> => {
    const messages = lpStream(stream)
    await messages.read()
    await messages.write(AGREED)
    onStream(messages.unwrap())
  }
  await peer.handle(STOP_PROTOCOL, agree, { force: true })
  expect((await ask(await dialRaw(peer, relay), RESERVE)).answer).toContain(100)
}

interface Scene {
  readonly a: Device
  readonly b: Device
  readonly relay: Recorded
  readonly laptop: RawPeer
  readonly desk: RawPeer
}

async function startPair(serving: Partial<CircuitServing> = {}, clock: Clock = systemClock): Promise<Scene> {
  const [a, b] = await createPair()
  const relay = await startNode(await createDevice(), [a, b], { circuits: { mayReach: () => true, ...serving }, clock })
  const [laptop, desk] = [await startRawPeer(a), await startRawPeer(b)]
  return { a, b, relay, laptop, desk }
}

test('[N41] who does not read holds back the writer: the relay keeps no more than the streams do', async () => {
  const { b, relay, laptop, desk } = await startPair()
  await reachable(desk, relay, stream => stream.pause())
  const { stream } = await ask(await dialRaw(laptop, relay), connectTo(b.id))
  const heapBefore = process.memoryUsage().arrayBuffers
  const piece = new Uint8Array(64 * 1024)
  let sent = 0
  while (sent < CIRCUIT_BURST_BYTES * 4 && !stream.writableNeedsDrain) {
    stream.send(piece)
    sent += piece.length
    await new Promise(resolve => setImmediate(resolve))
  }
  expect(stream.writableNeedsDrain).toBe(true)
  expect(sent).toBeLessThan(CIRCUIT_BURST_BYTES)
  expect(process.memoryUsage().arrayBuffers - heapBefore).toBeLessThan(CIRCUIT_BURST_BYTES * 4)
})

test('[N41] what one device moves is held to its rate, and all of it arrives', async () => {
  const clock = createManualClock()
  const { b, relay, laptop, desk } = await startPair({ bytesPerSecond: 1_000_000 }, clock)
  let received = 0
  await reachable(desk, relay, stream => stream.addEventListener('message', ({ data }) => (received += data.byteLength)))
  const { stream } = await ask(await dialRaw(laptop, relay), connectTo(b.id))
  const size = CIRCUIT_BURST_BYTES * 2
  stream.send(new Uint8Array(size))
  await expect.poll(() => received).toBeGreaterThanOrEqual(CIRCUIT_BURST_BYTES)
  for (let i = 0; i < 50; i++) await new Promise(resolve => setImmediate(resolve))
  expect(received).toBeLessThan(size)
  await expect.poll(() => (clock.advance(500), received)).toBe(size)
})

test('[N41] what was sent before the end of a circuit arrives, also when it had to wait', async () => {
  const clock = createManualClock()
  const { b, relay, laptop, desk } = await startPair({ bytesPerSecond: 1_000_000 }, clock)
  let received = 0
  let hasEnded = false
  await reachable(desk, relay, stream => {
    stream.addEventListener('message', ({ data }) => (received += data.byteLength))
    stream.addEventListener('remoteCloseWrite', () => (hasEnded = true))
  })
  const { stream } = await ask(await dialRaw(laptop, relay), connectTo(b.id))
  const size = CIRCUIT_BURST_BYTES + 200_000
  stream.send(new Uint8Array(size))
  void stream.close().catch(() => undefined)
  await expect.poll(() => received).toBeGreaterThanOrEqual(CIRCUIT_BURST_BYTES)
  for (let i = 0; i < 200; i++) await new Promise(resolve => setImmediate(resolve)) // now the end is at the relay as well
  await expect.poll(() => (clock.advance(500), hasEnded)).toBe(true)
  expect(received).toBe(size)
})

test('[N41] one device has so many circuits at a time, and room again when one ends', async () => {
  const counts: number[] = []
  const { b, relay, laptop, desk } = await startPair({ maxCircuits: 2, onCircuits: n => counts.push(n) })
  await reachable(desk, relay, () => undefined)
  const connection = await dialRaw(laptop, relay)
  const statuses: string[] = []
  const streams: Stream[] = []
  for (let i = 0; i < 3; i++) {
    const { answer, stream } = await ask(connection, connectTo(b.id))
    statuses.push(toHex(answer))
    streams.push(stream)
  }
  const [ok, full] = [toHex(encodeHopStatus('ok')), toHex(encodeHopStatus('resource-limit'))]
  expect(statuses).toEqual([ok, ok, full])
  streams[0]?.abort(new Error('done'))
  await expect.poll(async () => toHex((await ask(connection, connectTo(b.id))).answer)).toBe(ok)
  expect(counts).toEqual([1, 1, -1, 1])
})

test('[N41] a circuit whose far side breaks while it is written to ends, and nothing else', async () => {
  const [a, b] = await createPair()
  const relay = await startRawPeer(await createDevice(), ['/ip4/127.0.0.1/tcp/0'])
  const serve = createCircuitServer({ isMember: () => true, mayReach: () => true, clock: systemClock })
  let breaks = false
  await relay.handle(HOP_PROTOCOL, (stream, connection) => {
    const newStream: Connection['newStream'] = async (...given) => {
      const made = await connection.newStream(...given)
      const send = made.send.bind(made)
      const sendOrBreak: Stream['send'] = data => {
        if (breaks) throw new Error('the far side broke')
        return send(data)
      }
      return Object.assign(made, { send: sendOrBreak })
    }
    const listen = connection.addEventListener.bind(connection)
    serve(stream, { remotePeer: connection.remotePeer, status: 'open', addEventListener: listen, newStream } as unknown as Connection)
  })
  const [laptop, desk] = [await startRawPeer(a), await startRawPeer(b)]
  const agree = async (stream: Stream): Promise<void> => {
    const messages = lpStream(stream)
    await messages.read()
    await messages.write(AGREED)
  }
  await desk.handle(STOP_PROTOCOL, agree, { force: true })
  await ask(await desk.dial(relay.getMultiaddrs()), RESERVE)
  const connection = await laptop.dial(relay.getMultiaddrs())
  const { stream } = await ask(connection, connectTo(b.id))
  const ended = new Promise(resolve => stream.addEventListener('close', resolve))
  breaks = true
  stream.send(utf8('hello'))
  await ended
  expect(toHex((await ask(connection, connectTo(a.id))).answer)).toBe(toHex(encodeHopStatus('permission-denied')))
})

test('[N41] a circuit to who is not there, or not a member, is refused, and what is not a request ends its stream', async () => {
  const { a, b, relay, laptop } = await startPair()
  const connection = await dialRaw(laptop, relay)
  const answers: string[] = []
  const stranger = await createDevice()
  for (const request of [connectTo(b.id), connectTo(a.id), connectTo(stranger.id), new Uint8Array([1, 2, 3])]) {
    answers.push(toHex((await ask(connection, request)).answer))
  }
  const expected = ['no-reservation', 'permission-denied', 'permission-denied', 'malformed'] as const
  expect(answers).toEqual(expected.map(status => toHex(encodeHopStatus(status))))
})

test('[N39] a relay that says that a stranger is a member gets it nowhere, even while pairing stands open', async () => {
  const [a, b] = await createPair()
  const stranger = await createDevice()
  const relay = await startSeeingRelay([], peer => (peer === stranger.id ? a.id : peer))
  const address = relay.raw.getMultiaddrs().map(each => each.toString())
  const desk = await startNode(b, [a, relay.device], { listen: [] })
  const visitors: unknown[] = []
  desk.node.pairing.open('Desk', link => visitors.push(link))
  desk.node.setMembers(new Map([[relay.device.id, address]]), { relays: new Set([relay.device.id]) })
  await linkTo(desk, relay.device)
  const peer = await startRawPeer(stranger)
  await peer.dial(relay.raw.getMultiaddrs())
  const through = multiaddr(`${address[0]}/p2p-circuit/p2p/${b.id}`)
  const knock = async (): Promise<string> => {
    try {
      // What the caller proves comes with its last word of Noise: it may believe for a moment that it is in.
      const connection = await peer.dial(through)
      await connection.newStream(PAIRING_PROTOCOL)
      return 'in'
    } catch (error) {
      return String(error)
    }
  }
  await expect.poll(knock).not.toMatch(/NO_RESERVATION/) // until the desk is reached there
  expect(await knock()).not.toBe('in')
  expect([visitors.length, desk.ups.peek().length]).toEqual([0, 1])
})

test('[N26] no bytes make the decoders of circuit messages throw', () => {
  const check = (bytes: Uint8Array): void => {
    const request = decodeHopRequest(bytes)
    expect(request === undefined || request.type === 'reserve' || request.type === 'connect').toBe(true)
    expect(typeof isStopAgreed(bytes)).toBe('boolean')
  }
  const head = constantFrom([8, 1, 18], [8, 0], [8, 1, 18, 40, 10, 38], [10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1])
  const almost = tuple(head, uint8Array({ maxLength: 60 })).map(([start, rest]) => new Uint8Array([...start, ...rest]))
  assert(property(oneof(uint8Array({ maxLength: 80 }), almost), check), { numRuns: 10_000 })
})

test('[N39] a relay sees nothing of what goes through it but ciphertext', async () => {
  const [a, b] = await createPair()
  const seen: Uint8Array[] = []
  const relay = await startSeeingRelay(seen)
  const address = relay.raw.getMultiaddrs().map(each => each.toString())
  const start = async (device: Device, other: Device): Promise<Recorded> => {
    const started = await startNode(device, [other, relay.device], { listen: [] })
    started.node.setMembers(
      new Map([
        [other.id, []],
        [relay.device.id, address],
      ]),
      { relays: new Set([relay.device.id]) },
    )
    return started
  }
  const laptop = await start(a, b)
  const desk = await start(b, a)
  const link = await linkTo(laptop, b)
  await link.send('control', utf8('a canary that sings'))
  await desk.arrivals.when(list => list.some(({ frame: bytes }) => bytes.length === 19))
  const all = Buffer.concat(seen).toString('latin1')
  expect(all.length).toBeGreaterThan(500)
  expect(all).toContain('/noise') // this is the place where it would be seen
  expect(['canary', '/segue/'].filter(each => all.includes(each))).toEqual([])
})

/** A relay that does all that a good one does, and writes down what it could read. */
async function startSeeingRelay(
  seen: Uint8Array[],
  sayThatItIs: (peer: string) => string = peer => peer,
): Promise<{ readonly raw: RawPeer; readonly device: Device }> {
  const device = await createDevice()
  const raw = await startRawPeer(device, ['/ip4/127.0.0.1/tcp/0'])
  for (const channel of CHANNELS) {
    await raw.handle(PROTOCOL_OF[channel], stream => {
      if (channel === 'control') stream.send(frame(encodeCbor({ v: 1, addresses: [] })))
    })
  }
  const serve = createCircuitServer({ isMember: () => true, mayReach: () => true, clock: systemClock })
  await raw.handle(HOP_PROTOCOL, (stream, connection) => {
    const send = stream.send.bind(stream)
    Object.assign(stream, { send: (data: Uint8Array) => (seen.push(data.subarray()), send(data)) })
    stream.addEventListener('message', ({ data }) => seen.push(data.subarray()))
    const said = { toString: () => sayThatItIs(connection.remotePeer.toString()) }
    const shown = { remotePeer: said, addEventListener: connection.addEventListener.bind(connection), status: 'open' }
    serve(stream, Object.assign(shown, { newStream: connection.newStream.bind(connection) }) as unknown as Connection)
  })
  return { raw, device }
}
