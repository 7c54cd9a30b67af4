import { describe, expect, test } from 'vitest'
import { openGroup } from '../group/index.ts'
import { toHex, utf8 } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import { createPairingCast, otherDigits, shownCode } from '../testing/pairing-cast.ts'

describe('a desk joins the group of a laptop', () => {
  test('[P10] the desk shows six digits that the laptop does not know how to show', async () => {
    const cast = createPairingCast(1)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    const code = await shownCode(joining)
    expect(code).toMatch(/^\d{6}$/)
    expect(inviter.state.peek()).toEqual({
      kind: 'open',
      triesLeft: 3,
      waiting: [{ id: cast.desk.id, name: 'desk', platform: 'linux', isRemote: false }],
    })
    expect(JSON.stringify(inviter.state.peek())).not.toContain(code)
    await inviter.close()
  })

  test('[P5] with the digits typed, the desk is in the group as a member and opens it by itself', async () => {
    const cast = createPairingCast(2)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    const code = await shownCode(joining)
    const outcome = await inviter.confirm(`${code.slice(0, 3)} ${code.slice(3)}`)
    expect(outcome).toMatchObject({ ok: true, device: { id: cast.desk.id } })
    const result = await joining.done
    if (!result.ok) throw new Error(result.error)
    const { groupSecret, entries, groupId, inviter: shownBy, addresses } = result.value
    const desks = openGroup({ identity: cast.desk, random: cast.random, secret: groupSecret, entries })
    expect(groupId).toBe(cast.group.id)
    expect(shownBy).toBe(cast.laptop.id)
    expect(addresses).toEqual(['/ip4/192.168.1.20/tcp/4001', '/ip6/fe80::1/tcp/4001/ws'])
    expect(desks.device(cast.desk.id)).toMatchObject({ role: 'member', active: true, name: 'desk', addedBy: cast.laptop.id })
    expect(desks.keyring.current()).toEqual(cast.group.keyring.current())
    await inviter.state.when(({ kind }) => kind === 'done')
    expect(inviter.state.peek()).toMatchObject({ kind: 'done' })
  })

  test('[P5] a device that is no admin cannot open an invitation', async () => {
    const cast = createPairingCast(3)
    const { entries, groupSecret } = await pair(cast)
    const desks = openGroup({ identity: cast.desk, random: cast.random, secret: groupSecret, entries })
    expect(() => cast.invite({ identity: cast.desk, group: desks })).toThrow(SegueError)
  })
})

