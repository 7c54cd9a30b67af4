import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeCbor } from '../lib/codec.ts'
import {
  decodeAdmission,
  decodeIntroduction,
  decodeLogRun,
  decodePairingFrame,
  encodeAdmission,
  encodeIntroduction,
  encodeLogRun,
  encodePairingFrame,
  refusalCode,
  type Admission,
  type Introduction,
  type PairingFrame,
} from './pairing-messages.ts'

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)
const FRAMES: readonly PairingFrame[] = [
  { v: 1, type: 'commit', commitment: bytes(32) },
  { v: 1, type: 'commit', commitment: bytes(32), nearby: bytes(120) },
  { v: 1, type: 'answer', invitation: bytes(8), ephemeralKey: bytes(32), sealed: bytes(300) },
  { v: 1, type: 'reveal', reveal: bytes(16) },
  { v: 1, type: 'welcome', sealed: bytes(900) },
  { v: 1, type: 'log', index: 3, sealed: bytes(900) },
  { v: 1, type: 'received' },
  { v: 1, type: 'refuse', why: 'used' },
]
const INTRODUCTION: Introduction = { signingKey: bytes(32), sealingKey: bytes(32), name: 'desk', platform: 'linux', proof: bytes(64) }
const ADMISSION: Admission = {
  add: bytes(400),
  heads: [bytes(32)],
  groupSecret: bytes(32),
  epoch: bytes(16),
  entries: 2,
  frames: 1,
  signature: bytes(64),
}

test('[P23] every frame and sealed part comes back as it was', () => {
  for (const frame of FRAMES) expect(decodePairingFrame(encodePairingFrame(frame))).toEqual({ ok: true, value: frame })
  expect(decodeIntroduction(encodeIntroduction(INTRODUCTION))).toEqual(INTRODUCTION)
  expect(decodeAdmission(encodeAdmission(ADMISSION))).toEqual(ADMISSION)
  expect(decodeLogRun(encodeLogRun([bytes(3)]))).toEqual([bytes(3)])
})

test('[P23] unknown fields, wrong lengths and frames over the limit are refused', () => {
  for (const wrong of [{ ...FRAMES[0], more: 1 }, { ...FRAMES[3], reveal: bytes(15) }, { v: 1, type: 'constructor' }, { v: 1 }, []]) {
    expect(decodePairingFrame(encodeCbor(wrong))).toEqual({ ok: false, error: 'FRAME_INVALID' })
  }
  expect(decodePairingFrame(new Uint8Array(256 * 1024 + 1))).toEqual({ ok: false, error: 'FRAME_TOO_LARGE' })
})

test('[P4] a word of refusal this version does not know is a plain refusal', () => {
  expect(refusalCode('expired')).toBe('PAIRING_EXPIRED')
  for (const why of ['something new', 'constructor', '__proto__', '']) expect(refusalCode(why)).toBe('PAIRING_REFUSED')
})

describe('10,000 of garbage and of well-formed nonsense', () => {
  const valid = [...FRAMES.map(encodePairingFrame), encodeIntroduction(INTRODUCTION), encodeAdmission(ADMISSION), encodeLogRun([bytes(3)])]
  const scalar = fc.oneof(
    fc.integer(),
    fc.string(),
    fc.boolean(),
    fc.uint8Array({ maxLength: 70 }),
    fc.double({ noNaN: true }),
    fc.constant(null),
  )
  const keys = [
    'v',
    'type',
    'commitment',
    'nearby',
    'sealed',
    'index',
    'why',
    'reveal',
    'name',
    'heads',
    'entries',
    'proof',
    'add',
    '__proto__',
  ]
  const types = FRAMES.map(frame => frame.type)
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.dictionary(fc.constantFrom(...keys), fc.oneof(scalar, fc.array(scalar))).map(encodeCbor),
    fc
      .record({ v: fc.constantFrom(1, 2, 0, -1, 1.5), type: fc.constantFrom(...types), sealed: scalar, index: scalar, why: scalar })
      .map(encodeCbor),
    fc.array(scalar).map(encodeCbor),
    fc.tuple(fc.constantFrom(...valid), fc.nat(), fc.nat({ max: 255 })).map(([frame, at, value]) => {
      const damaged = frame.slice()
      damaged[at % damaged.length] = value
      return damaged
    }),
  )
  const decoders: readonly (readonly [string, (input: Uint8Array) => unknown])[] = [
    ['frame', decodePairingFrame],
    ['introduction', decodeIntroduction],
    ['admission', decodeAdmission],
    ['log run', decodeLogRun],
  ]
  test.each(decoders)('[P23] nothing makes the decoder of a %s throw', (_, decode) => {
    fc.assert(
      fc.property(anything, input => void decode(input)),
      { numRuns: 10_000 },
    )
  })
})
