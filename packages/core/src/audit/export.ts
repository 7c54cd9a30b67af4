/**
 * The audit in a file, for somebody who has no store and no keys: what the group's devices signed, and who says that this is all of it.
 *
 *     JSON {schemaVersion: 1, kind: "segue-group-audit", group, device, exportedAt, heads: [hex...], entries: [hex...], signature: hex}
 *     signature over CBOR {v: 1, group: 32, device: 32, exportedAt, heads: [32...], entries: [bytes...]}, under its own label
 *
 * The entries are the signed bytes of the log in the order of the group; everything a reader is told is worked out from them. There is
 * nothing else in the file, so nothing in it could say otherwise. That its signer left out the last entries nobody can see who has no
 * other word of the group: an export shows what its signer had, or chose to show.
 */
import * as v from 'valibot'
import { SIGNATURE_BYTES, sign, verify } from '../crypto/index.ts'
import type { SignedEntry } from '../group/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { fromHex, toHex } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import { ENTRY_ID_BYTES, idBytes, isDeviceId, isHexId, publicKeyOf, type DeviceId, type EntryId, type GroupId } from '../lib/ids.ts'
import type { ErrorCode } from '../lib/errors.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import { MAX_ENTRY_BYTES, MAX_LOG_ENTRIES } from '../wire/limits.ts'
import { auditOf, type AuditParts, type GroupAudit, type LogFault } from './audit.ts'

/** A full log of the largest removals there are has half of it. */
export const MAX_AUDIT_BYTES: number = 256 * 1024 * 1024
export const AUDIT_SCHEMA_VERSION = 1

export interface VerifiedAudit extends GroupAudit {
  readonly signedBy: {
    readonly id: DeviceId
    readonly name: string
    /** By the log in the file. */
    readonly state: 'in-the-group' | 'waiting' | 'removed'
  }
  /** Milliseconds since 1970 by the signer's clock. */
  readonly exportedAt: number
}

export interface AuditRefusal {
  readonly code: Extract<ErrorCode, `AUDIT_${string}`>
  readonly details: Readonly<Record<string, string | number>>
}

export interface AuditExportOptions {
  readonly identity: Pick<DeviceIdentity, 'id' | 'signing'>
  readonly group: GroupId
  /** In the order of the group. */
  readonly entries: readonly SignedEntry[]
  readonly heads: readonly EntryId[]
  /** Milliseconds since 1970, stamped before the request. */
  readonly time: number
}

export function exportAudit({ identity, group, entries, heads, time }: AuditExportOptions): string {
  const said = { group, device: identity.id, exportedAt: Math.max(0, Math.trunc(time)), heads: heads.toSorted() }
  const bytes = entries.map(entry => entry.bytes)
  return `${JSON.stringify({
    schemaVersion: AUDIT_SCHEMA_VERSION,
    kind: KIND,
    ...said,
    entries: bytes.map(toHex),
    signature: toHex(sign('audit-export', signedPart(said, bytes), identity.signing)),
  })}\n`
}

/** `group`: the one it has to be about. Never throws for anything in the text. */
export function verifyAudit(
  text: string,
  { group: wanted, ...parts }: AuditParts & { readonly group?: GroupId | undefined } = {},
): Result<VerifiedAudit, AuditRefusal> {
  const read = readFile(text)
  if (!read.ok) return read
  const { device, exportedAt, heads, signature } = read.value
  const group = read.value.group as GroupId
  if (wanted !== undefined && wanted !== group) return refuse('AUDIT_OTHER_GROUP', { group })
  const bytes = read.value.entries.map(fromHex)
  const signer = device as DeviceId
  const signed = signedPart({ group, device: signer, exportedAt, heads: heads as EntryId[] }, bytes)
  if (!verify('audit-export', signed, fromHex(signature), publicKeyOf(signer), parts.verifier)) return refuse('AUDIT_TAMPERED', { device })
  const audit = auditOf(bytes, parts)
  if (!audit.ok) return refuse(REFUSAL_OF[audit.error.kind], { entry: audit.error.entry })
  if (audit.value.group !== group) return refuse('AUDIT_OTHER_GROUP', { group: audit.value.group })
  if (audit.value.heads.join() !== heads.join()) return refuse('AUDIT_INCOMPLETE', { entry: bytes.length + 1 })
  const by = audit.value.devices.find(({ id }) => id === signer)
  if (by === undefined) return refuse('AUDIT_SIGNER_UNKNOWN', { device })
  const state = by.removal !== undefined ? 'removed' : by.active ? 'in-the-group' : 'waiting'
  return ok({ ...audit.value, exportedAt, signedBy: { id: signer, name: by.name, state } })
}