describe('the digits', () => {
  test('[P15] three wrong tries end the invitation on both sides', async () => {
    const cast = createPairingCast(4)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    const bad = otherDigits(await shownCode(joining))
    expect(await inviter.confirm(bad)).toEqual({ ok: false, code: 'PAIRING_WRONG_CODE', triesLeft: 2 })
    expect(await inviter.confirm(bad)).toEqual({ ok: false, code: 'PAIRING_WRONG_CODE', triesLeft: 1 })
    expect(await inviter.confirm(bad)).toEqual({ ok: false, code: 'PAIRING_TOO_MANY_TRIES', triesLeft: 0 })
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_TOO_MANY_TRIES' })
    expect(cast.group.entries()).toHaveLength(1)
  })

  test('[P15] the right digits after the third wrong try are too late', async () => {
    const cast = createPairingCast(5)
    const inviter = cast.invite()
    const code = await shownCode(cast.join(inviter))
    for (let i = 0; i < 3; i++) await inviter.confirm(otherDigits(code))
    expect(await inviter.confirm(code)).toMatchObject({ ok: false, code: 'PAIRING_TOO_MANY_TRIES' })
    expect(cast.group.isActive(cast.desk.id)).toBe(false)
  })

  test('[P14] what is not six digits, or typed while nobody waits, costs no try', async () => {
    const cast = createPairingCast(6)
    const inviter = cast.invite()
    for (const typed of ['123456', '', '12345', '1234567', 'abcdef', '１２３４５６']) {
      expect(await inviter.confirm(typed)).toEqual({ ok: false, code: 'PAIRING_WRONG_CODE', triesLeft: 3 })
    }
    await inviter.close()
  })

  test('[P13] three devices wait, a fourth is told to come back, and who leaves makes room', async () => {
    const cast = createPairingCast(7)
    const inviter = cast.invite()
    const joinings = ['a', 'b', 'c'].map(name => cast.join(inviter, { device: cast.device(name) }))
    await Promise.all(joinings.map(shownCode))
    expect(await cast.join(inviter).done).toEqual({ ok: false, error: 'PAIRING_BUSY' })
    await joinings[0]?.close()
    await inviter.state.when(state => state.kind === 'open' && state.waiting.length === 2)
    const code = await shownCode(cast.join(inviter))
    expect(await inviter.confirm(code)).toMatchObject({ ok: true, device: { id: cast.desk.id } })
  })

  test('[P13] a device that connects again replaces itself', async () => {
    const cast = createPairingCast(8)
    const inviter = cast.invite()
    const first = cast.join(inviter)
    await shownCode(first)
    const second = cast.join(inviter)
    const code = await shownCode(second)
    expect(await first.done).toEqual({ ok: false, error: 'CANCELLED' })
    expect(inviter.state.peek()).toMatchObject({ waiting: [{ id: cast.desk.id }] })
    expect(await inviter.confirm(code)).toMatchObject({ ok: true })
    expect(await second.done).toMatchObject({ ok: true })
  })

  test('[P16] a second joiner that raced the first is told that the code is used, and so is a late one', async () => {
    const cast = createPairingCast(9)
    const inviter = cast.invite()
    const desk = cast.join(inviter)
    const phone = cast.join(inviter, { device: cast.phone })
    const [code] = await Promise.all([shownCode(desk), shownCode(phone)])
    await inviter.confirm(code)
    expect(await desk.done).toMatchObject({ ok: true })
    expect(await phone.done).toEqual({ ok: false, error: 'PAIRING_USED' })
    expect(await cast.join(inviter, { device: cast.device('late') }).done).toEqual({ ok: false, error: 'PAIRING_USED' })
    expect(await inviter.confirm('000000')).toEqual({ ok: false, code: 'PAIRING_USED', triesLeft: 0 })
    expect(cast.group.isActive(cast.phone.id)).toBe(false)
  })
})

describe('the end of an invitation', () => {
  test('[P3] two minutes by the monotonic clock, whatever happens to the wall clock', async () => {
    const cast = createPairingCast(10)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    const code = await shownCode(joining)
    cast.clock.setWallClock(0)
    cast.clock.advance(119_999)
    expect(inviter.state.peek()).toMatchObject({ kind: 'open' })
    cast.clock.advance(1)
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_EXPIRED' })
    expect(await inviter.confirm(code)).toEqual({ ok: false, code: 'PAIRING_EXPIRED', triesLeft: 0 })
  })

  test('[P3] ten minutes when a person chose so, and never more', async () => {
    const cast = createPairingCast(11)
    const inviter = cast.invite({ expiresInMs: 600_000 })
    cast.clock.advance(599_999)
    expect(inviter.state.peek()).toMatchObject({ kind: 'open' })
    cast.clock.advance(1)
    expect(inviter.state.peek()).toEqual({ kind: 'failed', code: 'PAIRING_EXPIRED' })
    for (const expiresInMs of [600_001, 0, -1, Number.NaN]) expect(() => cast.invite({ expiresInMs })).toThrow(RangeError)
  })

  test('[P3] timers that a suspended machine fires late let nobody in', async () => {
    const cast = createPairingCast(41)
    const inviter = cast.invite({ clock: { ...cast.clock, after: () => () => undefined } })
    const code = await shownCode(cast.join(inviter))
    cast.clock.advance(120_000)
    expect(await inviter.confirm(code)).toMatchObject({ ok: false, code: 'PAIRING_EXPIRED' })
    expect(cast.group.isActive(cast.desk.id)).toBe(false)
  })

  test('[P4] who comes with an expired code, or one of an earlier invitation, is told so', async () => {
    const cast = createPairingCast(12)
    const earlier = cast.invite()
    cast.clock.advance(120_000)
    expect(await cast.join(earlier).done).toEqual({ ok: false, error: 'PAIRING_EXPIRED' })
    const inviter = cast.invite()
    const joining = cast.join(inviter, { invitation: { text: earlier.text } })
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_EXPIRED' })
    expect(inviter.state.peek()).toMatchObject({ kind: 'open', waiting: [] })
    await inviter.close()
  })

  test('[P4] closing it tells the waiting and whoever comes later', async () => {
    const cast = createPairingCast(13)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    await shownCode(joining)
    await inviter.close()
    expect(await joining.done).toEqual({ ok: false, error: 'CANCELLED' })
    expect(await cast.join(inviter).done).toEqual({ ok: false, error: 'CANCELLED' })
  })

  test('[P2] a damaged, foreign, empty or other-version text fails before anything is dialled', async () => {
    const cast = createPairingCast(14)
    const inviter = cast.invite()
    const damaged = inviter.text.slice(0, 40) + (inviter.text[40] === 'A' ? 'B' : 'A') + inviter.text.slice(41)
    for (const text of ['', 'hello', damaged, inviter.text.slice(0, -1), 'https://example.org/pair']) {
      const joining = cast.join(inviter, { invitation: { text } })
      expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_TEXT_INVALID' })
      expect(joining.links).toHaveLength(0)
    }
    await inviter.close()
  })

  test('[P9] a device does not pair with itself', async () => {
    const cast = createPairingCast(15)
    const inviter = cast.invite()
    expect(await cast.join(inviter, { device: cast.laptop }).done).toEqual({ ok: false, error: 'PAIRING_ALREADY_MEMBER' })
    await inviter.close()
  })
})

