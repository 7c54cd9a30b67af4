import { setImmediate as settle } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createSealingKeys, createSigningKeys, sign, type SigningKeys } from '../crypto/index.ts'
import { foundGroup } from '../group/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { deviceIdOf, type DeviceId } from '../lib/ids.ts'
import { createPairingCast, otherDigits, shownCode, type PairingCast } from '../testing/pairing-cast.ts'
import { createPairingLinks, type PairingLinkPair } from '../testing/pairing-links.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import {
  decodePairingFrame,
  encodeIntroduction,
  encodePairingFrame,
  type Introduction,
  type PairingFrame,
} from '../wire/pairing-messages.ts'
import type { Inviter } from './inviter.ts'
import { decodePayload, invitationIdOf, type PairingPayload } from './payload.ts'
import { closeTranscript, deriveKeys, sealPart, type PairingEnds } from './transcript.ts'

const NEARBY = (cast: PairingCast, id: DeviceId = cast.laptop.id) => ({ invitation: { nearby: { id, addresses: [] } } }) as const

describe('the transcript', () => {
  const random = createSeededRandom(50)
  const [ours, theirs] = [createSealingKeys(random), createSealingKeys(random)]
  const ends: PairingEnds = {
    payload: random.bytes(120),
    secret: random.bytes(16),
    inviter: deviceIdOf(random.bytes(32)),
    joiner: deviceIdOf(random.bytes(32)),
    joinerKey: theirs.publicKey,
  }
  const [m0, m1, r] = [random.bytes(40), random.bytes(200), random.bytes(16)]
  const keysOf = (changed: Partial<PairingEnds>) => {
    const keys = deriveKeys({ ...ends, ...changed }, ours.secretKey, theirs.publicKey)
    if (keys === undefined) throw new Error('no keys')
    return keys
  }

  test('[P6] both ends derive the same keys and digits', () => {
    const far = deriveKeys(ends, theirs.secretKey, ours.publicKey)
    expect(far).toEqual(keysOf({}))
    expect(closeTranscript(keysOf({}), m0, m1, r).code).toMatch(/^\d{6}$/)
  })

  test('[P6] the payload, the ephemeral key, either device and the secret change every key', () => {
    const plain = keysOf({})
    const other = deviceIdOf(random.bytes(32))
    const changes: Partial<PairingEnds>[] = [
      { payload: random.bytes(120) },
      { joinerKey: random.bytes(32) },
      { inviter: other },
      { joiner: other },
      { secret: random.bytes(16) },
    ]
    for (const change of changes) {
      const changed = keysOf(change)
      expect(changed.inviterKey).not.toEqual(plain.inviterKey)
      expect(changed.joinerKey).not.toEqual(plain.joinerKey)
      expect(changed.codeKey).not.toEqual(plain.codeKey)
      expect(closeTranscript(changed, m0, m1, r).code).not.toBe(closeTranscript(plain, m0, m1, r).code)
    }
  })

  test('[P6] m0, m1 and r change H1 and the digits', () => {
    const keys = keysOf({})
    const all = [
      closeTranscript(keys, m0, m1, r),
      closeTranscript(keys, m1, m1, r),
      closeTranscript(keys, m0, m0, r),
      closeTranscript(keys, m0, m1, random.bytes(16)),
    ]
    expect(new Set(all.map(({ code }) => code)).size).toBe(4)
    expect(new Set(all.map(({ h1 }) => h1.join())).size).toBe(4)
  })

  test('[P6] a key for which everybody knows the result gives no keys', () => {
    expect(deriveKeys(ends, ours.secretKey, new Uint8Array(32))).toBe(undefined)
  })
})

