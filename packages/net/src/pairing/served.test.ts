import { SegueError, STRANGER_DEADLINE_MS, isSegueError, utf8 } from '@segue/core'
import type { PairingLink } from '@segue/core/ports'
import { afterEach, expect, test } from 'vitest'
import { createDevice, createManualClock, createPair, startNode, stopAll } from '../../test-support/cast.ts'
import type { ServedProtocol } from '../net-node.ts'

afterEach(stopAll)

const isUnreachable = (error: unknown): boolean => isSegueError(error, 'UNREACHABLE')
const echo = async (link: PairingLink): Promise<void> => {
  try {
    for (;;) await link.send(await link.receive())
  } catch (error) {
    if (!(error instanceof SegueError)) throw error // the stream ended
  }
}
const serve = (protocol: string, to: ServedProtocol['to']): ServedProtocol => ({ protocol, to, onStream: link => void echo(link) })

test('[N37] a served protocol answers those it is open to, and nobody is let in for it who would not be otherwise', async () => {
  const [a, b] = await createPair()
  const relay = await startNode(b, [a], { protocols: [serve('/test/all/1', 'strangers'), serve('/test/members/1', 'members')] })
  const target = { device: b.id, addresses: relay.node.addresses.peek() }
  const laptop = await startNode(a, [])
  const stranger = await startNode(await createDevice(), [])
  for (const protocol of ['/test/all/1', '/test/members/1']) {
    const link = await laptop.node.dial(protocol, target)
    await link.send(utf8('hello'))
    expect(await link.receive()).toEqual(utf8('hello'))
    await link.close()
  }
  const link = await stranger.node.dial('/test/all/1', target)
  await link.send(utf8('hello'))
  expect(await link.receive()).toEqual(utf8('hello'))
  const turnedAway = await stranger.node.dial('/test/members/1', target)
  await expect(turnedAway.receive()).rejects.toSatisfy(error => isSegueError(error, 'LINK_CLOSED'))
  await expect(laptop.node.dial('/test/nothing/1', target)).rejects.toSatisfy(isUnreachable)
  expect(relay.ups.peek()).toEqual([])
})

test('[N37] a handler may let a stranger stay longer, and takes no frame larger than it said', async () => {
  const clock = createManualClock()
  const [a, b] = await createPair()
  const small: ServedProtocol = {
    protocol: '/test/small/1',
    to: 'strangers',
    maxFrameBytes: 100,
    onStream(link, stay) {
      stay(3 * STRANGER_DEADLINE_MS)
      void echo(link)
    },
  }
  const relay = await startNode(b, [], { clock, protocols: [small] })
  const target = { device: b.id, addresses: relay.node.addresses.peek() }
  const laptop = await startNode(a, [])
  const link = await laptop.node.dial('/test/small/1', target)
  await link.send(utf8('hello'))
  await link.receive()
  clock.advance(2 * STRANGER_DEADLINE_MS)
  await link.send(utf8('still here'))
  expect(await link.receive()).toEqual(utf8('still here'))
  clock.advance(STRANGER_DEADLINE_MS)
  await expect(link.receive()).rejects.toSatisfy(error => isSegueError(error, 'LINK_CLOSED'))
  const other = await laptop.node.dial('/test/small/1', target)
  await other.send(new Uint8Array(101))
  await expect(other.receive()).rejects.toSatisfy(error => isSegueError(error, 'LINK_CLOSED'))
})

test('[N37] a stranger is cut off with the deadline whatever it says, and not more than the node takes are let in', async () => {
  const clock = createManualClock()
  const [a, b] = await createPair()
  const relay = await startNode(b, [], { clock, protocols: [serve('/test/all/1', 'strangers')], capacity: { strangers: 2 } })
  const target = { device: b.id, addresses: relay.node.addresses.peek() }
  const links: PairingLink[] = []
  for (const device of [a, await createDevice()]) links.push(await (await startNode(device, [])).node.dial('/test/all/1', target))
  for (const link of links) {
    await link.send(utf8('hello'))
    await link.receive()
  }
  await expect((await startNode(await createDevice(), [])).node.dial('/test/all/1', target)).rejects.toSatisfy(isUnreachable)
  clock.advance(STRANGER_DEADLINE_MS)
  for (const link of links) await expect(link.receive()).rejects.toSatisfy(error => isSegueError(error, 'LINK_CLOSED'))
  const next = await (await startNode(await createDevice(), [])).node.dial('/test/all/1', target)
  await next.send(utf8('hello'))
  expect(await next.receive()).toEqual(utf8('hello'))
})