const KIND = 'segue-group-audit'

const REFUSAL_OF: Readonly<Record<LogFault['kind'], AuditRefusal['code']>> = {
  unsigned: 'AUDIT_ENTRY_FORGED',
  gap: 'AUDIT_INCOMPLETE',
  order: 'AUDIT_REORDERED',
  'other-group': 'AUDIT_OTHER_GROUP',
  'no-genesis': 'AUDIT_INCOMPLETE',
  'too-many': 'AUDIT_INVALID',
}

interface Said {
  readonly group: GroupId
  readonly device: DeviceId
  readonly exportedAt: number
  readonly heads: readonly EntryId[]
}

function signedPart({ group, device, exportedAt, heads }: Said, entries: readonly Uint8Array[]): Uint8Array {
  return encodeCbor({ v: 1, group: idBytes(group), device: publicKeyOf(device), exportedAt, heads: heads.map(idBytes), entries })
}

function readFile(text: string): Result<v.InferOutput<typeof FILE>, AuditRefusal> {
  if (text.length > MAX_AUDIT_BYTES) return refuse('AUDIT_INVALID', { reason: 'too large' })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refuse('AUDIT_INVALID', { reason: 'no JSON; cut off?' })
  }
  const head = v.safeParse(HEAD, value)
  if (!head.success) return refuse('AUDIT_INVALID', { reason: 'something else' })
  if (head.output.schemaVersion > AUDIT_SCHEMA_VERSION) return refuse('AUDIT_NEWER', { version: head.output.schemaVersion })
  const parsed = v.safeParse(FILE, value, { abortEarly: true })
  if (parsed.success) return ok(parsed.output)
  const [issue] = parsed.issues
  return refuse('AUDIT_INVALID', { reason: v.getDotPath(issue) ?? 'wrong shape' })
}

function refuse(code: AuditRefusal['code'], details: AuditRefusal['details']): Result<never, AuditRefusal> {
  return failed({ code, details })
}

const hexOf = (bytes: number): v.GenericSchema<string> =>
  v.pipe(
    v.string(),
    v.check(text => isHexId(text, bytes), 'no hexadecimal'),
  )
const HEAD = v.looseObject({ schemaVersion: v.pipe(v.number(), v.safeInteger(), v.minValue(1)), kind: v.literal(KIND) })
const FILE = v.strictObject({
  schemaVersion: v.literal(AUDIT_SCHEMA_VERSION),
  kind: v.literal(KIND),
  group: hexOf(ENTRY_ID_BYTES),
  device: v.pipe(v.string(), v.check(isDeviceId, 'no device id')),
  exportedAt: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  heads: v.pipe(v.array(hexOf(ENTRY_ID_BYTES)), v.maxLength(MAX_LOG_ENTRIES)),
  entries: v.pipe(
    v.array(v.pipe(v.string(), v.maxLength(2 * MAX_ENTRY_BYTES), v.regex(/^(?:[0-9a-f]{2})+$/, 'no hexadecimal'))),
    v.minLength(1),
    v.maxLength(MAX_LOG_ENTRIES),
  ),
  signature: hexOf(SIGNATURE_BYTES),
})
