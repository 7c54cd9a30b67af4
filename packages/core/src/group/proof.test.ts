import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { encodeCbor } from '../lib/codec.ts'
import { portableVerifier } from '../crypto/index.ts'
import { idBytes } from '../lib/ids.ts'
import type { Verifier } from '../ports/verifier.ts'
import { signedEntryBytes } from '../testing/group-log.ts'
import { createPairingLinks, type PairingLinkPair } from '../testing/pairing-links.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import type { SignedEntry } from './entry.ts'
import { readErasure, signErasure, type Erasure } from './erasure.ts'
import { foundGroup, openGroup } from './group.ts'
import type { Group } from './group-interface.ts'
import { callOnRemoved, proveMembership, receiveProof } from './proof.ts'

const random = createSeededRandom(50)
const device = (name: string): DeviceIdentity => createIdentity({ name, random })
const laptop = device('laptop')
const desk = device('desk')
const phone = device('phone')

const add = (group: Group, identity: DeviceIdentity): void => {
  const keys = { signing: identity.signing.publicKey, sealing: identity.sealing.publicKey }
  group.add({ keys, role: 'member', name: identity.name, time: 1 })
}
const copy = (identity: DeviceIdentity, group: Group): Group =>
  openGroup({ identity, random, secret: group.secret, entries: group.entries().map(entry => entry.bytes) })

/** The phone was added by the laptop while the desk was away. `a` is the desk's end, `b` the phone's. */
function story(): { onLaptop: Group; onDesk: Group; onPhone: Group; links: PairingLinkPair } {
  const onLaptop = foundGroup({ identity: laptop, random, time: 0 })
  add(onLaptop, desk)
  const onDesk = copy(desk, onLaptop)
  add(onLaptop, phone)
  return { onLaptop, onDesk, onPhone: copy(phone, onLaptop), links: createPairingLinks({ a: desk.id, b: phone.id }) }
}

test('[G25] a device added while another was away shows it the way', async () => {
  const { onDesk, onPhone, links } = story()
  const outcomes = await Promise.all([receiveProof(links.a, onDesk), proveMembership(links.b, onPhone)])
  expect(outcomes).toEqual([
    { ok: true, value: phone.id },
    { ok: true, value: undefined },
  ])
  expect(onDesk.isActive(phone.id)).toBe(true)
})

test('[G25] only the missing path is sent', async () => {
  const { onDesk, onPhone, links } = story()
  onPhone.rename(phone.id, 'pocket', 2)
  await Promise.all([receiveProof(links.a, onDesk), proveMembership(links.b, onPhone)])
  expect(onDesk.entries().length).toBe(3)
  expect(onDesk.device(phone.id)?.name).toBe('phone')
})

test('[G25] a receiver that has more than the newcomer is shown the way from the beginning', async () => {
  const { onDesk, onPhone, links } = story()
  onDesk.rename(desk.id, 'tower', 2)
  const [received] = await Promise.all([receiveProof(links.a, onDesk), proveMembership(links.b, onPhone)])
  expect(received).toEqual({ ok: true, value: phone.id })
})

test('[G26] a device of another group is told no, and leaves nothing behind', async () => {
  const { onDesk, links } = story()
  const other = foundGroup({ identity: phone, random, time: 0 })
  add(other, desk)
  const outcomes = await Promise.all([receiveProof(links.a, onDesk), proveMembership(links.b, other)])
  expect(outcomes).toEqual([
    { ok: false, error: 'NOT_A_MEMBER' },
    { ok: false, error: 'NOT_A_MEMBER' },
  ])
  expect(onDesk.entries().length).toBe(2)
})

test('[G26] entries that add somebody else do not admit the one who brings them', async () => {
  const { onLaptop, onDesk } = story()
  const thief = device('thief')
  const links = createPairingLinks({ a: desk.id, b: thief.id })
  links.inject('a', encodeCbor({ v: 1, entries: onLaptop.entries().map(entry => entry.bytes), last: true }))
  expect(await receiveProof(links.a, onDesk)).toEqual({ ok: false, error: 'NOT_A_MEMBER' })
  expect(onDesk.isActive(phone.id)).toBe(false)
  expect(links.sent.byA.at(-1)).toEqual(encodeCbor({ v: 1, admitted: false }))
})

