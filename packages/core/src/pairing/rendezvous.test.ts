import { createHash } from 'node:crypto'
import { array, assert, constantFrom, oneof, property, tuple, uint8Array, anything } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, toHex, utf8 } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import { ERROR_TABLE } from '../lib/errors.ts'
import { publicKeyOf, type DeviceId } from '../lib/ids.ts'
import type { PairingLink } from '../ports/pairing-link.ts'
import { createPairingCast, otherDigits, shownCode, type JoinInTest, type PairingCast } from '../testing/pairing-cast.ts'
import { createPairingLinks, type PairingLinkPair } from '../testing/pairing-links.ts'
import { MAX_RENDEZVOUS_FRAME_BYTES } from '../wire/limits.ts'
import { decodePairingFrame } from '../wire/pairing-messages.ts'
import {
  decodeRendezvousMessage,
  encodeRendezvousMessage,
  RENDEZVOUS_REFUSALS,
  rendezvousRefusalCode,
  type RendezvousMessage,
} from '../wire/rendezvous-messages.ts'
import type { Inviter } from './inviter.ts'
import { decodePayload, rendezvousTopicOf } from './payload.ts'
import { meetAt, openMeetingPlace } from './rendezvous.ts'

const RELAY = 'relay' as DeviceId
const TOPIC = new Uint8Array(32).fill(9)

/** A relay with one place, in memory. `tell` may say somebody else than who is there. */
async function createPlace(cast: PairingCast, onGuest: (link: PairingLink) => void, tell = (device: DeviceId): DeviceId => device) {
  const hostLinks = createPairingLinks({ a: cast.laptop.id, b: RELAY })
  const guests: PairingLinkPair[] = []
  const seen: Uint8Array[] = []
  const relayHost = async (): Promise<void> => {
    for (;;) {
      const frame = await hostLinks.b.receive()
      seen.push(frame)
      const message = decodeRendezvousMessage(frame)
      if (!message.ok) throw new Error('not a message')
      if (message.value.type === 'open') await hostLinks.b.send(encodeRendezvousMessage({ v: 1, type: 'opened' }))
      if (message.value.type === 'message') {
        await guests[message.value.guest - 1]?.b.send(encodeRendezvousMessage({ ...message.value, guest: 0 })).catch(() => undefined)
      }
      if (message.value.type === 'left') await guests[message.value.guest - 1]?.b.close()
    }
  }
  void relayHost().catch(() => undefined)
  const place = await openMeetingPlace(hostLinks.a, { topic: TOPIC, onGuest })
  const meet = async (device: DeviceId): Promise<PairingLink> => {
    const links = createPairingLinks({ a: device, b: RELAY })
    const guest = guests.push(links)
    const carry = async (): Promise<void> => {
      for (;;) {
        const frame = await links.b.receive()
        seen.push(frame)
        const message = decodeRendezvousMessage(frame)
        if (!message.ok || message.value.type === 'meet') await links.b.send(encodeRendezvousMessage({ v: 1, type: 'met' }))
        if (!message.ok || message.value.type === 'meet') {
          await hostLinks.b.send(encodeRendezvousMessage({ v: 1, type: 'arrived', guest, device: publicKeyOf(tell(device)) }))
        } else if (message.value.type === 'message') await hostLinks.b.send(encodeRendezvousMessage({ ...message.value, guest }))
      }
    }
    void carry().catch(() => hostLinks.b.send(encodeRendezvousMessage({ v: 1, type: 'left', guest })).catch(() => undefined))
    return meetAt(links.a, { topic: TOPIC, host: cast.laptop.id })
  }
  return { place, meet, hostLinks, seen }
}

/** The desk joins through the relay. */
async function joinRemotely(cast: PairingCast, inviter: Inviter, tell?: (device: DeviceId) => DeviceId): Promise<JoinInTest> {
  const { meet } = await createPlace(cast, link => void inviter.accept(link, { isRemote: true }), tell)
  const guest = await meet(cast.desk.id)
  return cast.join(inviter, { dial: () => guest })
}