describe('the commitment', () => {
  test('[P7] r is committed before the desk answers, and fresh for every connection', async () => {
    const cast = createPairingCast(51)
    const inviter = cast.invite()
    const joinings = [cast.join(inviter), cast.join(inviter, { device: cast.phone })]
    await Promise.all(joinings.map(shownCode))
    const commits = joinings.map(({ links }) => framesOf(links[0]?.sent.byA)[0])
    expect(commits.map(frame => frame?.type)).toEqual(['commit', 'commit'])
    expect(commits[0]).not.toEqual(commits[1])
    await inviter.close()
  })

  test('[P7] an r that was not committed to ends it without digits', async () => {
    const cast = createPairingCast(52)
    const inviter = cast.invite()
    const other: PairingFrame = { v: 1, type: 'reveal', reveal: new Uint8Array(16) }
    const joining = cast.join(inviter, {
      prepare: links => links.fromA((frame, index) => [index === 1 ? encodePairingFrame(other) : frame]),
    })
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
    expect(joining.code.peek()).toBe(undefined)
    await inviter.close()
  })
})

describe('who answers', () => {
  /** m1 as a device with its own ideas would write it. */
  const answerAs = async (
    cast: PairingCast,
    inviter: Inviter,
    device: DeviceIdentity,
    change: Partial<Introduction>,
    signer?: SigningKeys,
  ): Promise<string | undefined> => {
    const links = createPairingLinks({ a: cast.laptop.id, b: device.id })
    const accepted = inviter.accept(links.a)
    await links.b.receive()
    await links.b.send(forgeAnswer(cast, inviter, device, change, signer))
    await settle()
    if (inviter.state.peek().kind === 'open' && framesOf(links.sent.byA).some(frame => frame.type === 'reveal')) return 'reveal'
    await accepted
    const last = framesOf(links.sent.byA).at(-1)
    return last?.type === 'refuse' ? last.why : last?.type
  }

  test('[P8] a well made introduction gets r', async () => {
    const cast = createPairingCast(53)
    const inviter = cast.invite()
    expect(await answerAs(cast, inviter, cast.desk, {})).toBe('reveal')
    await inviter.close()
  })

  test('[P8] a key that is not the connection’s, a proof by another key, a bad sealing key or name are refused and cost no try', async () => {
    const cast = createPairingCast(54)
    const inviter = cast.invite()
    const others = createSigningKeys(cast.random)
    const bad: Partial<Introduction>[] = [
      { signingKey: others.publicKey },
      { proof: new Uint8Array(64) },
      { proof: sign('pairing-possession', new Uint8Array(32), cast.desk.signing) },
      { sealingKey: new Uint8Array(32) },
      { name: 'desk\u0007' },
      { name: '\u202elaptop' },
      { name: '' },
      { name: 'x'.repeat(65) },
      { platform: 'linux\n' },
    ]
    for (const change of bad) expect([change, await answerAs(cast, inviter, cast.desk, change)]).toEqual([change, 'refused'])
    expect(await answerAs(cast, inviter, cast.desk, {}, others)).toBe('refused')
    expect(inviter.state.peek()).toEqual({ kind: 'open', waiting: [], triesLeft: 3 })
    await inviter.close()
  })
})

describe('who shows', () => {
  test('[P9] the desk says nothing to a device that is not the one in the payload', async () => {
    const cast = createPairingCast(55)
    const inviter = cast.invite()
    const links = createPairingLinks({ a: cast.phone.id, b: cast.desk.id })
    const joining = cast.join(inviter, { dial: () => links.b })
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
    expect(framesOf(links.sent.byB).map(frame => frame.type)).toEqual(['refuse'])
    await inviter.close()
  })

  test('[P9] nearby, fields of another device in m0 end it', async () => {
    const cast = createPairingCast(56)
    const inviter = cast.invite()
    const links = createPairingLinks({ a: cast.phone.id, b: cast.desk.id })
    const forwarded = createPairingLinks({ a: cast.laptop.id, b: cast.desk.id })
    void inviter.accept(forwarded.a)
    links.inject('b', await forwarded.b.receive())
    const joining = cast.join(inviter, { ...NEARBY(cast, cast.phone.id), dial: () => links.b })
    expect(await joining.done).toEqual({ ok: false, error: 'FRAME_INVALID' })
    await inviter.close()
  })
})

