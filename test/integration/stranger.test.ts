/** I12 on whole devices: who is not in the group, whatever it speaks and knows, gets no further than a stranger may. */
import { multiaddr } from '@multiformats/multiaddr'
import {
  CHANNELS,
  CLOSE_CODES,
  createIdentity,
  foundGroup,
  GROUP_PROTOCOL,
  PAIRING_PROTOCOL,
  PROTOCOL_OF,
  proveMembership,
  publicKeyOf,
  utf8,
} from '@segue/core'
import { createNode } from '@segue/net'
import type { Segue } from '@segue/engine'
import { expect, onTestFinished, test } from 'vitest'
// @boundaries-ignore a stranger is made of the same parts as in net's own tests
import { createDevice } from '../../packages/net/test-support/cast.ts'
// @boundaries-ignore a stranger is made of the same parts as in net's own tests
import { frame, record, startRawPeer, stopRawPeers, type RawPeer } from '../../packages/net/test-support/raw-peer.ts'
// @boundaries-ignore a stranger is made of the same parts as in net's own tests
import { STOP_PROTOCOL } from '../../packages/net/src/circuit/hop-messages.ts'
// @boundaries-ignore a stranger is made of the same parts as in net's own tests
import { encodeSignal } from '../../packages/net/src/link/frame-reader.ts'
import { inSync, pair, startDevice } from './cast.ts'

test('[I12] a stranger who speaks libp2p and knows every address reaches identify and one membership proof', async () => {
  const { laptop, desk } = await startPair()
  const before = whatCounts(desk)
  const stranger = await startStranger()
  for (const address of desk.status.peek().addresses) {
    const connection = await stranger.dial(multiaddr(address), { force: true })
    const known = await stranger.services.identify.identify(connection)
    expect([...known.protocols].toSorted()).toEqual(
      ['/ipfs/id/1.0.0', STOP_PROTOCOL, GROUP_PROTOCOL, ...Object.values(PROTOCOL_OF)].toSorted(),
    )
    for (const channel of CHANNELS) {
      const refused = record(await connection.newStream(PROTOCOL_OF[channel]))
      refused.stream.send(frame(utf8('let me in')))
      await refused.ended.when(ended => ended)
      expect(refused.received.peek()).toEqual(encodeSignal('close', CLOSE_CODES['not-a-member']))
    }
    await expect(connection.newStream(PAIRING_PROTOCOL)).rejects.toThrow()
    const bringing = record(await connection.newStream(STOP_PROTOCOL)) // circuits come from relays of the group only
    await bringing.ended.when(ended => ended)
    expect(bringing.received.peek()).toHaveLength(0)

    const proof = record(await connection.newStream(GROUP_PROTOCOL))
    proof.stream.send(frame(utf8('I belong to you')))
    await proof.ended.when(ended => ended)
    expect(proof.received.peek().length).toBeLessThan(200) // log heads, and no
    await proof.stream.close()
    const again = record(await connection.newStream(GROUP_PROTOCOL))
    await again.ended.when(ended => ended)
    expect(again.received.peek()).toEqual(encodeSignal('close', CLOSE_CODES['not-a-member']))
  }
  expect(whatCounts(desk)).toEqual(before)
  await stillTogether(laptop, desk)
})