test('[G26] 10,000 frames of garbage and CBOR of the wrong shape are answered, and admit nobody', async () => {
  const { onDesk, onPhone } = story()
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc
      .record(
        {
          v: fc.constantFrom(1, 2),
          entries: fc.oneof(fc.array(fc.uint8Array({ maxLength: 40 })), fc.string()),
          last: fc.constantFrom(true, 1),
        },
        { requiredKeys: [] },
      )
      .map(encodeCbor),
    fc
      .record(
        { v: fc.constant(1), heads: fc.oneof(fc.array(fc.uint8Array({ maxLength: 33 })), fc.nat()), admitted: fc.nat() },
        { requiredKeys: [] },
      )
      .map(encodeCbor),
  )
  const attempt = async (frame: Uint8Array): Promise<boolean> => {
    const links = createPairingLinks({ a: desk.id, b: phone.id })
    for (let i = 0; i < 16; i++) links.inject('a', frame)
    const received = await receiveProof(links.a, onDesk)
    const back = createPairingLinks({ a: phone.id, b: desk.id })
    back.inject('a', frame)
    back.inject('a', frame)
    const proven = await proveMembership(back.a, onPhone)
    return !received.ok && !proven.ok
  }
  await fc.assert(fc.asyncProperty(garbage, attempt), { numRuns: 10_000 })
  expect(onDesk.entries().length).toBe(2)
})

test('[G36] a stranger makes the receiver check no signature of its own, and one forged signature ends the proof', async () => {
  const { onLaptop } = story()
  const thief = device('thief')
  let checks = 0
  const verifier: Verifier = { verify: (...signed) => (checks++, portableVerifier.verify(...signed)) }
  const onDesk = openGroup({
    identity: desk,
    random,
    secret: onLaptop.secret,
    entries: onLaptop.entries().map(entry => entry.bytes),
    verifier,
  })
  const by = (author: DeviceIdentity, signer: DeviceIdentity): Uint8Array[] =>
    Array.from({ length: 50 }, (_, time) =>
      signedEntryBytes(signer, {
        v: 1,
        group: idBytes(onDesk.id),
        author: author.signing.publicKey,
        parents: [idBytes(onDesk.id)],
        kind: 'rename',
        body: { target: author.signing.publicKey, name: 'x' },
        time,
      }),
    )
  const checksFor = async (entries: readonly Uint8Array[]): Promise<number> => {
    checks = 0
    const links = createPairingLinks({ a: desk.id, b: thief.id })
    links.inject('a', encodeCbor({ v: 1, entries, last: true }))
    expect(await receiveProof(links.a, onDesk)).toEqual({ ok: false, error: 'NOT_A_MEMBER' })
    return checks
  }
  expect(await checksFor(by(thief, thief))).toBe(0)
  expect(await checksFor(by(laptop, thief))).toBe(1)
})

test('[G27] a device shows its log to members only', async () => {
  const { onPhone } = story()
  const links = createPairingLinks({ a: device('curious').id, b: phone.id })
  links.inject('b', encodeCbor({ v: 1, heads: [] }))
  expect(await proveMembership(links.b, onPhone)).toEqual({ ok: false, error: 'NOT_A_MEMBER' })
  expect(links.sent.byB).toEqual([])
})

test('[G28] more than 1 MiB is refused while it comes', async () => {
  const { onDesk, links } = story()
  const frame = encodeCbor({
    v: 1,
    entries: [new Uint8Array(60_000), new Uint8Array(60_000), new Uint8Array(60_000), new Uint8Array(60_000)],
    last: false,
  })
  for (let i = 0; i < 16; i++) links.inject('a', frame)
  expect(await receiveProof(links.a, onDesk)).toEqual({ ok: false, error: 'FRAME_TOO_LARGE' })
  expect(await links.a.receive()).toEqual(frame) // the rest was never read
})

