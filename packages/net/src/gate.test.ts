import { afterEach, expect, test } from 'vitest'
import { CHANNELS, CLOSE_CODES, GROUP_PROTOCOL, PAIRING_PROTOCOL, PROTOCOL_OF, STRANGER_DEADLINE_MS, utf8 } from '@segue/core'
import type { PairingLink } from '@segue/core/ports'
import { createDevice, createManualClock, createPair, knowing, linkTo, startNode, stopAll } from '../test-support/cast.ts'
import { dialRaw, frame, record, startRawPeer, stopRawPeers } from '../test-support/raw-peer.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { WebSocket } from 'ws'
import { STOP_PROTOCOL } from './circuit/hop-messages.ts'
import { createGate } from './gate.ts'
import { encodeSignal } from './link/frame-reader.ts'
import { isPrivateAddress } from './private-addresses.ts'

afterEach(async () => {
  await stopRawPeers()
  await stopAll()
})

test('[N17] a stranger who knows every address and tries every protocol reaches no handler but identify (I12)', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const laptop = await startNode(a, [b], { members: knowing(desk) })
  await linkTo(laptop, b)
  const proofs: PairingLink[] = []
  desk.node.group.open(link => proofs.push(link))
  const stranger = await startRawPeer(await createDevice())
  const connection = await dialRaw(stranger, desk)
  const { protocols } = await stranger.services.identify.identify(connection)
  expect([...protocols].sort()).toEqual(['/ipfs/id/1.0.0', STOP_PROTOCOL, GROUP_PROTOCOL, ...Object.values(PROTOCOL_OF)].sort())

  for (const channel of CHANNELS) {
    const refused = record(await connection.newStream(PROTOCOL_OF[channel]))
    refused.stream.send(frame(utf8('let me in')))
    await refused.ended.when(ended => ended)
    expect(refused.received.peek()).toEqual(encodeSignal('close', CLOSE_CODES['not-a-member']))
  }
  for (const protocol of [
    PAIRING_PROTOCOL,
    '/ipfs/ping/1.0.0',
    '/ipfs/id/push/1.0.0',
    '/segue/blob/1',
    '/libp2p/circuit/relay/0.2.0/hop',
  ]) {
    await expect(connection.newStream(protocol)).rejects.toThrow()
  }
  const bringing = record(await connection.newStream(STOP_PROTOCOL))
  await bringing.ended.when(ended => ended)
  expect(bringing.received.peek()).toHaveLength(0)
  expect(desk.ups.peek()).toHaveLength(1)
  expect(desk.arrivals.peek()).toEqual([])
  expect(proofs).toEqual([])
})

test('[N17] while neither pairing nor proofs are wanted, a stranger is cut off after Noise', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  const stranger = await startRawPeer(await createDevice())
  const outcome = await dialRaw(stranger, desk).then(
    // libp2p's dialler may believe in the connection until the other side's hanging up arrives.
    connection =>
      connection.newStream('/ipfs/id/1.0.0').then(
        () => 'let in',
        () => 'cut off',
      ),
    () => 'cut off',
  )
  expect(outcome).toBe('cut off')
})

