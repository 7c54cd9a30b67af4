import * as fc from 'fast-check'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { createRecoveryPhrase, createSigningKeys, recoveryKeysOf, sign, unwrap } from '../crypto/index.ts'
import { foundGroup, type Group } from '../group/index.ts'
import { createIdentity, type DeviceIdentity } from '../identity/index.ts'
import { compareBytes } from '../lib/bytes.ts'
import { decodeCbor, encodeCbor } from '../lib/codec.ts'
import { deviceIdOf, hexId, idBytes, publicKeyOf, type MailboxId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import {
  admitsTheSame,
  decodeMemberList,
  encodeMemberList,
  isOnList,
  mayReplaceList,
  memberListOf,
  verifyMemberList,
} from './member-list.ts'

const random = createSeededRandom(60)
const device = (name: string): DeviceIdentity => createIdentity({ name, random })
const laptop = device('laptop')
const desk = device('desk')
const phone = device('phone')
const adminKeys = createSigningKeys(random)
const mailbox = hexId<MailboxId>(random.bytes(16))

function groupOf(...devices: readonly DeviceIdentity[]): Group {
  const group = foundGroup({ identity: laptop, random, time: 0 })
  for (const { name, signing, sealing } of devices) {
    group.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role: 'member', name, time: 1 })
  }
  return group
}
const list = memberListOf(groupOf(desk, phone).state.peek(), mailbox, 1)
const recovery = { key: phone.id, box: random.bytes(105) }

test('[M1] the members are the active devices, ascending, each once, in whatever order they were added', () => {
  const keys = list.members.map(publicKeyOf)
  expect(new Set(list.members)).toEqual(new Set([laptop.id, desk.id, phone.id]))
  expect(keys).toEqual([...keys].sort(compareBytes))
  expect(memberListOf(groupOf(phone, desk).state.peek(), mailbox, 1)).toEqual(list)
})

test('[M1] a device that waits for a place is not on the list', () => {
  const devices = groupOf(desk, phone)
    .state.peek()
    .devices.map(each => ({ ...each, active: each.id !== phone.id }))
  expect(isOnList(memberListOf({ devices }, mailbox, 1), phone.id)).toBe(false)
  expect(isOnList(memberListOf({ devices }, mailbox, 1), desk.id)).toBe(true)
})

test('[M2] a list comes back for the key that signed it, for no other, and not with a byte changed', () => {
  const signed = encodeMemberList(list, adminKeys)
  expect(verifyMemberList(signed, adminKeys.publicKey)).toEqual({ ok: true, value: list })
  expect(verifyMemberList(signed, createSigningKeys(random).publicKey).ok).toBe(false)
  for (const at of [0, 20, signed.record.length - 1]) {
    const record = signed.record.with(at, (signed.record[at] as number) ^ 1)
    expect(verifyMemberList({ ...signed, record }, adminKeys.publicKey).ok).toBe(false)
  }
})

test('[M2] a list is not taken with members out of order, twice, none, or with fields of another version', () => {
  const members = list.members.map(publicKeyOf)
  const record = { v: 1, mailbox: idBytes(mailbox), version: 1, members }
  for (const wrong of [
    { ...record, members: members.toReversed() },
    { ...record, members: [members[0], members[0]] },
    { ...record, members: [] },
    { ...record, members: [new Uint8Array(32)] },
    { ...record, version: 0 },
    { ...record, v: 2 },
    { ...record, more: 1 },
  ]) {
    const bytes = encodeCbor(wrong)
    const signature = sign('member-list', bytes, adminKeys)
    expect(verifyMemberList({ record: bytes, signature }, adminKeys.publicKey).ok).toBe(false)
  }
})

test('[M10] the phrase of the group is on the list, with the group secret in a box for it; a group without one writes what it wrote before', () => {
  const group = groupOf(desk)
  const words = recoveryKeysOf(createRecoveryPhrase(random))
  if (!words.ok) throw new Error('a made phrase is a phrase')
  const { signing, sealing } = words.value
  expect(decodeCbor(v.looseObject({ v: v.number() }), encodeMemberList(list, adminKeys).record, 8_192)).toMatchObject({ value: { v: 1 } })
  group.setRecovery({ signing: signing.publicKey, sealing: sealing.publicKey }, { time: 1 })
  const signed = encodeMemberList(memberListOf(group.state.peek(), mailbox, 2), adminKeys)
  const read = verifyMemberList(signed, adminKeys.publicKey)
  if (!read.ok || read.value.recovery === undefined) throw new Error('the phrase is on the list')
  expect(isOnList(read.value, deviceIdOf(signing.publicKey))).toBe(true)
  expect(unwrap(read.value.recovery.box, sealing)).toEqual(group.secret)
})

test('[M3] a list replaces the one before it and no other', () => {
  expect(mayReplaceList(undefined, list)).toBe(true)
  expect(mayReplaceList(undefined, { version: 2 })).toBe(false)
  expect(mayReplaceList(list, { version: 2 })).toBe(true)
  for (const version of [1, 3]) expect(mayReplaceList(list, { version })).toBe(false)
})

test('[M4] lists are compared by whom they let in', () => {
  expect(admitsTheSame(list, { ...list, version: 7 })).toBe(true)
  expect(admitsTheSame(list, { ...list, members: list.members.slice(1) })).toBe(false)
  expect(admitsTheSame(list, { ...list, recovery })).toBe(false)
  expect(admitsTheSame({ ...list, recovery: { ...recovery, box: random.bytes(105) } }, { ...list, recovery })).toBe(false)
  expect(admitsTheSame({ ...list, recovery }, { ...list, recovery: { ...recovery } })).toBe(true)
  expect(admitsTheSame(list, { ...list, mailbox: hexId<MailboxId>(random.bytes(16)) })).toBe(false)
})

test('[M5] 10,000 of garbage and of well-formed nonsense: no list, and nothing throws', () => {
  const good = {
    v: 1,
    mailbox: idBytes(mailbox),
    version: 1,
    members: list.members.map(publicKeyOf),
    recovery: { key: new Uint8Array(32), box: new Uint8Array(105) },
  }
  const scalar = fc.oneof(fc.integer(), fc.string(), fc.uint8Array({ maxLength: 40 }), fc.constant(null))
  const nonsense = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .tuple(fc.constantFrom(...Object.keys(good), '__proto__'), fc.oneof(scalar, fc.array(scalar)))
      .map(([name, value]) => encodeCbor({ ...good, [name]: value })),
  )
  fc.assert(
    fc.property(nonsense, bytes => void decodeMemberList(bytes)),
    { numRuns: 10_000 },
  )
})