describe('somebody in between', () => {
  test('[P11] nearby, a man in the middle with own keys on both sides makes the digits differ and gets nowhere', async () => {
    const cast = createPairingCast(57)
    const mallory = cast.device('laptop')
    const malloryGroup = foundGroup({ identity: mallory, random: cast.random, time: 0 })
    const laptops = cast.invite()
    const mallorys = cast.invite({ identity: mallory, group: malloryGroup })
    const between = createPairingLinks({ a: mallory.id, b: cast.desk.id })
    void mallorys.accept(between.a)
    const desk = cast.join(mallorys, { ...NEARBY(cast, mallory.id), dial: () => between.b })
    const attack = cast.join(laptops, { ...NEARBY(cast), device: mallory })
    const [typed, needed] = await Promise.all([shownCode(desk), shownCode(attack)])
    expect(typed).not.toBe(needed)
    expect(await laptops.confirm(typed)).toEqual({ ok: false, code: 'PAIRING_WRONG_CODE', triesLeft: 2 })
    expect(cast.group.isActive(mallory.id)).toBe(false)
    await Promise.all([laptops.close(), mallorys.close(), desk.close(), attack.close()])
  })

  test('[P11] who saw the QR and joins first still needs digits that nobody will type', async () => {
    const cast = createPairingCast(58)
    const inviter = cast.invite()
    const mallory = cast.join(inviter, { device: cast.device('desk') })
    const desk = cast.join(inviter)
    const [, code] = await Promise.all([shownCode(mallory), shownCode(desk)])
    expect(await inviter.confirm(code)).toMatchObject({ ok: true, device: { id: cast.desk.id } })
    expect(await mallory.done).toEqual({ ok: false, error: 'PAIRING_USED' })
  })

  test('[P11] scanned, putting another key or other sealed bytes into m1 is refused', async () => {
    const cast = createPairingCast(59)
    const inviter = cast.invite()
    for (const field of ['ephemeralKey', 'sealed'] as const) {
      const swap = (bytes: Uint8Array): Uint8Array => {
        const [frame] = framesOf([bytes])
        if (frame?.type !== 'answer') return bytes
        return encodePairingFrame({ ...frame, [field]: createSealingKeys(cast.random).publicKey })
      }
      const joining = cast.join(inviter, { prepare: links => links.fromB(frame => [swap(frame)]) })
      expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
    }
    await inviter.close()
  })

  test('[P11] m0 changed on the way makes the digits differ even when everything else arrives', async () => {
    const cast = createPairingCast(60)
    const inviter = cast.invite()
    const strip = (bytes: Uint8Array): Uint8Array => {
      const [frame] = framesOf([bytes])
      return frame?.type === 'commit' ? encodePairingFrame({ v: 1, type: 'commit', commitment: frame.commitment }) : bytes
    }
    const joining = cast.join(inviter, { prepare: links => links.fromA(frame => [strip(frame)]) })
    expect(await inviter.confirm(await shownCode(joining))).toMatchObject({ ok: false, code: 'PAIRING_WRONG_CODE' })
    await inviter.close()
  })

  test('[P11] a welcome of another connection does not open', async () => {
    const cast = createPairingCast(61)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    await shownCode(joining)
    joining.links[0]?.inject('b', encodePairingFrame({ v: 1, type: 'welcome', sealed: cast.random.bytes(200) }))
    expect(await joining.done).toEqual({ ok: false, error: 'FRAME_INVALID' })
    await inviter.close()
  })
})

