import {
  RENDEZVOUS_MS,
  RENDEZVOUS_PROTOCOL,
  STRANGER_DEADLINE_MS,
  createIdentity,
  isSegueError,
  meetAt,
  openMeetingPlace,
  utf8,
} from '@segue/core'
import type { DeviceId } from '@segue/core'
import type { Clock, PairingLink } from '@segue/core/ports'
import { createPairingLinks, createManualClock, type PairingLinkPair } from '@segue/core/testing'
import { expect, test } from 'vitest'
import { createLog } from '../index.ts'
import { mailboxId, random, shareMailbox, startDevice, startRelay, type TestDevice } from '../testing/cast.ts'
import { createRendezvous, type Rendezvous, type RendezvousLimits } from './rendezvous.ts'
import type { Relay } from '../relay.ts'

const TOPIC = new Uint8Array(32).fill(5)
const OTHER = new Uint8Array(32).fill(6)

const knock = (device: TestDevice, relay: Relay): Promise<PairingLink> =>
  device.node.dial(RENDEZVOUS_PROTOCOL, { device: relay.id, addresses: relay.addresses })
const codeOf = (code: string) => (error: unknown) => isSegueError(error) && error.code === code

test('[B26] a stranger who knows the topic speaks with the member who opened it, through a real relay, and both hear of the end', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, mailboxId(1), [laptop])
  const guests: PairingLink[] = []
  await openMeetingPlace(await knock(laptop, relay), { topic: TOPIC, onGuest: link => guests.push(link) })
  const meeting = await meetAt(await knock(desk, relay), { topic: TOPIC, host: laptop.id })
  await meeting.send(new Uint8Array(20_000).fill(1))
  await expect.poll(() => guests.length).toBe(1)
  expect(guests[0]?.peer).toBe(desk.id)
  expect(await guests[0]?.receive()).toHaveLength(20_000)
  await guests[0]?.send(utf8('welcome'))
  expect(await meeting.receive()).toEqual(utf8('welcome'))
  await guests[0]?.close()
  await expect(meeting.receive()).rejects.toSatisfy(codeOf('LINK_CLOSED'))
  expect((await relay.operations.status({})).storedChunks).toBe(0)
})

test('[B26] a stranger opens no place, and hears of a topic that nobody opened just that', async () => {
  const relay = await startRelay()
  const [laptop, desk] = [await startDevice('laptop'), await startDevice('desk')]
  await shareMailbox(relay, mailboxId(1), [laptop])
  const opening = openMeetingPlace(await knock(desk, relay), { topic: TOPIC, onGuest: () => undefined })
  await expect(opening).rejects.toSatisfy(codeOf('RELAY_NOT_YOURS'))
  await expect(meetAt(await knock(desk, relay), { topic: TOPIC, host: laptop.id })).rejects.toSatisfy(codeOf('PAIRING_EXPIRED'))
})

/** The relay's part alone, and links in memory. */
function createScene(limits: Partial<RendezvousLimits> = {}, clock: Clock = createManualClock()) {
  const names = new Map<string, DeviceId>()
  const idOf = (name: string): DeviceId => {
    const id = names.get(name) ?? createIdentity({ name, random }).id
    names.set(name, id)
    return id
  }
  const accountOf = (peer: DeviceId): DeviceId | undefined => {
    const name = ['laptop', 'phone', 'other'].find(each => names.get(each) === peer)
    return name === undefined ? undefined : idOf(name === 'other' ? 'other' : 'laptop')
  }
  const rendezvous: Rendezvous = createRendezvous({
    accountOf,
    clock,
    logger: createLog({ level: 'silent', withIds: false }),
    isDraining: () => false,
    limits,
  })
  const stays: number[] = []
  const come = (name: string): PairingLinkPair => {
    const links = createPairingLinks({ a: idOf(name), b: idOf('relay') })
    rendezvous.onStream(links.b, ms => stays.push(ms))
    return links
  }
  const open = (name: string, topic = TOPIC, guests: PairingLink[] = []): Promise<unknown> =>
    openMeetingPlace(come(name).a, { topic, onGuest: link => guests.push(link) })
  const meet = (name: string, topic = TOPIC): Promise<PairingLink> => meetAt(come(name).a, { topic, host: idOf('laptop') })
  return { come, open, meet, rendezvous, stays }
}