describe('pairing through a relay', () => {
  test('[P28] the right digits of a device elsewhere are asked about, cost no try, and count the second time', async () => {
    const cast = createPairingCast(1)
    const inviter = cast.invite()
    const joining = await joinRemotely(cast, inviter)
    const code = await shownCode(joining)
    expect(inviter.state.peek()).toMatchObject({ kind: 'open', waiting: [{ name: 'desk', isRemote: true }] })
    const asked = await inviter.confirm(code)
    expect(asked).toMatchObject({ ok: false, code: 'PAIRING_REMOTE', triesLeft: 3, device: { name: 'desk', isRemote: true } })
    expect([inviter.state.peek().kind, cast.group.isActive(cast.desk.id), joining.kept]).toEqual(['open', false, []])
    expect(await inviter.confirm(code, { mayBeRemote: true })).toMatchObject({ ok: true, device: { isRemote: true } })
    expect((await joining.done).ok).toBe(true)
    expect(cast.group.isActive(cast.desk.id)).toBe(true)
  })

  test('[P28] wrong digits of a device elsewhere cost a try, with consent or without, and one in the room is not asked about', async () => {
    const cast = createPairingCast(2)
    const inviter = cast.invite()
    const joining = await joinRemotely(cast, inviter)
    const wrong = otherDigits(await shownCode(joining))
    expect(await inviter.confirm(wrong)).toEqual({ ok: false, code: 'PAIRING_WRONG_CODE', triesLeft: 2 })
    expect(await inviter.confirm(wrong, { mayBeRemote: true })).toEqual({ ok: false, code: 'PAIRING_WRONG_CODE', triesLeft: 1 })
    const phone = cast.join(inviter, { device: cast.phone })
    const outcome = await inviter.confirm(await shownCode(phone))
    expect(outcome).toMatchObject({ ok: true, device: { name: 'phone', isRemote: false } })
  })

  test('[P27] the topic is the same for both ends, another for every code, and nothing of the secret', () => {
    const cast = createPairingCast(3)
    const [first, second] = [cast.invite(), cast.invite()]
    const payload = decodePayload(first.payload)
    if (!payload.ok) throw new Error(payload.error)
    expect(toHex(rendezvousTopicOf(payload.value))).toBe(toHex(first.topic))
    expect(toHex(first.topic)).not.toBe(toHex(second.topic))
    const plain = createHash('sha256').update(payload.value.secret).digest('hex')
    expect([plain, toHex(payload.value.secret)].some(each => toHex(first.topic).includes(each))).toBe(false)
  })

  test('[P27] through a relay the fields for those nearby are not told, and who answers to them is refused', async () => {
    const cast = createPairingCast(4)
    const inviter = cast.invite({ nearby: true })
    const { meet } = await createPlace(cast, link => void inviter.accept(link, { isRemote: true }))
    const listening = await meet(cast.phone.id)
    const m0 = decodePairingFrame(await listening.receive())
    expect(m0.ok && m0.value).toEqual({ v: 1, type: 'commit', commitment: expect.any(Uint8Array) })
    const guest = await meet(cast.desk.id)
    const joining = cast.join(inviter, { dial: () => guest, invitation: { nearby: { id: cast.laptop.id, addresses: [] } } })
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
  })

  test('[P29] a relay that says somebody else has come gets nobody in', async () => {
    const cast = createPairingCast(5)
    const inviter = cast.invite()
    const joining = await joinRemotely(cast, inviter, () => cast.phone.id)
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
    expect(inviter.state.peek()).toMatchObject({ kind: 'open', waiting: [], triesLeft: 3 })
  })

  test('[P29] a relay that answers in the place of the other, with all it has seen, gets nothing', async () => {
    const cast = createPairingCast(6)
    const inviter = cast.invite()
    const { meet, seen } = await createPlace(cast, link => void inviter.accept(link, { isRemote: true }))
    const guest = await meet(cast.desk.id)
    const joining = cast.join(inviter, { dial: () => guest })
    await shownCode(joining)
    const bodies = seen.flatMap(frame => {
      const message = decodeRendezvousMessage(frame)
      return message.ok && message.value.type === 'message' ? [message.value.body.slice(1)] : []
    })
    const answer = bodies.find(body => {
      const frame = decodePairingFrame(body)
      return frame.ok && frame.value.type === 'answer'
    })
    const replaying = await meet(cast.phone.id)
    await replaying.receive()
    await replaying.send(answer ?? new Uint8Array())
    const refused = decodePairingFrame(await replaying.receive())
    expect(refused.ok && refused.value).toMatchObject({ type: 'refuse' })
    const all = Buffer.concat(seen)
    for (const secret of ['laptop', 'desk', 'linux']) expect(all.includes(secret)).toBe(false)
  })
})

