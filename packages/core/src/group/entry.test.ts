import * as fc from 'fast-check'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { sha256, sign } from '../crypto/index.ts'
import { decodeCbor, encodeCbor } from '../lib/codec.ts'
import { idBytes, hexId, type EntryId } from '../lib/ids.ts'
import { createGroupLogCast, signedEntryBytes } from '../testing/group-log.ts'
import { decodeEntry } from './entry.ts'
import { isSigned } from './envelope.ts'

const cast = createGroupLogCast(10)
const { laptop, desk, genesis } = cast
const ANY_PAIR = v.tuple([v.instance(Uint8Array), v.instance(Uint8Array)])

/** The fields of a well-formed rename by the laptop, to be changed one at a time. */
const rename = {
  v: 1,
  group: idBytes(genesis.group),
  author: laptop.signing.publicKey,
  parents: [idBytes(genesis.id)],
  kind: 'rename',
  body: { target: laptop.signing.publicKey, name: 'new' },
  time: 5,
}

test('[G1] the id is the hash of the unsigned bytes, whoever signs them and however', () => {
  const outer = decodeCbor(ANY_PAIR, genesis.bytes, 65_536)
  if (!outer.ok) throw new Error('not a pair')
  const [unsigned] = outer.value
  expect(genesis.id).toBe(hexId<EntryId>(sha256(unsigned)))
  const other = decodeEntry(encodeCbor([unsigned, sign('group-entry', unsigned, desk.signing)]))
  expect(other.ok && other.value.id).toBe(genesis.id)
})

test('[G1] bytes that are not as this device would encode them are hashed and verified as they are', () => {
  // The same map with its keys in another order than deterministic CBOR has them: {time, v, ...}.
  const pairs = Object.entries(rename).map(([key, value]) => [encodeCbor(key), encodeCbor(value)] as const)
  const reversed = new Uint8Array([0xa0 + pairs.length, ...pairs.toReversed().flatMap(([key, value]) => [...key, ...value])])
  const bytes = encodeCbor([reversed, sign('group-entry', reversed, laptop.signing)])
  const entry = decodeEntry(bytes)
  expect(entry.ok && [entry.value.id, isSigned(entry.value)]).toEqual([hexId<EntryId>(sha256(reversed)), true])
})

test('[G2] a signature by somebody else is none', () => {
  const entry = decodeEntry(signedEntryBytes(desk, rename))
  expect(entry.ok && isSigned(entry.value)).toBe(false)
})

test.each([
  ['a field nobody knows', { more: 1 }],
  ['no author', { author: undefined }],
  ['a short author', { author: new Uint8Array(31) }],
  ['a parent twice', { parents: [idBytes(genesis.id), idBytes(genesis.id)] }],
  ['parents out of order', { parents: [new Uint8Array(32).fill(9), new Uint8Array(32)] }],
  ['no parents', { parents: [] }],
  ['a negative time', { time: -1 }],
  ['version 0', { v: 0 }],
  ['no group', { group: undefined }],
  ['an empty kind', { kind: '' }],
  ['a name that breaks the line', { body: { target: laptop.signing.publicKey, name: 'a\nb' } }],
  ['a field more in its body', { body: { target: laptop.signing.publicKey, name: 'a', more: 1 } }],
  ['no body', { body: undefined }],
  ['the body of another kind', { kind: 'role' }],
  ['an inadmissible key', { kind: 'add', body: addBody({ signing: new Uint8Array(32) }) }],
  ['an inadmissible sealing key', { kind: 'add', body: addBody({ sealing: new Uint8Array(32) }) }],
  ['a relay at no address', { kind: 'relay', body: relayBody({ addresses: ['relay.example'] }) }],
  ['a relay at too many addresses', { kind: 'relay', body: relayBody({ addresses: Array.from({ length: 9 }, () => '/a') }) }],
  ['an inadmissible admin key', { kind: 'relay', body: relayBody({ adminKey: new Uint8Array(32) }) }],
  ['a short mailbox', { kind: 'relay', body: relayBody({ mailbox: new Uint8Array(15) }) }],
  ['a wrap for nobody', { kind: 'relay', body: relayBody({ wraps: [{ device: new Uint8Array(3), box: new Uint8Array(105) }] }) }],
  ['a role that does not exist', { kind: 'add', body: addBody({ role: 'owner' }) }],
])('[G2] an entry with %s is refused', (_, change) => {
  const changed: Record<string, unknown> = { ...rename, ...change }
  for (const key of Object.keys(changed)) if (changed[key] === undefined) delete changed[key]
  expect(decodeEntry(signedEntryBytes(laptop, changed)).ok).toBe(false)
  expect(decodeEntry(signedEntryBytes(laptop, rename)).ok).toBe(true)
  expect(decodeEntry(signedEntryBytes(laptop, { ...rename, kind: 'add', body: addBody({}) })).ok).toBe(true)
  expect(decodeEntry(signedEntryBytes(laptop, { ...rename, kind: 'relay', body: relayBody({}) })).ok).toBe(true)
})

