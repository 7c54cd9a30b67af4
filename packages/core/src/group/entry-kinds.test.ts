import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { sealingKeysOf } from '../crypto/box.ts'
import { signingKeysOf } from '../crypto/index.ts'
import { encodeCbor } from '../lib/codec.ts'
import { deviceIdOf, epochOf, hexId, idBytes, type EntryId, type GroupId, type MailboxId } from '../lib/ids.ts'
import { decodeEntry, signEntry, type KnownContent } from './entry.ts'

/** A change here changes what is stored and sent: it needs a later ENTRY_VERSION, or kinds of another name. */
const PINNED = '4b88502bd4f97bd2c1561db53a5da211ad7761d6c3df10751faba11c0e11f92a'

const signing = signingKeysOf(new Uint8Array(32).fill(1))
const sealing = sealingKeysOf(new Uint8Array(32).fill(2))
const device = deviceIdOf(signing.publicKey)
const sealingKey = sealing.publicKey
const group = hexId<GroupId>(new Uint8Array(32).fill(3))
const parents = [hexId<EntryId>(new Uint8Array(32).fill(4))]
const box = new Uint8Array(105).fill(5)
const check = new Uint8Array(32).fill(6)
const epoch = epochOf(group)
const newEpoch = { check, parents: [{ epoch, box }], wraps: [{ device, box }] }
const wraps = [{ epoch, box }]

const CONTENTS: readonly KnownContent[] = [
  { kind: 'genesis', name: 'laptop', sealingKey, rootDocument: new Uint8Array(16), box, check },
  { kind: 'add', device, sealingKey, role: 'admin', name: 'desk', wraps },
  { kind: 'role', target: device, role: 'member' },
  { kind: 'rename', target: device, name: 'tower' },
  {
    kind: 'relay',
    relay: device,
    addresses: ['/dns4/relay.example/tcp/443'],
    mailbox: hexId<MailboxId>(new Uint8Array(16)),
    adminKey: signing.publicKey,
    wraps: [{ device, box }],
    retired: false,
  },
  { kind: 'remove', target: device, epoch: newEpoch },
  { kind: 'rotate', epoch: newEpoch },
  { kind: 'wrap', epoch, device, box },
  { kind: 'recovery', key: device, sealingKey, wraps, secretBox: box },
]
const sign = (content: KnownContent): ReturnType<typeof signEntry> =>
  signEntry(
    content.kind === 'genesis' ? { group: undefined, parents: [], time: 7, content } : { group, parents, time: 7, content },
    signing,
  )

test('[G2] the bytes of every kind are pinned', () => {
  const hash = createHash('sha256')
  for (const content of CONTENTS) hash.update(sign(content).bytes)
  expect(hash.digest('hex')).toBe(PINNED)
})

test.each(CONTENTS.map(content => [content.kind, content] as const))('[G2] what a %s says is read as it was written', (_, content) => {
  const read = decodeEntry(sign(content).bytes)
  expect(read.ok && read.value.content).toEqual(content)
})

const EPOCH = { check, parents: [{ epoch: idBytes(epoch), box }], wraps: [{ device: signing.publicKey, box }] }
const many = <Item>(count: number, item: Item): readonly Item[] => Array.from({ length: count }, () => item)

test.each([
  ['a removal of nobody', 'remove', { epoch: EPOCH }],
  ['a removal without an epoch', 'remove', { target: signing.publicKey }],
  ['a removal of a short key', 'remove', { target: new Uint8Array(31), epoch: EPOCH }],
  ['a rotation without a check', 'rotate', { epoch: { parents: [], wraps: [] } }],
  ['a rotation with a short check', 'rotate', { epoch: { ...EPOCH, check: new Uint8Array(31) } }],
  ['a rotation for too many', 'rotate', { epoch: { ...EPOCH, wraps: many(65, { device: signing.publicKey, box: new Uint8Array(1) }) } }],
  ['a rotation after too many', 'rotate', { epoch: { ...EPOCH, parents: many(257, { epoch: idBytes(epoch), box: new Uint8Array(1) }) } }],
  ['a rotation with more to it', 'rotate', { epoch: EPOCH, more: 1 }],
  ['a wrap of a short epoch', 'wrap', { epoch: new Uint8Array(15), device: signing.publicKey, box }],
  ['a wrap in a large box', 'wrap', { epoch: idBytes(epoch), device: signing.publicKey, box: new Uint8Array(513) }],
  ['a phrase with an inadmissible key', 'recovery', { signing: new Uint8Array(32), sealing: sealingKey, wraps: [], secret: box }],
  [
    'a phrase with an inadmissible sealing key',
    'recovery',
    { signing: signing.publicKey, sealing: new Uint8Array(32), wraps: [], secret: box },
  ],
  ['a phrase without the group secret', 'recovery', { signing: signing.publicKey, sealing: sealingKey, wraps: [] }],
])('[G2] %s is refused', (_, kind, body) => {
  expect(decodeEntry(unsigned(envelope(kind, body))).ok).toBe(false)
})

test('[G2] 10,000 bodies of the wrong shape under the right kinds are refused or read, not thrown', () => {
  const value = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constant(EPOCH),
    fc.constant([{ epoch: idBytes(epoch), box }]),
    fc.nat(),
    fc.constant(signing.publicKey),
  )
  const body = fc.dictionary(fc.constantFrom('target', 'epoch', 'device', 'box', 'signing', 'sealing', 'wraps', 'secret', 'check'), value)
  const kind = fc.constantFrom('remove', 'rotate', 'wrap', 'recovery')
  expect(decodeEntry(unsigned(envelope('rotate', { epoch: EPOCH }))).ok).toBe(true)
  fc.assert(
    fc.property(kind, body, (which, said) => void decodeEntry(unsigned(envelope(which, said)))),
    { numRuns: 10_000 },
  )
})

function envelope(kind: string, body: unknown): Readonly<Record<string, unknown>> {
  return { v: 1, group: idBytes(group), author: signing.publicKey, parents: parents.map(idBytes), kind, body, time: 7 }
}

function unsigned(fields: unknown): Uint8Array {
  return encodeCbor([encodeCbor(fields), new Uint8Array(64)])
}
