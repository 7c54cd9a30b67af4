import { setImmediate as settle } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { openGroup } from '../group/index.ts'
import { SegueError } from '../lib/errors.ts'
import { createPairingCast, shownCode } from '../testing/pairing-cast.ts'
import type { Inviter } from './inviter.ts'

const over = (inviter: Inviter): Promise<unknown> => inviter.state.when(({ kind }) => kind === 'done' || kind === 'failed')

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
    const code = await shownCode(joining)
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
    expect(await inviter.confirm(await shownCode(joining))).toEqual({ ok: false, code: 'STORE_FAILED', triesLeft: 0 })
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
    expect(await inviter.confirm(await shownCode(joining))).toMatchObject({ ok: false, code: 'GROUP_FULL' })
    expect(await joining.done).toEqual({ ok: false, error: 'GROUP_FULL' })
  })

  test.each([3, 4])('[P19] frame %i of the old device is lost, and comes again', async lost => {
    const cast = createPairingCast(23)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { prepare: links => links.fromA((frame, index) => (index === lost - 1 ? [] : [frame])) })
    await inviter.confirm(await shownCode(joining))
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
    await inviter.confirm(await shownCode(joining))
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
    await inviter.confirm(await shownCode(joining))
    expect(await joining.done).toMatchObject({ ok: true })
    expect(joining.kept).toHaveLength(1)
  })

  test('[P19] a long log travels in many frames', async () => {
    const cast = createPairingCast(26)
    for (let i = 0; i < 600; i++) cast.group.rename(cast.laptop.id, `laptop ${i}`, i)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    await inviter.confirm(await shownCode(joining))
    const result = await joining.done
    expect(result.ok && result.value.entries.length).toBe(602)
    expect(joining.links[0]?.sent.byA.length).toBeGreaterThan(4)
  })

  test('[P20] m4 goes out only when everything is on disk, and nothing is left when that fails', async () => {
    const cast = createPairingCast(27)
    const inviter = cast.invite()
    const joining = cast.join(inviter, { keep: () => Promise.reject(new Error('disk full')) })
    await inviter.confirm(await shownCode(joining))
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
    await inviter.confirm(await shownCode(joining))
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
    expect(await again.confirm(await shownCode(second))).toMatchObject({ ok: true })
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
    await inviter.confirm(await shownCode(joining))
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
    await inviter.confirm(await shownCode(joining))
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
    expect(await inviter.confirm(await shownCode(joining))).toMatchObject({ ok: true })
  })

  test('[P26] cancelling on either side settles everything and leaves no timer', async () => {
    const cast = createPairingCast(32)
    const inviter = cast.invite()
    const joining = cast.join(inviter)
    await shownCode(joining)
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
    await inviter.confirm(await shownCode(joining))
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
