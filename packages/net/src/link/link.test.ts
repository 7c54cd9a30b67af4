import { afterEach, expect, test } from 'vitest'
import { CHANNELS, CLOSE_CODES, MAX_FRAME_BYTES, MIB, concatBytes, encodeCbor } from '@segue/core'
import type { DeviceLink } from '@segue/core/ports'
import { createManualClock, createPair, knowing, linkTo, startNode, stopAll, type Recorded } from '../../test-support/cast.ts'
import { dialRaw, frame, linkRaw, startRawPeer, stopRawPeers } from '../../test-support/raw-peer.ts'
import { SIGNALS, encodeHeader, encodeSignal } from './frame-reader.ts'

afterEach(async () => {
  await stopRawPeers()
  await stopAll()
})

interface Linked {
  readonly laptop: Recorded
  readonly desk: Recorded
  readonly toDesk: DeviceLink
  readonly toLaptop: DeviceLink
}

async function linked(listen = '/ip4/127.0.0.1/tcp/0', deskOptions = {}): Promise<Linked> {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a], { listen: [listen], ...deskOptions })
  const laptop = await startNode(a, [b], { members: knowing(desk) })
  return { laptop, desk, toDesk: await linkTo(laptop, b), toLaptop: await linkTo(desk, a) }
}

const bytes = (length: number, fill = 7): Uint8Array => new Uint8Array(length).fill(fill)

test('[N1] frames of every size arrive whole, once and in order, on every channel and both ways', async () => {
  const { laptop, desk, toDesk, toLaptop } = await linked()
  const sizes = [0, 1, 3, 200, 32 * 1024, 32 * 1024 + 1, MIB, MAX_FRAME_BYTES]
  for (const channel of CHANNELS) {
    await Promise.all(sizes.map((size, i) => toDesk.send(channel, bytes(size, i))))
    await Promise.all(sizes.map((size, i) => toLaptop.send(channel, bytes(size, i))))
  }
  for (const side of [laptop, desk]) {
    const arrivals = await side.arrivals.when(list => list.length === CHANNELS.length * sizes.length)
    for (const channel of CHANNELS) {
      const frames = arrivals.filter(arrival => arrival.channel === channel).map(arrival => arrival.frame)
      expect(frames.map(({ length }) => length)).toEqual(sizes)
      expect(frames.every((frame, i) => frame.every(byte => byte === i))).toBe(true)
    }
  }
})

test('[N2] two members link over WebSocket', async () => {
  const { desk, toDesk } = await linked('/ip4/127.0.0.1/tcp/0/ws')
  await toDesk.send('control', bytes(5))
  expect(await desk.arrivals.when(list => list.length === 1)).toEqual([{ channel: 'control', frame: bytes(5) }])
})

test('[N3] a frame over the limit is refused where it is sent', async () => {
  const { toDesk } = await linked()
  await expect(toDesk.send('sync-bulk', bytes(MAX_FRAME_BYTES + 1))).rejects.toThrow(RangeError)
})

async function linkedToRaw(): Promise<{ desk: Recorded; streams: Awaited<ReturnType<typeof linkRaw>> }> {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const raw = await startRawPeer(a)
  const streams = await linkRaw(await dialRaw(raw, desk))
  await linkTo(desk, a)
  return { desk, streams }
}

test('[N3] a frame announced over the limit closes the link before its content is sent, with a code the peer can read', async () => {
  const { desk, streams } = await linkedToRaw()
  const live = streams.get('sync-live')
  live?.stream.send(encodeHeader(MAX_FRAME_BYTES + 1))
  expect(await desk.closes.when(codes => codes.length === 1)).toEqual(['frame-too-large'])
  expect(await live?.received.when(received => received.length >= 4)).toEqual(encodeSignal('close', CLOSE_CODES['frame-too-large']))
})

test('[N4] a stream of garbage closes the link with a code the peer can read', async () => {
  const { desk, streams } = await linkedToRaw()
  const live = streams.get('sync-live')
  live?.stream.send(bytes(64, 0xee))
  expect(await desk.closes.when(codes => codes.length === 1)).toEqual(['malformed-frame'])
  expect(await live?.received.when(received => received.length >= 4)).toEqual(encodeSignal('close', CLOSE_CODES['malformed-frame']))
})

test('[N4] a hello that is not one ends the connection before a link is up', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const raw = await startRawPeer(a)
  const connection = await dialRaw(raw, desk)
  const stream = await connection.newStream('/segue/control/1')
  stream.send(frame(encodeCbor({ v: 1, addresses: 'everywhere' })))
  await new Promise(resolve => connection.addEventListener('close', resolve))
  expect(desk.ups.peek()).toEqual([])
})