test('[I12] a device of another group is turned away, and its group proves nothing here', async () => {
  const { laptop, desk } = await startPair()
  const before = whatCounts(desk)
  const random = { bytes: (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length)) }
  const identity = createIdentity({ name: 'Intruder', random })
  const theirs = foundGroup({ identity, random, time: 1 })
  // In its own log the desk is a member, so it would be willing to talk.
  const { sealing } = createIdentity({ name: 'Desk', random })
  theirs.add({ keys: { signing: publicKeyOf(desk.device.id), sealing: sealing.publicKey }, role: 'admin', name: 'Desk', time: 2 })
  expect(theirs.isActive(desk.device.id)).toBe(true)

  const refusals: string[] = []
  let links = 0
  const node = await createNode({
    signing: identity.signing,
    listen: [],
    host: {
      mayConnect: () => true,
      onLink() {
        links += 1
        return { onFrame: () => undefined, onClosed: () => undefined }
      },
    },
    onRefused: (_peer, code) => refusals.push(code),
    members: new Map([[desk.device.id, desk.status.peek().addresses.map(withoutPeer)]]),
  })
  onTestFinished(() => node.close())
  await expect.poll(() => refusals[0]).toBe('not-a-member')
  const link = await node.group.dial({ device: desk.device.id, addresses: desk.status.peek().addresses })
  expect(await proveMembership(link, theirs)).toEqual({ ok: false, error: 'NOT_A_MEMBER' })
  await link.close()
  await expect(node.pairing.dial({ device: desk.device.id, addresses: desk.status.peek().addresses })).rejects.toMatchObject({
    code: 'PAIRING_REFUSED',
  })

  expect(links).toBe(0)
  expect(whatCounts(desk)).toEqual(before)
  await desk.notices.when(([notice]) => notice?.kind === 'stranger-refused')
  await stillTogether(laptop, desk)
})

test('[I12] an open pairing is open to strangers, who disturb nobody in it and hear only that it is over afterwards', async () => {
  const { laptop, desk } = await startPair()
  const phone = await startDevice('Phone')
  const stranger = await startStranger()
  const [address = ''] = laptop.status.peek().addresses
  const invitation = await laptop.pairing.invite()

  const babbling = await stranger.dial(multiaddr(address), { force: true })
  const babble = record(await babbling.newStream(PAIRING_PROTOCOL))
  babble.stream.send(frame(utf8('m0, I suppose')))
  await babble.ended.when(ended => ended)
  const silent = record(await (await stranger.dial(multiaddr(address), { force: true })).newStream(PAIRING_PROTOCOL))
  expect(invitation.state.peek()).toEqual({ kind: 'open', waiting: [], triesLeft: 3 })

  const joining = await phone.pairing.join(invitation.text)
  expect(await invitation.confirm(joining.code)).toMatchObject({ ok: true })
  expect(await joining.done).toMatchObject({ ok: true })
  await invitation.state.when(({ kind }) => kind === 'done')
  await silent.ended.when(ended => ended)
  const late = record(await (await stranger.dial(multiaddr(address), { force: true })).newStream(PAIRING_PROTOCOL))
  await late.ended.when(ended => ended)
  expect(late.received.peek().length).toBeLessThan(64) // one word, why it is over; nothing else
  await laptop.devices.when(devices => devices.length === 3)
  expect(laptop.devices.peek().map(({ name }) => name)).toEqual(['Laptop', 'Desk', 'Phone'])
  await stillTogether(laptop, desk)
})

async function startPair(): Promise<{ readonly laptop: Segue; readonly desk: Segue }> {
  const laptop = await startDevice('Laptop')
  const desk = await startDevice('Desk')
  await pair(laptop, desk)
  return { laptop, desk }
}

async function startStranger(): Promise<RawPeer> {
  onTestFinished(stopRawPeers)
  return startRawPeer(await createDevice())
}

/** What a stranger that got anywhere would have changed. */
function whatCounts({ devices, sessions, handoff, events }: Segue): object {
  return {
    devices: devices.peek().map(({ id, role, state }) => [id, role, state]),
    sessions: sessions.list.peek(),
    handoffs: handoff.list.peek(),
    links: events.peek().filter(({ type }) => type === 'device-linked' || type === 'device-unlinked'),
  }
}

async function stillTogether(laptop: Segue, desk: Segue): Promise<void> {
  const session = await laptop.sessions.create({ title: 'Among ourselves' })
  await session.flush()
  await inSync(laptop, desk)
  await desk.sessions.list.when(list => list.some(({ title }) => title === 'Among ourselves'))
}

function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '')
}
