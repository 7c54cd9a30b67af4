import { expect, test } from 'vitest'
import type { DeviceId } from '@segue/core'
import type { DeviceLink } from '@segue/core/ports'
import { LINKS_PER_MAILBOX, ROOM_PER_MAILBOX_BYTES, UNREAD_IN_ANY_CASE_BYTES, createShares } from './shares.ts'

const account = { id: 'an account' as DeviceId, quotas: { mailboxes: 1, bytes: 0, chunks: 0, bytesPerMinute: 0 } }
const MIB = 1_024 * 1_024

/** A peer that reads nothing until it is told to. */
function slowLink(): { readonly link: DeviceLink; readonly codes: string[]; read(): void } {
  const ending = new AbortController()
  const codes: string[] = []
  const waiting: (() => void)[] = []
  const link: DeviceLink = {
    peer: 'somebody' as DeviceId,
    path: 'direct',
    outbound: false,
    closed: ending.signal,
    send: () => new Promise(resolve => waiting.push(resolve)),
    pending: () => 0,
    async close(code) {
      codes.push(code)
      ending.abort()
    },
  }
  return {
    link,
    codes,
    read() {
      for (const resolve of waiting.splice(0)) resolve()
    },
  }
}

test('[B36] an account has so many links at a time, and room again when one ends', async () => {
  const shares = createShares()
  const links = Array.from({ length: LINKS_PER_MAILBOX }, slowLink)
  for (const { link } of links) expect(shares.of(account).join(link)).toBeDefined()
  expect(shares.of(account).join(slowLink().link)).toBeUndefined()
  expect(shares.of({ ...account, id: 'another' as DeviceId }).join(slowLink().link)).toBeDefined()
  await links[0]?.link.close('done')
  expect(shares.of(account).join(slowLink().link)).toBeDefined()
})

test('[B36] what all its links do not read is bounded; who has little unread goes on', async () => {
  const share = createShares().of(account)
  const slow = Array.from({ length: 20 }, slowLink)
  const frame = new Uint8Array(MIB)
  const sent: Promise<void>[] = []
  for (const { link } of slow) {
    const counted = share.join(link)
    for (let i = 0; i < 8; i++) if (!link.closed.aborted && counted !== undefined) sent.push(counted.send('sync-live', frame))
  }
  const open = slow.filter(({ codes }) => codes.length === 0)
  expect(open.length * (8 * MIB - UNREAD_IN_ANY_CASE_BYTES)).toBeLessThanOrEqual(ROOM_PER_MAILBOX_BYTES)
  expect(slow.flatMap(({ codes }) => codes)).toEqual(Array.from({ length: slow.length - open.length }, () => 'too-slow'))
  const patient = slowLink()
  const arrives = share.join(patient.link)?.send('sync-live', frame)
  patient.read()
  await arrives
  expect(patient.codes).toEqual([])
  for (const each of slow) each.read()
  await Promise.all(sent)
  expect(share.room.take(ROOM_PER_MAILBOX_BYTES)).toBe(true)
})
