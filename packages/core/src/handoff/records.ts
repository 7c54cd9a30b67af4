/** Handoffs between runs of the process: one small record each, under `handoff/<id>`. A record that cannot be read is forgotten. */
import * as v from 'valibot'
import { bytesOf, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { isDeviceId, isHexId, RANDOM_ID_BYTES, type DeviceId, type HandoffId, type SessionId, type TraceId } from '../lib/ids.ts'
import { DAY_MS, MIB } from '../lib/units.ts'
import { committedClaim, NONCE_BYTES, standingGrant } from '../wire/control-messages.ts'
import { MILESTONES, SESSION_KINDS, type HandoffOutcome } from './outcome.ts'
import { isSettledState, SOURCE_STATES, TARGET_STATES, type HandoffRecord } from './state.ts'

export const HANDOFF_RECORDS = 'handoff/'
/** Ended handoffs are remembered so that a late message gets the right answer. */
export const REMEMBER_MS: number = 7 * DAY_MS
export const MAX_REMEMBERED = 200

export function recordKey(id: HandoffId): string {
  return HANDOFF_RECORDS + id
}

export function encodeRecord(record: HandoffRecord): Uint8Array {
  return encodeCbor({ version: 1, record: withoutUndefined(record) })
}

export function decodeRecord(bytes: Uint8Array): HandoffRecord | undefined {
  const decoded = decodeCbor(storedRecord, bytes, MAX_RECORD_BYTES)
  return decoded.ok ? (decoded.value.record as HandoffRecord) : undefined
}

/** Which of the ended ones may go: those past their time, and the oldest of too many. */
export function forgettable(records: readonly HandoffRecord[], now: number): readonly HandoffRecord[] {
  const ended = records.filter(record => isSettledState(record.state)).toSorted((a, b) => b.expiresAt - a.expiresAt)
  return ended.filter((record, index) => index >= MAX_REMEMBERED || now > record.expiresAt + REMEMBER_MS)
}

const MAX_RECORD_BYTES: number = 2 * MIB
const deviceId = v.custom<DeviceId>(value => typeof value === 'string' && isDeviceId(value))
const hexId = <Id>(): v.GenericSchema<unknown, Id> => v.custom<Id>(value => typeof value === 'string' && isHexId(value, RANDOM_ID_BYTES))

const manifest = v.strictObject({
  schemaVersion: wholeNumber,
  documents: v.array(
    v.strictObject({
      documentId: bytesOf(RANDOM_ID_BYTES),
      kind: v.picklist(['session', ...SESSION_KINDS]),
      heads: v.array(v.pipe(v.string(), v.hexadecimal())),
      bytes: wholeNumber,
    }),
  ),
})

const common = {
  id: hexId<HandoffId>(),
  session: hexId<SessionId>(),
  trace: hexId<TraceId>(),
  peer: deviceId,
  target: deviceId,
  incoming: v.boolean(),
  attempt: wholeNumber,
  revision: wholeNumber,
  kinds: v.array(v.picklist(SESSION_KINDS)),
  authority: v.picklist(['live', 'standing', 'alone', 'committed']),
  startedAt: wholeNumber,
  expiresAt: wholeNumber,
  lifetimeMs: wholeNumber,
  milestone: v.picklist(MILESTONES),
  manifest: v.optional(manifest),
  checkpoint: v.optional(v.string()),
  standing: v.optional(standingGrant),
  nonce: v.optional(bytesOf(NONCE_BYTES)),
  claim: v.optional(committedClaim),
  bytes: wholeNumber,
  conflicts: wholeNumber,
  late: wholeNumber,
  ageMs: v.optional(wholeNumber),
  trouble: v.optional(v.string()),
  outcome: v.optional(v.custom<HandoffOutcome>(value => typeof value === 'object' && value !== null && 'kind' in value)),
}

/** Written by this device and sealed at rest: the check is against older formats and damage, not against malice. */
const storedRecord = v.strictObject({
  version: v.literal(1),
  record: v.variant('side', [
    v.strictObject({ side: v.literal('source'), state: v.picklist(SOURCE_STATES), held: v.boolean(), ...common }),
    v.strictObject({ side: v.literal('target'), state: v.picklist(TARGET_STATES), verified: v.boolean(), ...common }),
  ]),
})

function withoutUndefined(record: HandoffRecord): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}