describe('the two ends', () => {
  test('[P30] frames of every size arrive whole and in order both ways, in messages that are small', async () => {
    const cast = createPairingCast(7)
    const hosts: PairingLink[] = []
    const { meet, seen } = await createPlace(cast, link => hosts.push(link))
    const guest = await meet(cast.desk.id)
    await expect.poll(() => hosts.length).toBe(1)
    const frames = [0, 1, 3_998, 3_999, 4_000, 8_000, 100_000].map((size, i) => new Uint8Array(size).fill(i))
    for (const frame of frames) {
      await guest.send(frame)
      expect(await hosts[0]?.receive()).toEqual(frame)
      await hosts[0]?.send(frame)
      expect(await guest.receive()).toEqual(frame)
    }
    expect(Math.max(...seen.map(frame => frame.length))).toBeLessThanOrEqual(MAX_RENDEZVOUS_FRAME_BYTES)
    expect([hosts[0]?.peer, hosts[0]?.self, guest.peer]).toEqual([cast.desk.id, cast.laptop.id, cast.laptop.id])
  })

  test('[P30] a guest that floods or talks nonsense is sent away, and others go on', async () => {
    const cast = createPairingCast(8)
    const hosts: PairingLink[] = []
    const { meet } = await createPlace(cast, link => hosts.push(link))
    const [flood, honest] = [await meet(cast.desk.id), await meet(cast.phone.id)]
    await expect.poll(() => hosts.length).toBe(2)
    for (let i = 0; i < 20; i++) await flood.send(utf8('more')).catch(() => undefined)
    await expect(flood.receive()).rejects.toMatchObject({ code: 'LINK_CLOSED' })
    await honest.send(utf8('hello'))
    expect(await hosts[1]?.receive()).toEqual(utf8('hello'))
  })

  test('[P30] when the relay goes, all conversations end, and waiting for one more does', async () => {
    const cast = createPairingCast(9)
    const hosts: PairingLink[] = []
    const { meet, place, hostLinks } = await createPlace(cast, link => hosts.push(link))
    await meet(cast.desk.id)
    await expect.poll(() => hosts.length).toBe(1)
    const waiting = hosts[0]?.receive()
    hostLinks.cut()
    await expect(waiting).rejects.toMatchObject({ code: 'LINK_CLOSED' })
    await place.over
  })

  test('[P30] what the relay refuses has a code that says what to do, and a word of tomorrow too', async () => {
    for (const code of Object.values(RENDEZVOUS_REFUSALS)) expect(ERROR_TABLE).toHaveProperty(code)
    expect(rendezvousRefusalCode('toString')).toBe('UNREACHABLE')
    const cast = createPairingCast(10)
    const links = createPairingLinks({ a: cast.desk.id, b: RELAY })
    const meeting = meetAt(links.a, { topic: TOPIC, host: cast.laptop.id })
    await links.b.send(encodeRendezvousMessage({ v: 1, type: 'refused', why: 'unknown' }))
    await expect(meeting).rejects.toMatchObject({ code: 'PAIRING_EXPIRED' })
  })

  test('[P30] no bytes make the decoder or an end throw anything but that it is over', async () => {
    const shapes: readonly RendezvousMessage[] = [
      { v: 1, type: 'meet', topic: TOPIC },
      { v: 1, type: 'message', guest: 1, body: new Uint8Array([5]) },
      { v: 1, type: 'arrived', guest: 2, device: new Uint8Array(32) },
      { v: 1, type: 'left', guest: 3 },
    ]
    const cbor = array(anything(), { maxLength: 3 }).map(values => encodeAnything(values))
    const cut = tuple(constantFrom(...shapes), uint8Array({ maxLength: 9 })).map(([shape, rest]) =>
      concatBytes(encodeRendezvousMessage(shape), rest),
    )
    const check = (bytes: Uint8Array): void => void decodeRendezvousMessage(bytes)
    assert(property(oneof(uint8Array({ maxLength: 60 }), cbor, cut), check), { numRuns: 10_000 })
  })
})

function encodeAnything(value: unknown): Uint8Array {
  try {
    return encodeCbor(value)
  } catch {
    return new Uint8Array()
  }
}

/** A change here changes the wire: it needs a new RENDEZVOUS_VERSION and a line in the table of rendezvous-messages.ts. */
const PINNED = '6bbe4f8307bd599304b5d89b7b72a0dcc637e054d78213e50c5514d5e208a182'

test('[P30] the bytes are pinned', () => {
  const hash = createHash('sha256')
  const messages: readonly RendezvousMessage[] = [
    { v: 1, type: 'open', topic: TOPIC },
    { v: 1, type: 'meet', topic: TOPIC },
    { v: 1, type: 'opened' },
    { v: 1, type: 'met' },
    { v: 1, type: 'arrived', guest: 1, device: TOPIC },
    { v: 1, type: 'message', guest: 0, body: new Uint8Array([0, 1, 2]) },
    { v: 1, type: 'left', guest: 1 },
    { v: 1, type: 'refused', why: 'unknown' },
  ]
  for (const message of messages) hash.update(encodeRendezvousMessage(message))
  hash.update(Object.keys(RENDEZVOUS_REFUSALS).join())
  expect(hash.digest('hex')).toBe(PINNED)
})