test('[G28] the limit is on the entries, to the byte', async () => {
  const { onDesk, links } = story()
  const bringing = (last: number): void => {
    for (let i = 0; i < 4; i++)
      links.inject('a', encodeCbor({ v: 1, entries: [1, 2, 3, 4].map(() => new Uint8Array(65_536 - 512)), last: false }))
    links.inject('a', encodeCbor({ v: 1, entries: [new Uint8Array(16 * 512 + last)], last: true }))
  }
  bringing(0)
  expect(await receiveProof(links.a, onDesk)).toEqual({ ok: false, error: 'NOT_A_MEMBER' })
  bringing(1)
  expect(await receiveProof(links.a, onDesk)).toEqual({ ok: false, error: 'FRAME_TOO_LARGE' })
})

test('a proof ends when the link does, and when the signal aborts', async () => {
  const { onDesk, onPhone, links } = story()
  const waiting = proveMembership(links.b, onPhone)
  links.cut()
  await expect(waiting).rejects.toMatchObject({ code: 'LINK_CLOSED' })
  const stopping = new AbortController()
  const receiving = receiveProof(createPairingLinks({ a: desk.id, b: phone.id }).a, onDesk, { signal: stopping.signal })
  stopping.abort(new Error('enough'))
  await expect(receiving).rejects.toThrow('enough')
})

/** The laptop removed the phone; the desk knows, the phone does not. `a` is the desk's end, `b` the phone's. */
function removedStory(): ReturnType<typeof story> & { readonly removal: SignedEntry } {
  const told = story()
  told.onDesk.receive(told.onLaptop.entries().map(entry => entry.bytes))
  const removal = told.onLaptop.remove(phone.id, { time: 7 })
  told.onDesk.receive([removal.bytes])
  return { ...told, removal }
}

test('[G59] [I12] a removed device gets the entry that removed it, and nothing else', async () => {
  const { onDesk, onPhone, links, removal } = removedStory()
  const heard: string[] = []
  const outcomes = await Promise.all([
    receiveProof(links.a, onDesk),
    proveMembership(links.b, onPhone, {
      onRemoved(entry) {
        heard.push(entry.id)
        void links.b.close()
        return Promise.resolve(undefined)
      },
    }),
  ])
  expect(outcomes).toEqual([
    { ok: false, error: 'DEVICE_REMOVED' },
    { ok: false, error: 'DEVICE_REMOVED' },
  ])
  expect(heard).toEqual([removal.id])
  expect(links.sent.byA).toEqual([encodeCbor({ v: 1, removed: removal.bytes })])
  expect(onPhone.isActive(phone.id)).toBe(false)
})

test('[G60] a removed device signs that it erased, and the receiver learns it', async () => {
  const { onDesk, onPhone, links } = removedStory()
  const heard: (readonly [Erasure, Uint8Array])[] = []
  await Promise.all([
    receiveProof(links.a, onDesk, { onErasure: (erasure, frame) => heard.push([erasure, frame]) }),
    proveMembership(links.b, onPhone, {
      onRemoved: entry => Promise.resolve(signErasure({ group: entry.group, removal: entry.id, erased: true, time: 8 }, phone)),
    }).finally(() => void links.b.close()),
  ])
  const [[erasure, frame] = []] = heard
  expect(erasure).toEqual({ group: onDesk.id, removal: onDesk.removalOf(phone.id)?.entry, device: phone.id, erased: true, time: 8 })
  expect(readErasure(frame ?? new Uint8Array())).toEqual(erasure)
})

test('[G60] a word on erasing by another device, about another removal, or with a broken signature is passed on to nobody', async () => {
  const { onDesk, removal } = removedStory()
  const about = { group: onDesk.id, removal: removal.id, erased: true, time: 8 }
  const broken = signErasure(about, phone)
  broken[broken.length - 1] = (broken.at(-1) as number) ^ 1
  for (const answer of [signErasure(about, laptop), signErasure({ ...about, removal: onDesk.entries()[0]?.id as never }, phone), broken]) {
    const links = createPairingLinks({ a: desk.id, b: phone.id })
    links.inject('a', answer)
    const heard: unknown[] = []
    const received = receiveProof(links.a, onDesk, { onErasure: erasure => heard.push(erasure) })
    await links.b.close()
    expect(await received).toEqual({ ok: false, error: 'DEVICE_REMOVED' })
    expect(heard).toEqual([])
  }
})

