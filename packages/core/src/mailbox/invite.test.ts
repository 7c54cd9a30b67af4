import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSigningKeys } from '../crypto/index.ts'
import { deviceIdOf } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { decodeInvite, encodeInvite, INVITE_PREFIX, type RelayInvite } from './invite.ts'

const random = createSeededRandom(61)
const invite: RelayInvite = {
  relay: deviceIdOf(createSigningKeys(random).publicKey),
  addresses: ['/dns4/relay.example/tcp/443/wss', '/ip4/127.0.0.1/tcp/4001'],
  token: random.bytes(32),
}
const text = encodeInvite(invite)

test('[M6] an invite comes back from its text, whatever white space came into it', () => {
  expect(decodeInvite(text)).toEqual({ ok: true, value: invite })
  expect(decodeInvite(`Here you are:\n  ${text.slice(0, 60)}\r\n  ${text.slice(60)}  \n`)).toEqual({ ok: true, value: invite })
})

test('[M6] an invite with a part missing or a letter changed is refused', () => {
  for (const wrong of ['', INVITE_PREFIX, text.slice(0, -1), text.slice(0, -20), text.slice(20), `${text}A`, `${text}!`, 'segue1:AAAA']) {
    expect(decodeInvite(wrong)).toEqual({ ok: false, error: 'RELAY_INVITE_INVALID' })
  }
  for (let at = INVITE_PREFIX.length; at < text.length; at += 7) {
    const changed = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)
    expect(decodeInvite(changed)).toEqual({ ok: false, error: 'RELAY_INVITE_INVALID' })
  }
})

test('[M6] an invite without an address, or with one that is none, is not made', () => {
  for (const addresses of [[], ['relay.example:443'], ['/dns4/a b'], Array.from({ length: 9 }, () => '/ip4/127.0.0.1/tcp/1')]) {
    expect(() => encodeInvite({ ...invite, addresses })).toThrow(RangeError)
  }
})

test('[M5] 10,000 texts of garbage are no invite, and none throws', () => {
  const garbage = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.string({ maxLength: 300 }).map(rest => INVITE_PREFIX + rest),
  )
  fc.assert(
    fc.property(garbage, each => {
      expect(decodeInvite(each).ok).toBe(false)
    }),
    { numRuns: 10_000 },
  )
})
