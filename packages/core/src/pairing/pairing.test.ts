import { setImmediate as settle } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { openGroup } from '../group/index.ts'
import { SegueError } from '../lib/errors.ts'
import { toHex } from '../lib/bytes.ts'
import { createPairingCast } from '../testing/pairing-cast.ts'
import type { Inviter } from './inviter.ts'
import type { Joining } from './joiner.ts'

const shown = async (joining: Joining): Promise<string> => (await joining.code.when(code => code !== undefined)) as string
const over = (inviter: Inviter): Promise<unknown> => inviter.state.when(({ kind }) => kind === 'done' || kind === 'failed')
/** Digits that are certainly not these. */
const wrong = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0')

describe('a desk joins the group of a laptop', () => {
  test('[P10] the desk shows six digits that the laptop does not know how to show', async () => {
    const cast = createPairingCast(1)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    const code = await shown(joining)
    expect(code).toMatch(/^\d{6}$/)
    expect(inviter.state.peek()).toEqual({ kind: 'open', triesLeft: 3, waiting: [{ id: cast.desk.id, name: 'desk', platform: 'linux' }] })
    expect(JSON.stringify(inviter.state.peek())).not.toContain(code)
    await inviter.close()
  })

  test('[P5] with the digits typed, the desk is in the group as a member and opens it by itself', async () => {
    const cast = createPairingCast(2)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    const code = await shown(joining)
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
    await over(inviter)
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
    const bad = wrong(await shown(joining))
    expect(await inviter.confirm(bad)).toEqual({ ok: false, code: 'PAIRING_WRONG_CODE', triesLeft: 2 })
    expect(await inviter.confirm(bad)).toEqual({ ok: false, code: 'PAIRING_WRONG_CODE', triesLeft: 1 })
    expect(await inviter.confirm(bad)).toEqual({ ok: false, code: 'PAIRING_TOO_MANY_TRIES', triesLeft: 0 })
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_TOO_MANY_TRIES' })
    expect(cast.group.entries()).toHaveLength(1)
  })

  test('[P15] the right digits after the third wrong try are too late', async () => {
    const cast = createPairingCast(5)
    const inviter = cast.invite()
    const code = await shown(cast.join(inviter))
    for (let i = 0; i < 3; i++) await inviter.confirm(wrong(code))
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
    await Promise.all(joinings.map(shown))
    expect(await cast.join(inviter).done).toEqual({ ok: false, error: 'PAIRING_BUSY' })
    await joinings[0]?.close()
    await inviter.state.when(state => state.kind === 'open' && state.waiting.length === 2)
    const code = await shown(cast.join(inviter))
    expect(await inviter.confirm(code)).toMatchObject({ ok: true, device: { id: cast.desk.id } })
  })

  test('[P13] a device that connects again replaces itself', async () => {
    const cast = createPairingCast(8)
    const inviter = cast.invite()
    const first = cast.join(inviter)
    await shown(first)
    const second = cast.join(inviter)
    const code = await shown(second)
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
    const [code] = await Promise.all([shown(desk), shown(phone)])
    await inviter.confirm(code as string)
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
    const code = await shown(joining)
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
    await shown(joining)
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
    await inviter.confirm(await shown(joining))
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
      await shown(joining)
      await joining.close()
    }
    expect(await cast.join(inviter, nearby).done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
    const scanned = cast.join(inviter)
    expect(await inviter.confirm(await shown(scanned))).toMatchObject({ ok: true })
  })

  test('[P17] a lost link is not dialled again', async () => {
    const cast = createPairingCast(19)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { invitation: { nearby: { id: cast.laptop.id, addresses: [] } } })
    await shown(joining)
    joining.links[0]?.cut()
    expect(await joining.done).toEqual({ ok: false, error: 'LINK_CLOSED' })
    expect(joining.links).toHaveLength(1)
    await inviter.close()
  })
})