test('[G2] an entry over 64 KiB is refused before it is read', () => {
  const decoded = decodeEntry(signedEntryBytes(laptop, { ...rename, kind: 'from-the-future', body: new Uint8Array(65_536) }))
  expect(decoded).toEqual({ ok: false, error: 'entry: too-large' })
})

test('[G2] 10,000 entries of garbage and CBOR of the wrong shape are refused, not thrown', () => {
  const odd = fc.record(
    {
      v: fc.constantFrom(0, 1, 2, -1, 'x'),
      group: fc.constantFrom(idBytes(genesis.group), new Uint8Array(3), 7),
      author: fc.constantFrom(laptop.signing.publicKey, new Uint8Array(32), 'me'),
      parents: fc.oneof(fc.array(fc.uint8Array({ maxLength: 33 }), { maxLength: 3 }), fc.constant({}), fc.constant([idBytes(genesis.id)])),
      kind: fc.constantFrom('add', 'role', 'rename', 'relay', 'genesis', 'toString', '__proto__', 4),
      body: fc.anything({ withBigInt: false }),
      time: fc.constantFrom(0, 1.5, -1, 'now'),
    },
    { requiredKeys: [] },
  )
  const signature = new Uint8Array(64)
  const shapes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    odd.map(fields => tryEncode(() => encodeCbor([encodeCbor(fields), signature]))),
    fc.anything().map(value => tryEncode(() => encodeCbor(value))),
    fc.tuple(fc.nat(genesis.bytes.length - 1), fc.nat(255)).map(([at, byte]) => genesis.bytes.with(at, byte)),
  )
  const fuzz = (bytes: Uint8Array): boolean => {
    const entry = decodeEntry(bytes)
    return !entry.ok || !isSigned(entry.value) || entry.value.id === genesis.id
  }
  fc.assert(fc.property(shapes, fuzz), { numRuns: 10_000 })
})

test('[G3] the id of a genesis is its group', () => {
  expect(genesis.group).toBe(genesis.id)
  expect(genesis.parents).toEqual([])
})

test.each([
  ['with a group', { kind: 'genesis', group: idBytes(genesis.group), parents: [] }],
  ['with parents', { kind: 'genesis', group: undefined }],
])('[G3] a genesis %s is refused', (_, change) => {
  const fields: Record<string, unknown> = { ...rename, ...change }
  if (fields['group'] === undefined) delete fields['group']
  expect(decodeEntry(signedEntryBytes(laptop, fields)).ok).toBe(false)
})

test('[G5] an unknown kind, and a known kind of a later version with other fields, keep their envelope', () => {
  const adopt = decodeEntry(signedEntryBytes(laptop, { ...rename, kind: 'adopt', body: { any: ['thing'] } }))
  const later = decodeEntry(signedEntryBytes(laptop, { ...rename, v: 2, body: 7, more: 'fields' }))
  expect(adopt.ok && adopt.value.content).toEqual({ kind: 'unknown', name: 'adopt', version: 1 })
  expect(later.ok && later.value.content).toEqual({ kind: 'unknown', name: 'rename', version: 2 })
  expect(later.ok && isSigned(later.value)).toBe(true)
})

function addBody(change: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { signing: desk.signing.publicKey, sealing: desk.sealing.publicKey, role: 'member', name: 'desk', wraps: [], ...change }
}

function relayBody(change: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { publicKey } = desk.signing
  return {
    relay: publicKey,
    addresses: ['/dns4/relay.example/tcp/443'],
    mailbox: new Uint8Array(16),
    adminKey: publicKey,
    wraps: [],
    retired: false,
    ...change,
  }
}

function tryEncode(encode: () => Uint8Array): Uint8Array {
  try {
    return encode()
  } catch {
    return new Uint8Array()
  }
}