test('[N5] a live frame overtakes the megabytes that were sent on bulk before it', async () => {
  const { desk, toDesk } = await linked()
  const bulk = Array.from({ length: 48 }, () => toDesk.send('sync-bulk', bytes(MIB)))
  await toDesk.send('sync-live', bytes(1))
  const arrivals = await desk.arrivals.when(list => list.some(({ channel }) => channel === 'sync-live'))
  expect(arrivals.length).toBeLessThan(16)
  expect(toDesk.pending('sync-bulk')).toBeGreaterThan(0)
  await Promise.all(bulk)
})

test('[N6] while a frame is not taken, no other of its channel is delivered and the sender is held back', async () => {
  const { desk, toDesk } = await linked()
  let release: () => void = () => undefined
  const released = new Promise<void>(resolve => (release = resolve))
  desk.onFrame = channel => (channel === 'sync-bulk' ? released : undefined)
  let taken = 0
  const sends = Array.from({ length: 16 }, () => toDesk.send('sync-bulk', bytes(MIB)).then(() => (taken += 1)))
  await desk.arrivals.when(list => list.length === 1)
  for (let i = 0; i < 100; i++) await toDesk.send('sync-live', bytes(1)) // the other channels go on
  await desk.arrivals.when(list => list.length === 101)
  expect(desk.arrivals.peek().filter(({ channel }) => channel === 'sync-bulk')).toHaveLength(1)
  expect(taken).toBeLessThan(4)
  expect(toDesk.pending('sync-bulk')).toBeGreaterThan(12 * MIB)
  release()
  await Promise.all(sends)
  await desk.arrivals.when(list => list.length === 116)
})

test('[N53] a reader that stands still after the link was fast holds the sender back and breaks nothing', async () => {
  const { desk, toDesk, toLaptop } = await linked()
  // Yamux doubles a window that was used up within four round trips; a busy machine answers its pings late.
  Object.assign((toLaptop as unknown as { connection: { muxer: object } }).connection.muxer, { rtt: 60_000 })
  const quick = Array.from({ length: 48 }, () => toDesk.send('sync-bulk', bytes(MIB)))
  await Promise.all(quick)
  await desk.arrivals.when(list => list.length === 48)
  let release: () => void = () => undefined
  const released = new Promise<void>(resolve => (release = resolve))
  desk.onFrame = channel => (channel === 'sync-bulk' ? released : undefined)
  const sends = Array.from({ length: 16 }, () => toDesk.send('sync-bulk', bytes(MIB)))
  await desk.arrivals.when(list => list.length === 49)
  for (let i = 0; i < 100; i++) await toDesk.send('sync-live', bytes(1))
  await desk.arrivals.when(list => list.length === 149)
  expect(toDesk.pending('sync-bulk')).toBeGreaterThan(12 * MIB)
  release()
  await Promise.all(sends)
  await desk.arrivals.when(list => list.length === 164)
})