test('[G60] nobody talks a device into erasing: not a member, not a stranger, not for another device', async () => {
  const { onLaptop, onPhone } = story()
  const body = { target: phone.signing.publicKey, epoch: { check: new Uint8Array(32), parents: [], wraps: [] } }
  const forged = (by: DeviceIdentity, target: DeviceIdentity = phone): Uint8Array =>
    signedEntryBytes(by, {
      v: 1,
      group: idBytes(onPhone.id),
      author: by.signing.publicKey,
      parents: onPhone.state.peek().heads.map(idBytes),
      kind: 'remove',
      body: { ...body, target: target.signing.publicKey },
      time: 9,
    })
  const unsigned = forged(laptop)
  unsigned[unsigned.length - 1] = (unsigned.at(-1) as number) ^ 1
  expect(onLaptop.isActive(phone.id)).toBe(true)
  for (const bytes of [forged(desk), forged(device('stranger')), forged(laptop, desk), unsigned]) {
    const links = createPairingLinks({ a: desk.id, b: phone.id })
    links.inject('b', encodeCbor({ v: 1, removed: bytes }))
    const onRemoved = (): Promise<undefined> => Promise.reject(new Error('believed'))
    expect(await proveMembership(links.b, onPhone, { onRemoved })).toEqual({ ok: false, error: 'NOT_A_MEMBER' })
  }
})

test('[G60] a device that slept through much believes the admin it knows, although it lacks what came between', async () => {
  const { onLaptop, onPhone } = story()
  onLaptop.setRole(desk.id, 'admin', 5)
  const removal = onLaptop.remove(phone.id, { time: 6 })
  const links = createPairingLinks({ a: desk.id, b: phone.id })
  links.inject('b', encodeCbor({ v: 1, removed: removal.bytes }))
  const heard: string[] = []
  const onRemoved = (entry: SignedEntry): Promise<undefined> => Promise.resolve(void heard.push(entry.id))
  await proveMembership(links.b, onPhone, { onRemoved })
  expect(heard).toEqual([removal.id])
})

test('[G60] an admin that left by itself hears it from others as well, and may answer', async () => {
  const { onLaptop, onDesk, links } = story()
  onLaptop.setRole(desk.id, 'admin', 5)
  const left = onLaptop.remove(laptop.id, { time: 6 })
  onDesk.receive(onLaptop.entries().map(entry => entry.bytes))
  const ends = createPairingLinks({ a: desk.id, b: laptop.id })
  const heard: string[] = []
  const outcomes = await Promise.all([
    receiveProof(ends.a, onDesk, { onErasure: erasure => heard.push(erasure.removal) }),
    proveMembership(ends.b, onLaptop, {
      onRemoved: entry => Promise.resolve(signErasure({ group: entry.group, removal: entry.id, erased: false, time: 8 }, laptop)),
    }).finally(() => void ends.b.close()),
  ])
  expect(outcomes.map(outcome => (outcome.ok ? 'ok' : outcome.error))).toEqual(['DEVICE_REMOVED', 'DEVICE_REMOVED'])
  expect(heard).toEqual([left.id])
  expect(links.sent.byA).toEqual([])
})

/** Laptop, the senior, and desk removed each other; the phone heard of the laptop's end first. `a` is the phone's end, `b` the laptop's. */
function feud(): { readonly onLaptop: Group; readonly onPhone: Group; readonly links: PairingLinkPair } {
  const { onLaptop, onDesk, onPhone } = story()
  onLaptop.setRole(desk.id, 'admin', 5)
  onDesk.receive(onLaptop.entries().map(entry => entry.bytes))
  onPhone.receive(onLaptop.entries().map(entry => entry.bytes))
  onPhone.receive([onDesk.remove(laptop.id, { time: 6 }).bytes])
  onLaptop.remove(desk.id, { time: 6 })
  return { onLaptop, onPhone, links: createPairingLinks({ a: phone.id, b: laptop.id }) }
}

