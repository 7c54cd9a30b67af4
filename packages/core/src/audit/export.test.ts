import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createGroupCast } from '../testing/group-cast.ts'
import { createGroupLogCast } from '../testing/group-log.ts'
import type { Group, SignedEntry } from '../group/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { toHex } from '../lib/bytes.ts'
import { exportAudit, verifyAudit, type AuditRefusal } from './export.ts'

const cast = createGroupCast(72)
const { verifier } = cast
const [laptop, desk, phone] = ['laptop', 'desk', 'phone'].map(cast.device) as [DeviceIdentity, DeviceIdentity, DeviceIdentity]
const group = cast.found(laptop)
cast.add(group, desk, 'admin')
cast.add(group, phone)
group.rename(phone.id, 'pocket', 3)
group.remove(phone.id, { time: 4 })
const text = exported(laptop, group)

test('[A4] an export is read on any machine: the group, who signed, when, and every event', () => {
  const read = verifyAudit(text, { verifier })
  if (!read.ok) throw new Error(read.error.code)
  const { signedBy, events } = read.value
  expect([read.value.group, read.value.exportedAt, signedBy]).toEqual([
    group.id,
    9,
    { id: laptop.id, name: 'laptop', state: 'in-the-group' },
  ])
  expect(events.map(({ action }) => action.kind)).toEqual(['founded', 'added', 'added', 'renamed', 'removed'])
  expect(verifyAudit(text, { verifier, group: group.id }).ok).toBe(true)
})

test('[A4] whatever is in the file besides is refused', () => {
  expect(codeOf(edited(file => ({ ...file, note: 'all is well' })))).toBe('AUDIT_INVALID')
})

test('[A5] a changed, cut or reordered file is refused', () => {
  expect(codeOf(edited(file => ({ ...file, exportedAt: 10 })))).toBe('AUDIT_TAMPERED')
  expect(codeOf(edited(file => ({ ...file, entries: file.entries.slice(0, -1) })))).toBe('AUDIT_TAMPERED')
  expect(codeOf(edited(file => ({ ...file, entries: file.entries.toReversed() })))).toBe('AUDIT_TAMPERED')
  expect(codeOf(edited(file => ({ ...file, device: desk.id })))).toBe('AUDIT_TAMPERED')
  for (const length of [0, 1, Math.floor(text.length / 2), text.length - 3]) expect(codeOf(text.slice(0, length))).toBe('AUDIT_INVALID')
})

test('[A5] a log that its signer tampered with is refused, though the signature fits', () => {
  const [genesis, deskAdded, phoneAdded, renamed, removed] = group.entries() as [SignedEntry, ...SignedEntry[]] & SignedEntry[]
  const all = [genesis, deskAdded, phoneAdded, renamed, removed] as readonly SignedEntry[]
  const without = (gone: SignedEntry): readonly SignedEntry[] => all.filter(entry => entry !== gone)
  expect(codeOf(exported(laptop, group, without(phoneAdded as SignedEntry)))).toBe('AUDIT_INCOMPLETE')
  expect(codeOf(exported(laptop, group, without(removed as SignedEntry)))).toBe('AUDIT_INCOMPLETE')
  expect(codeOf(exported(laptop, group, without(genesis)))).toBe('AUDIT_INCOMPLETE')
  expect(codeOf(exported(laptop, group, all.toSpliced(1, 2, phoneAdded as SignedEntry, deskAdded as SignedEntry)))).toBe('AUDIT_REORDERED')
  expect(codeOf(exported(laptop, group, [...all, genesis]))).toBe('AUDIT_REORDERED')
  const forged = {
    ...(removed as SignedEntry),
    bytes: (removed as SignedEntry).bytes.map((byte, i, { length }) => (i === length - 1 ? byte ^ 1 : byte)),
  }
  expect(codeOf(exported(laptop, group, [...all.slice(0, -1), forged]))).toBe('AUDIT_ENTRY_FORGED')
})

test('[A5] of another group, whole or in part, is refused', () => {
  const other = cast.found(desk)
  const theirs = exported(desk, other)
  expect(verifyAudit(theirs, { verifier }).ok).toBe(true)
  expect(codeOf(theirs, group)).toBe('AUDIT_OTHER_GROUP')
  expect(codeOf(exported(laptop, group, [...group.entries(), ...other.entries()]))).toBe('AUDIT_OTHER_GROUP')
  expect(codeOf(exported(laptop, group, other.entries()))).toBe('AUDIT_OTHER_GROUP')
})

test('[A6] a stranger’s signature over a true log is no export; a removed device’s is, and it is said that it was removed', () => {
  expect(codeOf(exported(cast.device('stranger'), group))).toBe('AUDIT_SIGNER_UNKNOWN')
  expect(verifyAudit(exported(phone, group), { verifier })).toMatchObject({
    ok: true,
    value: { signedBy: { name: 'pocket', state: 'removed' } },
  })
})

test('[A7] a later format asks for an update; garbage of every shape is refused and nothing throws', () => {
  expect(codeOf(edited(file => ({ ...file, schemaVersion: 2 })))).toBe('AUDIT_NEWER')
  expect(codeOf(edited(file => ({ ...file, kind: 'holiday' })))).toBe('AUDIT_INVALID')
  const property = fc.property(fc.oneof(fc.string(), fc.json()), garbage => codeOf(garbage) === 'AUDIT_INVALID')
  fc.assert(property, { numRuns: 5_000 })
  const fields = fc.record({
    schemaVersion: fc.constantFrom(1, 1.5, 0),
    kind: fc.constant('segue-group-audit'),
    group: fc.constantFrom(group.id, 'x'),
    device: fc.constantFrom(laptop.id, ''),
    exportedAt: fc.oneof(fc.nat(), fc.string()),
    heads: fc.array(fc.constantFrom(group.id, 'ab')),
    entries: fc.array(fc.oneof(fc.constant(toHex(group.entries()[0]?.bytes ?? new Uint8Array())), fc.string())),
    signature: fc.constantFrom('00'.repeat(64), 'zz'),
  })
  fc.assert(
    fc.property(fields, file => ['AUDIT_INVALID', 'AUDIT_TAMPERED'].includes(codeOf(JSON.stringify(file)) ?? '')),
    { numRuns: 5_000 },
  )
})

test('[A7] an entry of a later version is told as not understood, and the export holds', () => {
  const log = createGroupLogCast(73)
  const future = log.future(log.laptop, [log.genesis])
  const file = exportAudit({ identity: log.laptop, group: log.genesis.group, entries: [log.genesis, future], heads: [future.id], time: 9 })
  expect(verifyAudit(file)).toMatchObject({ ok: true, value: { needsUpdate: true, events: [{}, { action: { kind: 'not-understood' } }] } })
})

interface File {
  readonly entries: readonly string[]
}

function exported(identity: DeviceIdentity, of: Group, entries: readonly SignedEntry[] = of.entries()): string {
  return exportAudit({ identity, group: of.id, entries, heads: of.state.peek().heads, time: 9 })
}

function edited(edit: (file: File) => unknown): string {
  return JSON.stringify(edit(JSON.parse(text) as File))
}

function codeOf(file: string, of?: Group): AuditRefusal['code'] | undefined {
  const read = verifyAudit(file, { verifier, group: of?.id })
  return read.ok ? undefined : read.error.code
}