describe('what is not Segue', () => {
  test('[P24] a frame of another version is called that on both sides', async () => {
    const cast = createPairingCast(62)
    const inviter = cast.invite()
    const later = Uint8Array.from([0xa2, 0x61, 0x76, 0x02, 0x64, 0x74, 0x79, 0x70, 0x65, 0x61, 0x78]) // {v: 2, type: 'x'}
    const fromOld = cast.join(inviter, { prepare: links => links.fromA(() => [later]) })
    expect(await fromOld.done).toEqual({ ok: false, error: 'PAIRING_VERSION' })
    expect(framesOf(fromOld.links[0]?.sent.byB)).toEqual([{ v: 1, type: 'refuse', why: 'version' }])
    const fromNew = cast.join(inviter, { prepare: links => links.fromB(() => [later]) })
    expect(await fromNew.done).toEqual({ ok: false, error: 'PAIRING_VERSION' })
    await inviter.close()
  })

  test('[P23] an m4 before m3 is out of turn', async () => {
    const cast = createPairingCast(64)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    await shownCode(joining)
    joining.links[0]?.inject('a', encodePairingFrame({ v: 1, type: 'received' }))
    expect(await joining.done).toEqual({ ok: false, error: 'FRAME_INVALID' })
    await inviter.close()
  })

  test('[P23] garbage and frames out of turn, at every moment and from either side, end one connection and no other', async () => {
    const cast = createPairingCast(63)
    const inviter = cast.invite()
    const honest = cast.join(inviter, { device: cast.phone })
    const code = await shownCode(honest)
    const outOfTurn: PairingFrame[] = [
      { v: 1, type: 'received' },
      { v: 1, type: 'commit', commitment: new Uint8Array(32) },
      { v: 1, type: 'log', index: 0, sealed: new Uint8Array(9) },
    ]
    const intruders = [new Uint8Array(), cast.random.bytes(64), ...outOfTurn.map(encodePairingFrame)]
    for (const intruder of intruders) {
      for (const at of [0, 1]) {
        const toDesk = cast.join(inviter, { prepare: links => links.fromA((frame, index) => (index === at ? [intruder] : [frame])) })
        expect((await endOf(toDesk)).ok).toBe(false)
        const toLaptop = cast.join(inviter, {
          prepare: links => links.fromB((frame, index) => (index === 0 && at === 0 ? [intruder] : [frame])),
        })
        if (at === 1) {
          await shownCode(toLaptop)
          toLaptop.links[0]?.inject('a', intruder)
        }
        expect((await endOf(toLaptop)).ok).toBe(false)
      }
    }
    expect(inviter.state.peek()).toMatchObject({ kind: 'open', triesLeft: 3 })
    expect(await inviter.confirm(otherDigits(code))).toMatchObject({ triesLeft: 2 })
    expect(await inviter.confirm(code)).toMatchObject({ ok: true, device: { id: cast.phone.id } })
  })
})

function framesOf(bytes: readonly Uint8Array[] = []): readonly PairingFrame[] {
  return bytes.flatMap(frame => {
    const decoded = decodePairingFrame(frame)
    return decoded.ok ? [decoded.value] : []
  })
}

/** The outcome; a conversation that only got quiet (a log frame before m3 is let pass) is cut. */
async function endOf<T>({ links, done }: { readonly links: readonly PairingLinkPair[]; readonly done: Promise<T> }): Promise<T> {
  for (let dials = 0; dials < 4; dials++) {
    for (let turns = 0; turns < 3; turns++) await settle()
    links[dials]?.cut()
  }
  return await done
}

function forgeAnswer(
  cast: PairingCast,
  inviter: Inviter,
  device: DeviceIdentity,
  change: Partial<Introduction>,
  signer = device.signing,
): Uint8Array {
  const decoded = decodePayload(inviter.payload)
  if (!decoded.ok) throw new Error(decoded.error)
  const payload: PairingPayload = decoded.value
  const ephemeral = createSealingKeys(cast.random)
  const ends = {
    payload: inviter.payload,
    secret: payload.secret,
    inviter: payload.device,
    joiner: device.id,
    joinerKey: ephemeral.publicKey,
  }
  const keys = deriveKeys(ends, ephemeral.secretKey, payload.ephemeralKey)
  if (keys === undefined) throw new Error('no keys')
  const introduction: Introduction = {
    signingKey: signer.publicKey,
    sealingKey: device.sealing.publicKey,
    name: device.name,
    platform: 'linux',
    proof: sign('pairing-possession', keys.h0, signer),
    ...change,
  }
  const sealed = sealPart(keys.joinerKey, 'introduction', encodeIntroduction(introduction), cast.random)
  return encodePairingFrame({
    v: 1,
    type: 'answer',
    invitation: invitationIdOf(inviter.payload),
    ephemeralKey: ephemeral.publicKey,
    sealed,
  })
}
