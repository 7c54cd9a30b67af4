import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { labelledHash } from '../crypto/index.ts'
import { concatBytes } from '../lib/bytes.ts'
import { deviceIdOf, type GroupId } from '../lib/ids.ts'
import { createSeededRandom } from '../testing/seeded-random.ts'
import { MAX_PAYLOAD_BYTES } from '../wire/pairing-messages.ts'
import { packAddress, unpackAddress } from './addresses.ts'
import {
  decodePayload,
  encodePayload,
  groupHintOf,
  payloadFromText,
  payloadToQrText,
  payloadToText,
  type PairingPayload,
} from './payload.ts'

const random = createSeededRandom(40)
const SHOWN: PairingPayload = {
  mode: 'scanned',
  ephemeralKey: random.bytes(32),
  secret: random.bytes(16),
  device: deviceIdOf(random.bytes(32)),
  groupHint: random.bytes(8),
  addresses: ['/ip4/192.168.1.20/tcp/4001', '/ip4/10.0.0.7/tcp/4002/ws', '/ip6/fe80::1/tcp/4001'],
  relay: '/dns4/relay.example.org/tcp/443/wss',
}

describe('two writings of the same bytes', () => {
  test('[P1] a payload comes back as it was, from the QR and from pasted text', () => {
    const bytes = encodePayload(SHOWN)
    expect(decodePayload(bytes)).toEqual({ ok: true, value: SHOWN })
    expect(payloadFromText(payloadToQrText(bytes))).toEqual({ ok: true, value: bytes })
    expect(payloadFromText(payloadToText(bytes))).toEqual({ ok: true, value: bytes })
  })

  test('[P1] with two addresses it has about 120 bytes', () => {
    const { relay: _, ...local } = SHOWN
    expect(encodePayload({ ...local, addresses: SHOWN.addresses.slice(0, 2) }).length).toBeLessThan(125)
  })

  test('[P1] white space around and inside the pasted text changes nothing', () => {
    const text = payloadToText(encodePayload(SHOWN))
    const wrapped = text.replaceAll(/(.{30})/g, '$1\r\n  ')
    for (const pasted of [` ${text}\n`, wrapped, `Your code: ${text}`]) expect(payloadFromText(pasted).ok).toBe(true)
  })

  test('[P1] the QR text uses only the alphanumeric alphabet', () => {
    expect(payloadToQrText(encodePayload(SHOWN))).toMatch(/^[0-9A-Z $%*+\-./:]+$/)
  })

  test('[P1] addresses that do not fit are left out, the last first, and none is cut', () => {
    const long = `/dns4/${'a'.repeat(100)}.example/tcp/1`
    const many = Array.from({ length: 20 }, (_, i) => `${long}${i}`)
    const bytes = encodePayload({ ...SHOWN, addresses: [`/dns4/${'b'.repeat(200)}`, 'no spaces please', ...many] })
    expect(bytes.length).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES)
    const decoded = decodePayload(bytes)
    expect(decoded.ok && decoded.value.addresses).toEqual(many.slice(0, 3))
  })

  test('[P1] a relay hint that does not fit is left out', () => {
    const decoded = decodePayload(encodePayload({ ...SHOWN, relay: 'x'.repeat(300) }))
    expect(decoded.ok && decoded.value.relay).toBe(undefined)
  })

  test('[P1] every multiaddr comes back as it was, packed where its shape is usual', () => {
    const usual = [
      '/ip4/1.2.3.4/tcp/65535',
      '/ip4/1.2.3.4/tcp/80/ws',
      '/ip6/::1/tcp/1',
      '/ip6/2001:db8::ff00:42:8329/tcp/4001/ws',
      '/ip6/1:2:3:4:5:6:7:8/tcp/9',
    ]
    const odd = [
      '/ip4/1.2.3.4/udp/1/quic-v1',
      '/ip4/999.1.1.1/tcp/1',
      '/ip4/1.2.3.4/tcp/070',
      '/ip4/1.2.3.4/tcp/70000',
      '/ip6/0:0::1/tcp/1',
      '/ip4/1.2.3/tcp/1',
      '/ip6/zz/tcp/1',
    ]
    for (const address of [...usual, ...odd]) {
      const packed = packAddress(address) as Uint8Array
      expect(unpackAddress(packed, 0)).toEqual({ address, next: packed.length })
      expect(packed[0] === 0).toBe(odd.includes(address))
    }
  })

  test('[P1] any printable address comes back as it was or is left out', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), address => {
        const packed = packAddress(address)
        if (packed !== undefined) expect(unpackAddress(packed, 0)?.address).toBe(address)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('damage', () => {
  test('[P2] every single changed byte is noticed', () => {
    const bytes = encodePayload(SHOWN)
    for (let i = 0; i < bytes.length; i++) {
      const damaged = bytes.slice()
      damaged[i] = (damaged[i] as number) ^ (1 << (i % 8))
      expect(decodePayload(damaged)).toEqual({ ok: false, error: 'PAIRING_TEXT_INVALID' })
    }
  })

  test('[P2] every cut is noticed', () => {
    const bytes = encodePayload(SHOWN)
    for (let i = 0; i < bytes.length; i++) expect(decodePayload(bytes.subarray(0, i))).toEqual({ ok: false, error: 'PAIRING_TEXT_INVALID' })
  })

  test('[P2] a whole payload of another version is told apart from damage', () => {
    const later = sealed(concatBytes(new Uint8Array([2]), random.bytes(90)))
    expect(decodePayload(later)).toEqual({ ok: false, error: 'PAIRING_VERSION' })
    expect(payloadFromText(payloadToText(later))).toEqual({ ok: false, error: 'PAIRING_VERSION' })
  })

  test('[P2] right checksums do not excuse wrong shapes', () => {
    const body = encodePayload(SHOWN).slice(0, -4)
    const unknownMode = body.slice()
    unknownMode[1] = 2
    const tooMany = body.slice()
    tooMany[90] = 200
    for (const bad of [unknownMode, tooMany, body.subarray(0, 80), body.subarray(0, 91), concatBytes(body, new Uint8Array(1))]) {
      expect(decodePayload(sealed(bad))).toEqual({ ok: false, error: 'PAIRING_TEXT_INVALID' })
    }
  })

  test('[P23] 10,000 texts and 10,000 byte arrays, right checksums included, throw nothing', () => {
    const text = payloadToText(encodePayload(SHOWN))
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: 'grapheme' }),
      fc.string().map(rest => `segue-pair:${rest}`),
      fc.nat({ max: text.length }).map(at => `${text.slice(0, at)}${text.slice(at + 1)}`),
    )
    fc.assert(
      fc.property(texts, value => void payloadFromText(value)),
      { numRuns: 10_000 },
    )
    const bytes = fc.uint8Array({ maxLength: 700 })
    const wrongShape = bytes.map(rest => sealed(concatBytes(new Uint8Array([1, 0]), rest)))
    fc.assert(
      fc.property(fc.oneof(bytes, wrongShape), value => void decodePayload(value)),
      { numRuns: 10_000 },
    )
  })
})

test('[P12] the hint names a group only to those who know it, and changes with every invitation', () => {
  const group = 'ab'.repeat(32) as GroupId
  const [first, second] = [groupHintOf(group, random.bytes(32)), groupHintOf(group, random.bytes(32))]
  expect(first).toHaveLength(8)
  expect(first).not.toEqual(second)
})

function sealed(body: Uint8Array): Uint8Array {
  return concatBytes(body, labelledHash('pairing-checksum', [body]).slice(0, 4))
}
