/**
 * Who may use a mailbox: what a relay, which cannot read the group's log, is told of it.
 *
 *     record    = CBOR {v: 1, mailbox: 16, version, members: [32...]}                      members in ascending order, each once
 *               | CBOR {v: 2, mailbox: 16, version, members: [32...], recovery: {key: 32, box}}
 *     signature = Ed25519 over ["segue/member-list/v1", record], with the mailbox's admin key
 *
 * The content follows from the group log, so two admins who see the same log write the same members. Lists replace each other by
 * compare-and-set: a relay takes version n + 1 only while it holds n. Whoever loses the race reads the winner's list, and writes
 * again only if the log still says otherwise.
 *
 * Version 2 names the key of the group's recovery phrase, which may read the mailbox, and keeps for it the group secret in a box that only
 * the phrase opens. A group without a phrase writes version 1.
 */
import * as v from 'valibot'
import { isAdmissibleKey, sign, verify, type SigningKeys } from '../crypto/index.ts'
import type { GroupState } from '../group/index.ts'
import { compareBytes, equalBytes } from '../lib/bytes.ts'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { PUBLIC_KEY_BYTES, deviceIdOf, hexId, idBytes, publicKeyOf, type DeviceId, type MailboxId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_MAILBOX_MEMBERS } from '../wire/limits.ts'
import { MAILBOX_ID_BYTES, MAX_MEMBER_LIST_BYTES } from '../wire/relay-messages.ts'

/** Of a list with a recovery phrase. */
export const MEMBER_LIST_VERSION = 2

export interface MemberList {
  readonly mailbox: MailboxId
  /** 1 for a mailbox's first list. */
  readonly version: number
  /** Ascending by key. */
  readonly members: readonly DeviceId[]
  /** Of the group's recovery phrase, when it has one: as a peer id, and the group secret wrapped for it. */
  readonly recovery?: { readonly key: DeviceId; readonly box: Uint8Array } | undefined
}

/** As it is sent and kept: the bytes that were signed, never a re-encoding of them. */
export interface SignedMemberList {
  readonly record: Uint8Array
  readonly signature: Uint8Array
}

/** The list that the group's log asks for: every active device, and the recovery phrase. */
export function memberListOf(
  { devices, recovery }: Pick<GroupState, 'devices'> & Partial<Pick<GroupState, 'recovery'>>,
  mailbox: MailboxId,
  version: number,
): MemberList {
  const members = devices.filter(device => device.active).map(device => device.id)
  const list = { mailbox, version, members: inOrder(members) }
  return recovery === undefined ? list : { ...list, recovery: { key: recovery.id, box: recovery.secretBox } }
}

/** Throws RangeError for no version, no member or too many of them. */
export function encodeMemberList(list: MemberList, adminKeys: SigningKeys): SignedMemberList {
  const record = encodeCbor({
    v: list.recovery === undefined ? 1 : MEMBER_LIST_VERSION,
    mailbox: idBytes(list.mailbox),
    version: list.version,
    members: inOrder(list.members).map(publicKeyOf),
    ...(list.recovery === undefined ? {} : { recovery: { key: publicKeyOf(list.recovery.key), box: list.recovery.box } }),
  })
  const read = decodeMemberList(record)
  if (!read.ok) throw new RangeError(read.error)
  return { record, signature: sign('member-list', record, adminKeys) }
}

/** The list in a record; not whether it is signed: the record names the mailbox whose key has to be asked. */
export function decodeMemberList(record: Uint8Array): Result<MemberList, string> {
  const read = decodeCbor(RECORD, record, MAX_MEMBER_LIST_BYTES)
  if (!read.ok) return failed(`member list: ${read.error.reason}`)
  const { mailbox, version, members } = read.value
  const recovery = 'recovery' in read.value ? read.value.recovery : undefined
  return ok({
    mailbox: hexId<MailboxId>(mailbox),
    version,
    members: members.map(deviceIdOf),
    ...(recovery === undefined ? {} : { recovery: { key: deviceIdOf(recovery.key), box: recovery.box } }),
  })
}

/** The list, if the mailbox's admin key signed exactly these bytes. */
export function verifyMemberList(
  { record, signature }: SignedMemberList,
  adminKey: Uint8Array,
  verifier?: Verifier,
): Result<MemberList, string> {
  const read = decodeMemberList(record)
  if (!read.ok) return read
  return verify('member-list', record, signature, adminKey, verifier) ? read : failed('member list: bad signature')
}

/** Compare-and-set: whether a relay that holds `current` takes `next` in its place. */
export function mayReplaceList(current: Pick<MemberList, 'version'> | undefined, next: Pick<MemberList, 'version'>): boolean {
  return next.version === (current?.version ?? 0) + 1
}

/** Whether two lists let the same keys in, whatever their versions: then nothing has to be written. */
export function admitsTheSame(a: MemberList, b: MemberList): boolean {
  const isSamePhrase =
    a.recovery?.key === b.recovery?.key && equalBytes(a.recovery?.box ?? new Uint8Array(), b.recovery?.box ?? new Uint8Array())
  return a.mailbox === b.mailbox && isSamePhrase && a.members.join() === b.members.join()
}

/** Whether a peer may use the mailbox. */
export function isOnList(list: MemberList, peer: DeviceId): boolean {
  return list.recovery?.key === peer || list.members.includes(peer)
}

/** A wrapped secret has 105 bytes; the rest is room for later forms of wrap. */
const MAX_RECOVERY_BOX_BYTES = 512

const admissibleKey = v.pipe(bytesOf(PUBLIC_KEY_BYTES), v.check(isAdmissibleKey, 'inadmissible key'))

const fields = {
  mailbox: bytesOf(MAILBOX_ID_BYTES),
  version: v.pipe(wholeNumber, v.minValue(1)),
  members: v.pipe(
    v.array(admissibleKey),
    v.minLength(1),
    v.maxLength(MAX_MAILBOX_MEMBERS),
    v.check(keys => keys.every((key, i) => i === 0 || compareBytes(keys[i - 1] as Uint8Array, key) < 0), 'not in ascending order'),
  ),
}

const RECORD = v.variant('v', [
  v.strictObject({ v: v.literal(1), ...fields }),
  v.strictObject({
    v: v.literal(MEMBER_LIST_VERSION),
    ...fields,
    recovery: v.strictObject({ key: admissibleKey, box: bytesUpTo(MAX_RECOVERY_BOX_BYTES) }),
  }),
])

function inOrder(members: readonly DeviceId[]): readonly DeviceId[] {
  return [...members].sort((a, b) => compareBytes(publicKeyOf(a), publicKeyOf(b)))
}