describe('the welcome', () => {
  test('[P18] the add entry is on disk before anything leaves', async () => {
    const cast = createPairingCast(20)
    const story: string[] = []
    const inviter = cast.invite({
      async keep(entry) {
        await settle()
        story.push(`kept ${entry.content.kind}`)
      },
    })
    const joining = cast.join(inviter)
    const code = await shown(joining)
    joining.links[0]?.fromA(frame => {
      story.push('sent')
      return [frame]
    })
    await inviter.confirm(code)
    await joining.done
    expect(story.slice(0, 2)).toEqual(['kept add', 'sent'])
  })

  test('[P18] when the disk fails nothing leaves and both sides learn it', async () => {
    const cast = createPairingCast(21)
    const inviter = cast.invite({ keep: () => Promise.reject(new SegueError('STORE_FAILED')) })
    const joining = cast.join(inviter)
    expect(await inviter.confirm(await shown(joining))).toEqual({ ok: false, code: 'STORE_FAILED', triesLeft: 0 })
    expect(await joining.done).toEqual({ ok: false, error: 'PAIRING_REFUSED' })
    expect(joining.kept).toHaveLength(0)
  })

  test('[P18] a full group says so on both sides', async () => {
    const cast = createPairingCast(22)
    for (let i = 0; i < 31; i++) {
      const { signing, sealing } = cast.device(`device ${i}`)
      cast.group.add({ keys: { signing: signing.publicKey, sealing: sealing.publicKey }, role: 'member', name: `device ${i}`, time: 0 })
    }
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    expect(await inviter.confirm(await shown(joining))).toMatchObject({ ok: false, code: 'GROUP_FULL' })
    expect(await joining.done).toEqual({ ok: false, error: 'GROUP_FULL' })
  })

  test.each([3, 4])('[P19] frame %i of the old device is lost, and comes again', async lost => {
    const cast = createPairingCast(23)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { prepare: links => links.fromA((frame, index) => (index === lost - 1 ? [] : [frame])) })
    await inviter.confirm(await shown(joining))
    await settle()
    expect(joining.kept).toHaveLength(0)
    cast.clock.advance(2_000)
    expect(await joining.done).toMatchObject({ ok: true })
    await over(inviter)
    expect(inviter.state.peek()).toMatchObject({ kind: 'done' })
  })

  test('[P19] m4 is lost: everything comes again, is kept once, and m4 goes out again', async () => {
    const cast = createPairingCast(24)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { prepare: links => links.fromB((frame, index) => (index === 1 ? [] : [frame])) })
    await inviter.confirm(await shown(joining))
    expect(await joining.done).toMatchObject({ ok: true })
    expect(inviter.state.peek()).toMatchObject({ kind: 'welcoming' })
    cast.clock.advance(2_000)
    await over(inviter)
    expect(inviter.state.peek()).toMatchObject({ kind: 'done' })
    expect(joining.kept).toHaveLength(1)
  })

  test('[P19] every welcome frame twice changes nothing', async () => {
    const cast = createPairingCast(25)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { prepare: links => links.fromA((frame, index) => (index < 2 ? [frame] : [frame, frame])) })
    await inviter.confirm(await shown(joining))
    expect(await joining.done).toMatchObject({ ok: true })
    expect(joining.kept).toHaveLength(1)
  })

  test('[P19] a long log travels in many frames', async () => {
    const cast = createPairingCast(26)
    for (let i = 0; i < 600; i++) cast.group.rename(cast.laptop.id, `laptop ${i}`, i)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    await inviter.confirm(await shown(joining))
    const result = await joining.done
    expect(result.ok && result.value.entries.length).toBe(602)
    expect(joining.links[0]?.sent.byA.length).toBeGreaterThan(4)
  })

  test('[P20] m4 goes out only when everything is on disk, and nothing is left when that fails', async () => {
    const cast = createPairingCast(27)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { keep: () => Promise.reject(new Error('disk full')) })
    await inviter.confirm(await shown(joining))
    expect(await joining.done).toEqual({ ok: false, error: 'STORE_FAILED' })
    expect(joining.links[0]?.sent.byB).toHaveLength(1)
    expect(inviter.state.peek()).toMatchObject({ kind: 'welcoming' })
    await inviter.close()
  })

  test('[P21] the old device dies after m3: the entry is in its log, the desk has nothing, and pairing again adds no second one', async () => {
    const cast = createPairingCast(28)
    const inviter = cast.invite()
    const joining = cast.join(inviter, {
      prepare(links, dial) {
        links.fromA((frame, index) => {
          if (index === 2) links.cut()
          return dial === 0 ? [frame] : []
        })
        if (dial > 0) links.cut()
      },
    })
    await inviter.confirm(await shown(joining))
    expect(await joining.done).toEqual({ ok: false, error: 'LINK_CLOSED' })
    expect(joining.kept).toHaveLength(0)
    expect(cast.group.isActive(cast.desk.id)).toBe(true)
    await inviter.close()
    expect(inviter.state.peek()).toMatchObject({ kind: 'failed', device: { id: cast.desk.id } })

    const restarted = openGroup({
      identity: cast.laptop,
      random: cast.random,
      secret: cast.group.secret,
      entries: cast.group.entries().map(entry => entry.bytes),
    })
    const again = cast.invite({ group: restarted })
    const second = cast.join(again)
    expect(await again.confirm(await shown(second))).toMatchObject({ ok: true })
    expect(await second.done).toMatchObject({ ok: true })
    expect(restarted.entries()).toHaveLength(2)
  })

  test('[P21] the link breaks after m3: the desk dials again and is welcomed without digits', async () => {
    const cast = createPairingCast(29)
    const inviter = cast.invite()
    const joining = cast.join(inviter, {
      prepare(links, dial) {
        if (dial > 0) return
        links.fromA((frame, index) => {
          if (index === 2) links.cut()
          return [frame]
        })
      },
    })
    await inviter.confirm(await shown(joining))
    expect(await joining.done).toMatchObject({ ok: true })
    expect(joining.links).toHaveLength(2)
    await over(inviter)
    expect(inviter.state.peek()).toMatchObject({ kind: 'done' })
    expect(cast.group.entries()).toHaveLength(2)
  })

  test('[P21] when m4 never comes the laptop says that the device is in but never answered', async () => {
    const cast = createPairingCast(30)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { prepare: links => links.fromB((frame, index) => (index === 0 ? [frame] : [])) })
    await inviter.confirm(await shown(joining))
    await joining.done
    cast.clock.advance(120_000)
    expect(inviter.state.peek()).toMatchObject({ kind: 'failed', code: 'TIMED_OUT', device: { id: cast.desk.id } })
  })
})

