import { describe, expect, test } from 'vitest'
import { foundGroup, openGroup, type Group } from '../group/index.ts'
import { idBytes, publicKeyOf } from '../lib/ids.ts'
import { createPairingCast, shownCode, type PairingCast } from '../testing/pairing-cast.ts'
import { encodePairingFrame, type Admission } from '../wire/pairing-messages.ts'
import { admitDevice, checkWelcome } from './membership.ts'
import { groupHintOf, type PairingPayload } from './payload.ts'

describe('what the new device checks before it keeps anything', () => {
  const cast = createPairingCast(70)
  const { group, laptop, desk, random } = cast
  admitDevice(group, { device: desk.id, sealingKey: desk.sealing.publicKey, name: 'desk' }, 1)
  const payload: PairingPayload = {
    mode: 'scanned',
    ephemeralKey: random.bytes(32),
    secret: random.bytes(16),
    device: laptop.id,
    groupHint: new Uint8Array(8),
    addresses: [],
  }
  const shown = { ...payload, groupHint: groupHintOf(group.id, payload.ephemeralKey) }
  const check = (
    changes: { payload?: Partial<PairingPayload>; admission?: Partial<Admission>; of?: Group; entries?: readonly Uint8Array[] } = {},
  ) => {
    const from = changes.of ?? group
    return checkWelcome({
      identity: desk,
      random,
      payload: { ...shown, ...changes.payload },
      admission: { ...admissionOf(from, cast), ...changes.admission },
      entries: changes.entries ?? bytesOf(from),
    })
  }

  test('[P20] a whole and honest welcome is kept', () => {
    expect(check()).toMatchObject({ groupId: group.id, inviter: laptop.id, groupSecret: group.secret })
  })

  test('[P20] the entries may come in any order', () => {
    expect(check({ entries: bytesOf(group).toReversed() })).toMatchObject({ groupId: group.id })
  })

  test('[P20] another group than the one shown is refused', () => {
    const other = foundGroup({ identity: laptop, random, time: 0 })
    admitDevice(other, { device: desk.id, sealingKey: desk.sealing.publicKey, name: 'desk' }, 1)
    expect(check({ of: other })).toBe(undefined)
    expect(check({ of: other, payload: { groupHint: groupHintOf(other.id, payload.ephemeralKey) } })).toMatchObject({ groupId: other.id })
  })

  test('[P20] a log with a part missing, with too much, or with bytes that are no entry is refused', () => {
    const entries = bytesOf(group)
    const longer = openGroup({ identity: laptop, random, secret: group.secret, entries })
    longer.rename(laptop.id, 'renamed', 5)
    expect(check({ entries: entries.slice(0, 1) })).toBe(undefined)
    expect(check({ entries: [] })).toBe(undefined)
    expect(check({ entries: entries.slice(1) })).toBe(undefined)
    expect(check({ entries: bytesOf(longer) })).toBe(undefined)
    expect(check({ entries: [random.bytes(100)] })).toBe(undefined)
  })

  test('[P20] an inviter that is not in the group is refused', () => {
    expect(check({ payload: { device: cast.phone.id } })).toBe(undefined)
  })

  test('[P20] a log that adds somebody else but not this device is refused', () => {
    const other = foundGroup({ identity: laptop, random, time: 0 })
    const { id, sealing } = cast.phone
    admitDevice(other, { device: id, sealingKey: sealing.publicKey, name: 'phone' }, 1)
    const hint = { groupHint: groupHintOf(other.id, payload.ephemeralKey) }
    expect(check({ of: other, payload: hint, admission: { add: other.entryThatAdded(id)?.bytes ?? new Uint8Array() } })).toBe(undefined)
  })

  test('[P20] an add entry for another sealing key gives no epoch and is refused', () => {
    const other = foundGroup({ identity: laptop, random, time: 0 })
    other.add({ keys: { signing: publicKeyOf(desk.id), sealing: cast.phone.sealing.publicKey }, role: 'member', name: 'desk', time: 1 })
    expect(check({ of: other, payload: { groupHint: groupHintOf(other.id, payload.ephemeralKey) } })).toBe(undefined)
  })

  test('[P20] heads, add entry or epoch that are not those of the log are refused', () => {
    const genesis = bytesOf(group)[0] as Uint8Array
    const wrong: Partial<Admission>[] = [{ heads: [random.bytes(32)] }, { heads: [] }, { add: genesis }, { epoch: random.bytes(16) }]
    for (const admission of wrong) expect(check({ admission })).toBe(undefined)
  })
})

test('[P20] a welcome that does not add up reaches neither the disk nor m4', async () => {
  const cast = createPairingCast(71)
  const inviter = cast.invite()
  const joining = cast.join(inviter, {
    prepare: links =>
      links.fromA((frame, index) => [
        index === 3 ? encodePairingFrame({ v: 1, type: 'log', index: 0, sealed: new Uint8Array(80) }) : frame,
      ]),
  })
  await inviter.confirm(await shownCode(joining))
  expect(await joining.done).toEqual({ ok: false, error: 'FRAME_INVALID' })
  expect(joining.kept).toHaveLength(0)
  await inviter.close()
})

test('[P20] a welcome that the shown device did not sign is refused', async () => {
  const cast = createPairingCast(73)
  const inviter = cast.invite({ identity: { ...cast.laptop, signing: cast.phone.signing } })
  const joining = cast.join(inviter)
  await inviter.confirm(await shownCode(joining))
  expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
  expect(joining.kept).toHaveLength(0)
  await inviter.close()
})

test('[P21] a device that is in already gets no second entry; with another sealing key it is refused', () => {
  const { group, desk, phone } = createPairingCast(72)
  const newcomer = { device: desk.id, sealingKey: desk.sealing.publicKey, name: 'desk' }
  const entry = admitDevice(group, newcomer, 1)
  expect(admitDevice(group, newcomer, 2)).toBe(entry)
  expect(() => admitDevice(group, { ...newcomer, sealingKey: phone.sealing.publicKey }, 3)).toThrow(
    expect.objectContaining({ code: 'PAIRING_ALREADY_MEMBER' }),
  )
  expect(group.entries()).toHaveLength(2)
})

function bytesOf(group: Group): readonly Uint8Array[] {
  return group.entries().map(entry => entry.bytes)
}

function admissionOf(group: Group, { desk }: PairingCast): Admission {
  return {
    add: group.entryThatAdded(desk.id)?.bytes ?? new Uint8Array(),
    heads: group.state.peek().heads.map(idBytes),
    groupSecret: group.secret,
    epoch: idBytes(group.keyring.current().epoch),
    entries: group.entries().length,
    frames: 1,
    signature: new Uint8Array(64),
  }
}