describe('without a camera', () => {
  test('[P17] the desk picks the laptop from the devices nearby and shows digits all the same', async () => {
    const cast = createPairingCast(16)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { invitation: { nearby: { id: cast.laptop.id, addresses: ['/ip4/192.168.1.20/tcp/4001'] } } })
    await inviter.confirm(await shownCode(joining))
    expect(await joining.done).toMatchObject({ ok: true, value: { addresses: ['/ip4/192.168.1.20/tcp/4001'] } })
  })

  test('[P17] it can be switched off', async () => {
    const cast = createPairingCast(17)
    const inviter = cast.invite({ nearby: false })
    const joining = cast.join(inviter, { invitation: { nearby: { id: cast.laptop.id, addresses: [] } } })
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
    await inviter.close()
  })

  test('[P17] reconnecting for other digits ends after ten codes, and those who scanned are not hurt by it', async () => {
    const cast = createPairingCast(18)
    const inviter = cast.invite()
    const nearby = { invitation: { nearby: { id: cast.laptop.id, addresses: [] } } } as const
    for (let draw = 0; draw < 10; draw++) {
      const joining = cast.join(inviter, nearby)
      await shownCode(joining)
      await joining.close()
    }
    expect(await cast.join(inviter, nearby).done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
    const scanned = cast.join(inviter)
    expect(await inviter.confirm(await shownCode(scanned))).toMatchObject({ ok: true })
  })

  test('[P17] a lost link is not dialled again', async () => {
    const cast = createPairingCast(19)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { invitation: { nearby: { id: cast.laptop.id, addresses: [] } } })
    await shownCode(joining)
    joining.links[0]?.cut()
    expect(await joining.done).toEqual({ ok: false, error: 'LINK_CLOSED' })
    expect(joining.links).toHaveLength(1)
    await inviter.close()
  })
})

test('[P12] before the digits are typed the wire shows nothing of the group', async () => {
  const cast = createPairingCast(36)
  const inviter = cast.invite()
  const joining = cast.join(inviter)
  await shownCode(joining)
  const seen = toHex(Uint8Array.from(joining.links[0]?.sent.byA.flatMap(frame => [...frame]) ?? []))
  const { secret, id, keyring, rootDocumentId } = cast.group
  for (const hidden of [toHex(secret), id, toHex(keyring.current().secret), toHex(rootDocumentId), toHex(utf8('laptop'))]) {
    expect(seen).not.toContain(hidden)
  }
  expect(cast.invite().payload.slice(82, 90)).not.toEqual(inviter.payload.slice(82, 90))
  await inviter.close()
})

async function pair(
  cast: ReturnType<typeof createPairingCast>,
): Promise<{ readonly entries: readonly Uint8Array[]; readonly groupSecret: Uint8Array }> {
  const inviter = cast.invite()
  const joining = cast.join(inviter)
  await inviter.confirm(await shownCode(joining))
  const result = await joining.done
  if (!result.ok) throw new Error(result.error)
  return result.value
}
