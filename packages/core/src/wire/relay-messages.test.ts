import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { encodeCbor } from '../lib/codec.ts'
import { ERROR_TABLE } from '../lib/errors.ts'
import { MAX_RELAY_FRAME_BYTES } from './limits.ts'
import {
  ANSWER_TO,
  decodeRelayAnswer,
  decodeRelayRequest,
  encodeRelayAnswer,
  encodeRelayRequest,
  refusalFor,
  RELAY_REFUSALS,
  relayAnswer,
  relayRefusalCode,
  relayRequest,
  type RelayAnswer,
  type RelayRequest,
} from './relay-messages.ts'

/** A change here changes the wire: it needs a new RELAY_VERSION and a line in the table of relay-messages.ts. */
const PINNED = 'cbdadbbf88d5ddfa1543fbc616768b88a31bec2ffe80aceacaff723107120b52'

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)
const quotas = { mailboxes: 1, bytes: 2, chunks: 3, bytesPerMinute: 4 }
const REQUESTS: readonly RelayRequest[] = [
  { v: 1, type: 'claim', token: bytes(32) },
  { v: 1, type: 'create', mailbox: bytes(16), adminKey: bytes(32) },
  { v: 1, type: 'list', record: bytes(200), signature: bytes(64) },
  { v: 1, type: 'get-list', mailbox: bytes(16) },
  { v: 1, type: 'get-list', mailbox: bytes(16), proof: bytes(64) },
  { v: 1, type: 'status', mailbox: bytes(16) },
  { v: 1, type: 'move', from: bytes(16), mailbox: bytes(16), adminKey: bytes(32), signature: bytes(64) },
]
const ANSWERS: readonly RelayAnswer[] = [
  { v: 1, type: 'claimed', quotas, retention: 'keep' },
  { v: 1, type: 'created' },
  { v: 1, type: 'moved' },
  { v: 1, type: 'listed', version: 2 },
  { v: 1, type: 'member-list', list: { record: bytes(200), signature: bytes(64) } },
  { v: 1, type: 'member-list' },
  {
    v: 1,
    type: 'mailbox-status',
    chunks: 1,
    bytes: 2,
    retiredBytes: 1,
    quotas,
    usedBytes: 3,
    usedChunks: 4,
    retention: 'until-acknowledged',
    listVersion: 5,
  },
  { v: 1, type: 'refused', why: 'quota' },
]

test('[M7] the schemas and the bytes are pinned', () => {
  const shape = JSON.stringify([relayRequest, relayAnswer], (key, value: unknown) => (key.startsWith('~') ? undefined : value))
  const hash = createHash('sha256').update(shape)
  for (const request of REQUESTS) hash.update(encodeRelayRequest(request))
  for (const answer of ANSWERS) hash.update(encodeRelayAnswer(answer))
  expect(hash.digest('hex')).toBe(PINNED)
})

test('[M7] every request and answer comes back as it was, and each request has its answer', () => {
  for (const request of REQUESTS) expect(decodeRelayRequest(encodeRelayRequest(request))).toEqual({ ok: true, value: request })
  for (const answer of ANSWERS) expect(decodeRelayAnswer(encodeRelayAnswer(answer))).toEqual({ ok: true, value: answer })
  expect(new Set(Object.values(ANSWER_TO))).toEqual(new Set(ANSWERS.map(answer => answer.type).filter(type => type !== 'refused')))
})

test('[M8] every word of refusal has a code, and one this version does not know is a plain refusal', () => {
  for (const why of Object.keys(RELAY_REFUSALS)) expect(ERROR_TABLE[relayRefusalCode(why)]).toBeDefined()
  for (const why of ['something new', 'constructor', '__proto__', '']) expect(relayRefusalCode(why)).toBe('RELAY_REFUSED')
})

test('[M8] a request of another version is told apart from garbage', () => {
  expect(refusalFor(encodeCbor({ v: 2, type: 'claim', more: 1 }))).toBe('version')
  expect(refusalFor(encodeCbor({ v: 1, type: 'nonsense' }))).toBe('malformed')
  expect(refusalFor(bytes(9))).toBe('malformed')
})

test('[M5] a frame over the limit is refused before it is parsed', () => {
  expect(decodeRelayRequest(new Uint8Array(MAX_RELAY_FRAME_BYTES + 1))).toMatchObject({ ok: false, error: { reason: 'too-large' } })
})

const scalar = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.boolean(),
  fc.uint8Array({ maxLength: 70 }),
  fc.double({ noNaN: true }),
  fc.constant(null),
)
const valid = [...REQUESTS, ...ANSWERS]
const names = [...new Set(valid.flatMap(message => Object.keys(message))), '__proto__']
const nonsense = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .tuple(fc.constantFrom(...valid), fc.constantFrom(...names), fc.oneof(scalar, fc.array(scalar), fc.dictionary(fc.string(), scalar)))
    .map(([message, name, value]) => encodeCbor({ ...message, [name]: value })),
)

test.each([
  ['requests', decodeRelayRequest],
  ['answers', decodeRelayAnswer],
] as const)('[M5] 10,000 of garbage and of well-formed nonsense make no decoder of %s throw', (_, decode) => {
  fc.assert(
    fc.property(nonsense, frame => void decode(frame)),
    { numRuns: 10_000 },
  )
})