test('[N53] a reader that is slow, and pauses and goes on again and again, is sent no more than it takes', async () => {
  const { desk, toDesk, laptop } = await linked()
  desk.onFrame = async () => {
    for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all(Array.from({ length: 256 }, () => toDesk.send('sync-bulk', bytes(128 * 1024))))
  await desk.arrivals.when(list => list.length === 256)
  expect([...laptop.closes.peek(), ...desk.closes.peek()]).toEqual([])
})

test('[N54] a frame may be taken after the connection broke', async () => {
  const { laptop, desk, toDesk, toLaptop } = await linked()
  let release: () => void = () => undefined
  const released = new Promise<void>(resolve => (release = resolve))
  desk.onFrame = () => released
  for (let i = 0; i < 8; i++) toDesk.send('sync-bulk', bytes(128 * 1024)).catch(() => undefined)
  await desk.arrivals.when(list => list.length === 1)
  laptop.node.setMembers(new Map())
  // The moment in which the connection is gone and its streams have not heard of it.
  const { connection } = toLaptop as unknown as { connection: { streams: readonly { protocol: string; resume(): void }[] } }
  const bulk = connection.streams.find(({ protocol }) => protocol.startsWith('/segue/sync-bulk/'))
  Object.assign(bulk ?? {}, {
    resume() {
      throw new Error('the cable was pulled')
    },
  })
  release()
  expect(await desk.closes.when(codes => codes.length > 0)).toEqual(['lost'])
})

test('[N7] a handler that rejects closes the link with internal-error on both sides', async () => {
  const { laptop, desk, toDesk } = await linked()
  desk.onFrame = () => Promise.reject(new Error('the store is gone'))
  await toDesk.send('control', bytes(1))
  expect(await desk.closes.when(codes => codes.length > 0)).toEqual(['internal-error'])
  expect((await laptop.closes.when(codes => codes.length > 0))[0]).toBe('internal-error')
})

test.each(['version-unsupported', 'too-slow', 'shutting-down'] as const)(
  '[N8] both sides hear the code %s, after the frames sent before it',
  async code => {
    const { laptop, desk, toDesk } = await linked()
    laptop.node.setMembers(new Map()) // it would dial again at once, and the newer link would end the older with a word of its own
    void toDesk.send('sync-bulk', bytes(MIB))
    void toDesk.send('control', bytes(9))
    await toDesk.close(code)
    expect((await laptop.closes.when(codes => codes.length > 0))[0]).toBe(code)
    expect((await desk.closes.when(codes => codes.length > 0))[0]).toBe(code)
    expect(
      desk.arrivals
        .peek()
        .map(({ channel }) => channel)
        .sort(),
    ).toEqual(['control', 'sync-bulk'])
  },
)

test('[N8] after the close nothing can be sent and the signal carries the reason', async () => {
  const { toDesk } = await linked()
  await toDesk.close('done')
  expect(toDesk.closed.aborted).toBe(true)
  await expect(toDesk.send('control', bytes(1))).rejects.toMatchObject({ code: 'LINK_CLOSED' })
  await toDesk.close('done')
})

test('[N9] a quiet link carries one keepalive in 30 s, and lives', async () => {
  const clock = createManualClock()
  const { desk, streams } = await linkedRawWith(clock)
  const control = streams.get('control')
  const helloBytes = (await control?.received.when(received => received.length > 0))?.length ?? 0
  control?.stream.send(encodeSignal('keepalive'))
  control?.stream.send(encodeSignal('probe'))
  await control?.received.when(received => received.length === helloBytes + 4) // the token has been read: the desk holds it
  clock.advance(29_000)
  expect(control?.received.peek().length).toBe(helloBytes + 4)
  clock.advance(1_001)
  expect((await control?.received.when(received => received.length === helloBytes + 8))?.slice(-4)).toEqual(encodeSignal('keepalive'))
  expect(desk.closes.peek()).toEqual([])
})

test('[N9] a peer that falls silent is given up', async () => {
  const clock = createManualClock()
  const { desk } = await linkedRawWith(clock)
  clock.advance(46_000)
  expect(desk.closes.peek()).toEqual(['lost'])
})

async function linkedRawWith(
  clock: ReturnType<typeof createManualClock>,
): Promise<{ desk: Recorded; streams: Awaited<ReturnType<typeof linkRaw>> }> {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a], { clock })
  const raw = await startRawPeer(a)
  const streams = await linkRaw(await dialRaw(raw, desk))
  await linkTo(desk, a)
  return { desk, streams }
}

test('[N10] after resume a link that does not answer the probe is closed, one that does stays', async () => {
  const clock = createManualClock()
  const [a, b] = await createPair()
  const desk = await startNode(b, [a], { clock })
  const raw = await startRawPeer(a)
  const streams = await linkRaw(await dialRaw(raw, desk))
  await linkTo(desk, a)
  const control = streams.get('control')
  const before = (await control?.received.when(received => received.length > 0))?.length ?? 0
  desk.node.resume()
  await control?.received.when(received => received.length === before + 4)
  control?.stream.send(encodeSignal('probe-answer'))
  control?.stream.send(encodeSignal('probe'))
  await control?.received.when(received => received.length === before + 8) // so the answer was read
  clock.advance(4_000)
  expect(desk.closes.peek()).toEqual([])
  desk.node.resume()
  clock.advance(4_000)
  expect(desk.closes.peek()).toEqual([])
  await Promise.resolve()
  expect(await desk.closes.when(codes => codes.length === 1)).toEqual(['lost'])
})

test('[N33] probes that come faster than they can be answered share an answer', async () => {
  const { streams } = await linkedToRaw()
  const control = streams.get('control')
  await control?.received.when(bytes => bytes.length > 0) // the hello
  const before = control?.received.peek().length ?? 0
  control?.stream.send(concatBytes(...Array.from({ length: 1_000 }, () => encodeSignal('probe'))))
  const received = await control?.received.when(bytes => bytes.length > before && bytes.at(-4) === SIGNALS['probe-answer'])
  expect((received?.length ?? 0) - before).toBeLessThan(400)
})