describe('nothing hangs', () => {
  test('[P25] eight connections at a time, and who says nothing is let go after ten seconds', async () => {
    const cast = createPairingCast(31)
    const inviter = cast.invite()
    const silent = Array.from({ length: 8 }, () => cast.join(inviter, { prepare: links => links.fromB(() => []) }))
    await settle()
    expect(await cast.join(inviter).done).toEqual({ ok: false, error: 'PAIRING_BUSY' })
    cast.clock.advance(10_000)
    for (const { done } of silent) expect(await done).toMatchObject({ ok: false })
    const joining = cast.join(inviter)
    expect(await inviter.confirm(await shown(joining))).toMatchObject({ ok: true })
  })

  test('[P26] cancelling on either side settles everything and leaves no timer', async () => {
    const cast = createPairingCast(32)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    await shown(joining)
    joining.cancel()
    expect(await joining.done).toEqual({ ok: false, error: 'CANCELLED' })
    await inviter.state.when(state => state.kind === 'open' && state.waiting.length === 0)
    await Promise.all([inviter.close(), inviter.close(), joining.close()])
    expect(cast.clock.timers()).toBe(0)
  })

  test('[P26] after a pairing no timer is left either', async () => {
    const cast = createPairingCast(33)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    await inviter.confirm(await shown(joining))
    await joining.done
    await over(inviter)
    await joining.close()
    await inviter.close()
    expect(inviter.state.peek()).toMatchObject({ kind: 'done' })
    expect(cast.clock.timers()).toBe(0)
  })

  test('[P26] an old device that goes silent is given up on', async () => {
    const cast = createPairingCast(34)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { prepare: links => links.fromA(() => []) })
    await settle()
    cast.clock.advance(20_000)
    expect(await joining.done).toEqual({ ok: false, error: 'TIMED_OUT' })
    await inviter.close()
  })

  test('[P26] a signal aborted before or during joining cancels it', async () => {
    const cast = createPairingCast(35)
    const inviter = cast.invite()
    expect(await cast.join(inviter, { signal: AbortSignal.abort() }).done).toEqual({ ok: false, error: 'CANCELLED' })
    await inviter.close()
  })
})

test('[P12] before the digits are typed the wire shows nothing of the group', async () => {
  const cast = createPairingCast(36)
  const inviter = cast.invite()
  const joining = cast.join(inviter)
  await shown(joining)
  const seen = toHex(Uint8Array.from(joining.links[0]?.sent.byA.flatMap(frame => [...frame]) ?? []))
  const { secret, id, keyring, rootDocumentId } = cast.group
  for (const hidden of [toHex(secret), id, toHex(keyring.current().secret), toHex(rootDocumentId), toHex(new TextEncoder().encode('laptop'))]) {
    expect(seen).not.toContain(hidden)
  }
  expect(cast.invite().payload.slice(82, 90)).not.toEqual(inviter.payload.slice(82, 90))
  await inviter.close()
})

async function pair(cast: ReturnType<typeof createPairingCast>): Promise<{ readonly entries: readonly Uint8Array[]; readonly groupSecret: Uint8Array }> {
  const inviter = cast.invite()
  const joining = cast.join(inviter)
  await inviter.confirm(await shown(joining))
  const result = await joining.done
  if (!result.ok) throw new Error(result.error)
  return result.value
}