test('[N35] a page is refused where a device is let in', async () => {
  const [a] = await createPair()
  const laptop = await startNode(a, [], { listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
  const port = /tcp\/(\d+)\/ws/.exec(laptop.node.addresses.peek()[0] ?? '')?.[1]
  const knock = (origin?: string): Promise<string> =>
    new Promise(resolve => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`, origin === undefined ? {} : { origin })
      socket.on('open', () => {
        socket.terminate()
        resolve('open')
      })
      socket.on('error', error => resolve(error.message))
    })
  expect(await knock('https://evil.example')).toBe('Unexpected server response: 403')
  expect(await knock('null')).toBe('Unexpected server response: 403')
  expect(await knock()).toBe('open')
})

test('[N18] a stranger that got no further is closed after the deadline', async () => {
  const clock = createManualClock()
  const [a, b] = await createPair()
  const desk = await startNode(b, [a], { clock })
  desk.node.group.open(() => undefined)
  const stranger = await startRawPeer(await createDevice())
  const connection = await dialRaw(stranger, desk)
  const refused = record(await connection.newStream(PROTOCOL_OF.control))
  await refused.ended.when(ended => ended)
  clock.advance(STRANGER_DEADLINE_MS - 1)
  expect(connection.status).toBe('open')
  const closed = new Promise(resolve => connection.addEventListener('close', resolve))
  clock.advance(1)
  await closed
})

test('[N19] the pairing protocol is there only while pairing is open, and closing it ends its streams', async () => {
  const [laptop, phone] = [await startNode(await createDevice(), []), await startNode(await createDevice(), [])]
  const target = { device: laptop.device.id, addresses: laptop.node.addresses.peek() }
  laptop.node.group.open(() => undefined)
  await expect(phone.node.pairing.dial(target)).rejects.toMatchObject({ code: 'PAIRING_REFUSED' })

  const links: PairingLink[] = []
  const closePairing = laptop.node.pairing.open('Laptop', link => links.push(link))
  const joining = await phone.node.pairing.dial(target)
  await joining.send(utf8('hello'))
  await expect.poll(() => links.length).toBe(1)
  const [inviting] = links
  expect(await inviting?.receive()).toEqual(utf8('hello'))
  expect([inviting?.peer, inviting?.self, joining.peer]).toEqual([phone.device.id, laptop.device.id, laptop.device.id])
  await inviting?.send(utf8('welcome'))
  expect(await joining.receive()).toEqual(utf8('welcome'))

  closePairing()
  await expect(joining.receive()).rejects.toMatchObject({ code: 'LINK_CLOSED' })
  await expect(phone.node.pairing.dial(target)).rejects.toMatchObject({ code: 'PAIRING_REFUSED' })
})

test('[N19] what was sent before the close of a pairing stream is still received', async () => {
  const [laptop, phone] = [await startNode(await createDevice(), []), await startNode(await createDevice(), [])]
  laptop.node.pairing.open('Laptop', link => {
    void link.send(utf8('one'))
    void link.send(utf8('two'))
    void link.close()
  })
  const joining = await phone.node.pairing.dial({ device: laptop.device.id, addresses: laptop.node.addresses.peek() })
  expect(await joining.receive()).toEqual(utf8('one'))
  expect(await joining.receive()).toEqual(utf8('two'))
  await expect(joining.receive()).rejects.toMatchObject({ code: 'LINK_CLOSED' })
})

test('[N20] an unknown peer may bring one proof per connection', async () => {
  const desk = await startNode(await createDevice(), [])
  const proofs: PairingLink[] = []
  desk.node.group.open(link => proofs.push(link))
  const stranger = await startRawPeer(await createDevice())
  const connection = await dialRaw(stranger, desk)
  const first = await connection.newStream(GROUP_PROTOCOL)
  first.send(frame(utf8('proof')))
  await expect.poll(() => proofs.length).toBe(1)
  expect(await proofs[0]?.receive()).toEqual(utf8('proof'))
  await proofs[0]?.close()
  await first.close()
  const second = record(await connection.newStream(GROUP_PROTOCOL))
  await second.ended.when(ended => ended)
  expect(second.received.peek()).toEqual(encodeSignal('close', CLOSE_CODES['not-a-member']))
  expect(proofs).toHaveLength(1)
})

test('[N20] a proof that drags on is cut off at the deadline', async () => {
  const clock = createManualClock()
  const desk = await startNode(await createDevice(), [], { clock })
  const proofs: PairingLink[] = []
  desk.node.group.open(link => proofs.push(link))
  const phone = await startNode(await createDevice(), [])
  const bringing = await phone.node.group.dial({ device: desk.device.id, addresses: desk.node.addresses.peek() })
  await expect.poll(() => proofs.length).toBe(1)
  clock.advance(STRANGER_DEADLINE_MS)
  await expect(bringing.receive()).rejects.toMatchObject({ code: 'LINK_CLOSED' })
})

test('[N21] a removed member loses its link at once, is turned away afterwards, and both sides know why', async () => {
  const [a, b] = await createPair()
  const desk = await startNode(b, [a])
  desk.node.group.open(() => undefined)
  const laptop = await startNode(a, [b], { members: knowing(desk) })
  await linkTo(laptop, b)
  desk.admits.clear()
  desk.node.setMembers(new Map())
  expect(await laptop.closes.when(codes => codes.length === 1)).toEqual(['not-a-member'])
  await expect.poll(() => laptop.refusals[0]).toBe('not-a-member')
  expect(desk.ups.peek()).toHaveLength(1)
})

test('[N22] only loopback, private and link-local addresses are ours', () => {
  const ours = [
    '/ip4/127.0.0.1/tcp/1',
    '/ip4/10.1.2.3/tcp/1/ws',
    '/ip4/172.31.0.1/udp/1/webrtc-direct',
    '/ip4/192.168.0.9/tcp/1',
    '/ip4/169.254.3.4/tcp/1',
    '/ip6/fe80::1/tcp/1',
    '/ip6/fd00::2/tcp/1',
  ]
  const others = [
    '/ip4/8.8.8.8/tcp/1',
    '/ip4/172.32.0.1/tcp/1',
    '/ip4/100.64.0.1/tcp/1',
    '/ip6/2001:db8::1/tcp/1',
    '/dns4/example.com/tcp/1',
    '/ip4/10.0.0.1/tcp/1/p2p-circuit',
    'nonsense',
    '',
  ]
  expect(ours.filter(address => !isPrivateAddress(address))).toEqual([])
  expect(others.filter(address => isPrivateAddress(address))).toEqual([])
})

test('[N22] a connection from a public address is refused before anything is read, unless that was asked for', async () => {
  const host = { mayConnect: () => true, onLink: () => ({ onFrame: () => undefined, onClosed: () => undefined }) }
  const from = (address: string): MultiaddrConnection => ({ remoteAddr: multiaddr(address) }) as MultiaddrConnection
  const outcomes: unknown[] = []
  for (const allowPublic of [false, true]) {
    const { gater } = createGate({ host, clock: createManualClock(), allowPublic })
    for (const address of ['/ip4/8.8.8.8/tcp/9', '/ip4/10.0.0.8/tcp/9']) outcomes.push(await gater.denyInboundConnection?.(from(address)))
  }
  expect(outcomes).toEqual([true, false, false, false])
})

test('[N22] a public address is not even dialled', async () => {
  const [laptop, desk] = await createPair()
  const node = (await startNode(laptop, [desk])).node
  await expect(
    node.group.dial({ device: desk.id, addresses: ['/ip4/203.0.113.7/tcp/1', '/dns4/example.invalid/tcp/1'] }),
  ).rejects.toMatchObject({
    code: 'UNREACHABLE',
    details: { addresses: 0 },
  })
})

test('[N36] a relay of the group is dialled by a name, others are not', async () => {
  const [laptop, relay] = await createPair()
  const far = await startNode(relay, [laptop])
  const port = /tcp\/(\d+)/.exec(far.node.addresses.peek()[0] ?? '')?.[1]
  const address = `/dns4/localhost/tcp/${port}`
  const near = await startNode(laptop, [relay])
  near.node.setMembers(new Map([[relay.id, [address]]]))
  const knocking = { device: relay.id, addresses: [address] }
  await expect(near.node.group.dial(knocking)).rejects.toMatchObject({ code: 'UNREACHABLE', details: { addresses: 0 } })
  near.node.setMembers(new Map([[relay.id, [address]]]), { relays: new Set([relay.id]) })
  await linkTo(near, relay)
})