test('[G62] of two who removed each other the senior finds back to who heard of the other removal first', async () => {
  const { onLaptop, onPhone, links } = feud()
  expect(onPhone.isActive(laptop.id)).toBe(false)
  const outcomes = await Promise.all([receiveProof(links.a, onPhone), proveMembership(links.b, onLaptop)])
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, true])
  for (const group of [onPhone, onLaptop]) {
    expect(group.state.peek().devices.flatMap(({ id, active }) => (active ? [id] : []))).toEqual([laptop.id, phone.id])
  }
})

test('[G62] [G59] what does not bring the removed device back is not taken, whatever it is, and not answered', async () => {
  const { onDesk, onPhone } = removedStory()
  for (const entries of [onPhone.entries().map(({ bytes }) => bytes), [new Uint8Array(100)], []]) {
    const links = createPairingLinks({ a: desk.id, b: phone.id })
    links.inject('a', encodeCbor({ v: 1, entries, last: true }))
    const before = onDesk.entries().length
    expect(await receiveProof(links.a, onDesk)).toEqual({ ok: false, error: 'DEVICE_REMOVED' })
    expect(onDesk.entries()).toHaveLength(before)
    expect(links.sent.byA).toHaveLength(1)
  }
})

/** Laptop, the senior, and desk, an admin too, removed each other without hearing of it; nobody else is there. `a` is the desk's end. */
function twoGroups(): { readonly onLaptop: Group; readonly onDesk: Group; readonly links: PairingLinkPair } {
  const { onLaptop, onDesk } = story()
  onLaptop.setRole(desk.id, 'admin', 5)
  onDesk.receive(onLaptop.entries().map(entry => entry.bytes))
  onLaptop.remove(desk.id, { time: 6 })
  onDesk.remove(laptop.id, { time: 6 })
  return { onLaptop, onDesk, links: createPairingLinks({ a: desk.id, b: laptop.id }) }
}

test('[G63] of two that hold each other for removed the one that calls shows its removal, and the junior finds out', async () => {
  const { onLaptop, onDesk, links } = twoGroups()
  const removal = onLaptop.entry(onLaptop.removalOf(desk.id)?.entry as never) as SignedEntry
  const outcomes = await Promise.all([receiveProof(links.a, onDesk), callOnRemoved(links.b, onLaptop)])
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, true])
  expect(links.sent.byB).toEqual([encodeCbor({ v: 1, entries: [removal.bytes], last: true })])
  expect([onDesk.isActive(desk.id), onDesk.isActive(laptop.id)]).toEqual([false, true])
})

test('[G63] [G60] a junior that calls on the senior hears that it is out, and says so', async () => {
  const { onLaptop, onDesk, links } = twoGroups()
  const heard: string[] = []
  const outcomes = await Promise.all([
    receiveProof(links.b, onLaptop, { onErasure: erasure => heard.push(erasure.device) }),
    callOnRemoved(links.a, onDesk, {
      onRemoved: entry => Promise.resolve(signErasure({ group: entry.group, removal: entry.id, erased: false, time: 8 }, desk)),
    }).finally(() => void links.a.close()),
  ])
  expect(outcomes).toEqual([
    { ok: false, error: 'DEVICE_REMOVED' },
    { ok: false, error: 'DEVICE_REMOVED' },
  ])
  expect([onDesk.isActive(desk.id), onLaptop.isActive(laptop.id)]).toEqual([false, true])
  expect(heard).toEqual([desk.id])
})

test('[G63] [I12] who is called on and greets as if nothing had been, or shows what is no removal, gets nothing', async () => {
  const { onLaptop } = twoGroups()
  const rename = onLaptop.rename(laptop.id, 'lap', 7)
  for (const greeting of [{ v: 1, heads: [] }, { v: 1, removed: rename.bytes }, { v: 1, removed: new Uint8Array(9) }, { v: 2 }]) {
    const links = createPairingLinks({ a: desk.id, b: laptop.id })
    links.inject('b', encodeCbor(greeting))
    expect(await callOnRemoved(links.b, onLaptop)).toMatchObject({ ok: false })
    expect(links.sent.byB).toEqual([])
  }
})