test('[B26] places are bounded, for one device and in all, and nobody takes the place of another', async () => {
  const { open, rendezvous } = createScene({ places: 3, placesOfOne: 2 })
  await open('laptop', TOPIC)
  await open('laptop', OTHER)
  await expect(open('laptop', new Uint8Array(32))).rejects.toSatisfy(codeOf('PAIRING_BUSY'))
  await expect(open('phone', TOPIC)).rejects.toSatisfy(codeOf('PAIRING_BUSY'))
  await open('phone', new Uint8Array(32).fill(7))
  await expect(open('phone', new Uint8Array(32).fill(8))).rejects.toSatisfy(codeOf('PAIRING_BUSY'))
  await open('laptop', TOPIC) // again: it had lost the stream
  expect(rendezvous.places()).toBe(3)
})

test('[B26] one account, with however many devices, has its share of places and guests and leaves the rest to others', async () => {
  const { open, meet } = createScene({ placesOfAccount: 2, guestsOfAccount: 2 })
  await open('laptop', TOPIC)
  await open('phone', OTHER)
  await expect(open('phone', new Uint8Array(32))).rejects.toSatisfy(codeOf('PAIRING_BUSY'))
  await open('other', new Uint8Array(32).fill(7))
  await meet('a')
  await meet('b', OTHER)
  await expect(meet('c', OTHER)).rejects.toSatisfy(codeOf('PAIRING_BUSY'))
  await meet('d', new Uint8Array(32).fill(7))
})

test('[B26] guests are bounded, in a place, over its life and in all', async () => {
  const { open, meet } = createScene({ guests: 2, guestsEver: 3, guestsOfAll: 3 })
  await open('laptop', TOPIC)
  await open('phone', OTHER)
  const first = await meet('a')
  await meet('b')
  await expect(meet('c')).rejects.toSatisfy(codeOf('PAIRING_BUSY'))
  await first.close()
  await expect
    .poll(() =>
      meet('c').then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
  await expect(meet('d')).rejects.toSatisfy(codeOf('PAIRING_BUSY'))
  await meet('e', OTHER)
  await expect(meet('f', OTHER)).rejects.toSatisfy(codeOf('PAIRING_BUSY'))
})

test('[B26] a place is over after its time, for the host and for whoever is there', async () => {
  const clock = createManualClock()
  const { open, meet, rendezvous, stays } = createScene({}, clock)
  await open('laptop')
  const guest = await meet('a')
  expect(stays).toEqual([RENDEZVOUS_MS, RENDEZVOUS_MS])
  const waiting = guest.receive()
  clock.advance(RENDEZVOUS_MS)
  await expect(waiting).rejects.toSatisfy(codeOf('LINK_CLOSED'))
  expect(rendezvous.places()).toBe(0)
  await expect(meet('b')).rejects.toSatisfy(codeOf('PAIRING_EXPIRED'))
})

test('[B26] more messages than allowed end the conversation, and faster ones wait', async () => {
  const clock = createManualClock()
  const { open, meet } = createScene({ messages: 6, burst: 3, perSecond: 1 }, clock)
  const guests: PairingLink[] = []
  await open('laptop', TOPIC, guests)
  const guest = await meet('a')
  await expect.poll(() => guests.length).toBe(1)
  let arrived = 0
  const counting = (async () => {
    for (;;) {
      await guests[0]?.receive()
      arrived++
    }
  })().catch(() => undefined)
  for (let i = 0; i < 10; i++) await guest.send(utf8(`${i}`)).catch(() => undefined)
  await expect.poll(() => arrived).toBe(3)
  await expect.poll(() => (clock.advance(1_000), arrived)).toBe(6)
  await counting
  await expect(guest.receive()).rejects.toSatisfy(codeOf('LINK_CLOSED'))
})

test('[B26] what is not a message ends its stream, and neither place nor others are disturbed', async () => {
  const { come, open, meet, rendezvous } = createScene()
  const guests: PairingLink[] = []
  await open('laptop', TOPIC, guests)
  for (const bytes of [new Uint8Array(), new Uint8Array([1, 2, 3]), utf8('garbage')]) {
    const { a } = come('stranger')
    await a.send(bytes)
    await expect(a.receive()).rejects.toSatisfy(codeOf('LINK_CLOSED'))
  }
  const guest = await meet('a')
  await guest.send(utf8('hello'))
  await expect.poll(() => guests.length).toBe(1)
  expect(await guests[0]?.receive()).toEqual(utf8('hello'))
  expect([rendezvous.places(), STRANGER_DEADLINE_MS < RENDEZVOUS_MS]).toEqual([1, true])
})
