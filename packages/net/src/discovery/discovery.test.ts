import { anything, array, assert, integer, oneof, property, uint8Array } from 'fast-check'
import { expect, test } from 'vitest'
import { encodeCbor, utf8 } from '@segue/core'
import type { DeviceId } from '@segue/core'
import { createDevice, createManualClock } from '../../test-support/cast.ts'
import { SIGHTING_MS } from '../limits.ts'
import { createFrameReader } from '../link/frame-reader.ts'
import { decodeHello, encodeHello } from '../link/hello.ts'
import { createAddressBook } from './address-book.ts'
import { decodeAnnouncement, encodeAnnouncement, instanceName } from './announcement.ts'
import { createNearby } from './nearby.ts'

const { id: desk } = await createDevice()

test('[N23] an announcement comes back as it was said, without what is not private', () => {
  const said = { device: desk, addresses: ['/ip4/10.0.0.5/tcp/4001', '/ip4/8.8.8.8/tcp/1'], pairingName: 'Büro 🖥' }
  expect(decodeAnnouncement(instanceName(desk), encodeAnnouncement(said))).toEqual({ ...said, addresses: ['/ip4/10.0.0.5/tcp/4001'] })
  const quiet = { device: desk, addresses: [] }
  expect(decodeAnnouncement(instanceName(desk), encodeAnnouncement(quiet))).toEqual(quiet)
})

test('[N23] a long name is cut at a whole character and fits its record', () => {
  const encoded = encodeAnnouncement({ device: desk, addresses: [], pairingName: '🖥'.repeat(200) })
  expect(encoded.every(({ length }) => length <= 255)).toBe(true)
  expect(decodeAnnouncement(instanceName(desk), encoded)?.pairingName).toBe('🖥'.repeat(30))
})

const NO_NAMES = ['\u001b[2Jmine', 'a\u202egnp', '', ' ']

test.each(NO_NAMES)('[N34] %j is the name of no device nearby', name => {
  const announcement = decodeAnnouncement(instanceName(desk), [utf8('v=1'), utf8(`pair=${name}`)])
  expect(announcement).toEqual({ device: desk, addresses: [] })
})

test('[N26] none of 10,000 pieces of garbage makes a decoder throw', () => {
  const shapes = oneof(uint8Array({ maxLength: 64 }), anything().map(encodeIfPossible))
  assert(
    property(shapes, bytes => {
      decodeHello(bytes)
      decodeAnnouncement(instanceName(desk), [bytes, utf8('v=1'), utf8(`a=${String(bytes)}`)])
      createFrameReader(32).push(bytes)
    }),
    { numRuns: 10_000 },
  )
  expect(decodeAnnouncement('printer._ipp._tcp.local', [])).toBeUndefined()
})

function encodeIfPossible(value: unknown): Uint8Array {
  try {
    return encodeCbor(value)
  } catch {
    return utf8('not for CBOR')
  }
}

test('[N26] a frame comes out the same however the bytes were cut', () => {
  const stream = new Uint8Array([0, 0, 0, 3, 1, 2, 3, 0x81, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 4])
  assert(
    property(array(integer({ min: 1, max: stream.length })), cuts => {
      const reader = createFrameReader(8)
      const points = [0, ...[...new Set(cuts)].sort((a, b) => a - b), stream.length]
      const reads = points.slice(1).flatMap((end, i) => {
        const read = reader.push(Buffer.from(stream.subarray(points[i], end)))
        return read.ok ? read.value : []
      })
      expect(reads).toEqual([
        { type: 'frame', bytes: new Uint8Array([1, 2, 3]) },
        { type: 'signal', signal: 'keepalive', value: 0 },
        { type: 'frame', bytes: new Uint8Array(0) },
        { type: 'signal', signal: 'close', value: 4 },
      ])
    }),
  )
})

test('[N4] a hello of another version is told apart from a malformed one', () => {
  expect(decodeHello(encodeCbor({ v: 2, addresses: 'anything' }))).toEqual({ ok: false, error: 'version-unsupported' })
  expect(decodeHello(encodeCbor({ v: 1 }))).toEqual({ ok: false, error: 'malformed-frame' })
  expect(decodeHello(encodeHello({ addresses: ['/ip4/10.0.0.1/tcp/1', '/ip4/9.9.9.9/tcp/1'] }))).toEqual({
    ok: true,
    value: { addresses: ['/ip4/10.0.0.1/tcp/1'] },
  })
})

test('[N24] what mDNS said is forgotten in time, what was given or confirmed is not', () => {
  const clock = createManualClock()
  const book = createAddressBook(clock)
  book.give(desk, ['/ip4/10.0.0.1/tcp/1'])
  book.confirm(desk, [`/ip4/10.0.0.2/tcp/1/p2p/${desk}`])
  expect(book.sight(desk, ['/ip4/10.0.0.3/tcp/1'])).toBe(true)
  expect(book.sight(desk, ['/ip4/10.0.0.3/tcp/1'])).toBe(false)
  expect(book.addressesOf(desk)).toEqual(['/ip4/10.0.0.2/tcp/1', '/ip4/10.0.0.3/tcp/1', '/ip4/10.0.0.1/tcp/1'])
  clock.advance(SIGHTING_MS + 1)
  expect(book.addressesOf(desk)).toEqual(['/ip4/10.0.0.2/tcp/1', '/ip4/10.0.0.1/tcp/1'])
})

test('[N24] a flood of sightings is bounded', () => {
  const book = createAddressBook(createManualClock())
  for (let i = 0; i < 1_000; i++) book.sight(`device-${i}` as DeviceId, ['/ip4/10.0.0.1/tcp/1'])
  expect(book.addressesOf('device-0' as DeviceId)).toEqual([])
  expect(book.addressesOf('device-999' as DeviceId)).toHaveLength(1)
})

test('[N24] a device is nearby while it says that pairing is open', () => {
  const clock = createManualClock()
  const nearby = createNearby(clock)
  const said = { device: desk, addresses: ['/ip4/10.0.0.1/tcp/1'], pairingName: 'Desk' }
  nearby.heard(said, false)
  expect(nearby.devices.peek()).toEqual([{ id: desk, name: 'Desk', addresses: said.addresses }])
  nearby.heard({ device: desk, addresses: said.addresses }, false)
  expect(nearby.devices.peek()).toEqual([])
  nearby.heard(said, false)
  nearby.heard(said, true)
  expect(nearby.devices.peek()).toEqual([])
  nearby.heard(said, false)
  clock.advance(SIGHTING_MS)
  expect(nearby.devices.peek()).toEqual([])
})
