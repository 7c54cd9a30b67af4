import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { encodeCbor } from '../lib/codec.ts'
import {
  controlMessage,
  decodeControlMessage,
  encodeControlMessage,
  MAX_CONTROL_FRAME_BYTES,
  type ControlMessage,
} from './control-messages.ts'
import { MAX_FRAME_BYTES } from './limits.ts'

/** A change here changes the wire: it needs a new version of the channel and a line in the table of control-messages.ts. */
const PINNED = '5252902e095009d8a5cb3395a5ca918ed71b95413ffdae8bd00af113a124ad31'

const base = { handoff: new Uint8Array(16), session: new Uint8Array(16).fill(1), trace: new Uint8Array(16).fill(2), attempt: 1 }
const manifest = {
  schemaVersion: 1,
  documents: [{ documentId: new Uint8Array(16).fill(3), kind: 'documents' as const, heads: [new Uint8Array(32).fill(4)], bytes: 9 }],
}
const claim = { counter: 2, expiresAt: 0, signature: new Uint8Array(64), time: 5 }
const samples: readonly ControlMessage[] = [
  { ...base, type: 'request', kinds: ['documents'], expiresInMs: 1 },
  { ...base, type: 'offer', kinds: [], expiresInMs: 1, revision: 1, manifest, hotSet: new Uint8Array(9), target: new Uint8Array(32) },
  { ...base, type: 'accept', nonce: new Uint8Array(32) },
  { ...base, type: 'grant', nonce: new Uint8Array(32), signature: new Uint8Array(64) },
  { ...base, type: 'progress', milestone: 'merge', bytes: 7 },
  { ...base, type: 'verified', revision: 1, bytes: 7, conflicts: 0 },
  { ...base, type: 'commit', kinds: ['views'], manifest, late: 0, claim },
  { ...base, type: 'abort', reason: 'cancelled' },
]

describe('control messages', () => {
  test('[H27] the schema is pinned', () => {
    const shape = JSON.stringify(controlMessage, (key, value: unknown) => (key.startsWith('~') ? undefined : value))
    expect(createHash('sha256').update(shape).digest('hex')).toBe(PINNED)
  })

  test.each(samples.map(message => [message.type, message] as const))('[H27] %s comes back as it was sent', (_type, message) => {
    expect(decodeControlMessage(encodeControlMessage(message))).toEqual({ ok: true, value: message })
  })

  test('[H27] a control frame fits into a frame', () => {
    expect(MAX_CONTROL_FRAME_BYTES).toBeLessThanOrEqual(MAX_FRAME_BYTES)
  })

  test('[H27] 5,000 frames of garbage never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
        expect(decodeControlMessage(bytes).ok).toBe(false)
      }),
      { numRuns: 5_000 },
    )
  })

  test('[H27] 5,000 frames of valid CBOR in the wrong shape never throw', () => {
    const names = Object.keys({ ...samples[0], ...samples[1], ...samples[6] })
    const wrong = fc.oneof(
      fc.integer(),
      fc.string(),
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.integer(), { maxLength: 3 }),
      fc.constant(null),
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...samples),
        fc.constantFrom(...names),
        fc.oneof(wrong, fc.dictionary(fc.string(), wrong)),
        (message, name, value) => {
          const frame = encodeCbor({ ...message, [name]: value })
          const decoded = decodeControlMessage(frame)
          if (decoded.ok) expect(encodeControlMessage(decoded.value)).toEqual(frame)
        },
      ),
      { numRuns: 5_000 },
    )
  })

  test('[H27] an oversized frame is refused before it is parsed', () => {
    const decoded = decodeControlMessage(new Uint8Array(MAX_CONTROL_FRAME_BYTES + 1))
    expect(decoded).toMatchObject({ ok: false, error: { reason: 'too-large' } })
  })
})
