/**
 * Who may use a mailbox: what a relay, which cannot read the group's log, is told of it.
 *
 *     record    = CBOR {v: 1, mailbox: 16, version, members: [32...], recovery?: 32}       members in ascending order, each once
 *     signature = Ed25519 over ["segue/member-list/v1", record], with the mailbox's admin key
 *
 * The content follows from the group log, so two admins who see the same log write the same members. Lists replace each other by
 * compare-and-set: a relay takes version n + 1 only while it holds n. Whoever loses the race reads the winner's list, and writes
 * again only if the log still says otherwise.
 */
import * as v from 'valibot'
import { isAdmissibleKey, sign, verify, type SigningKeys } from '../crypto/index.ts'
import type { GroupState } from '../group/index.ts'
import { compareBytes } from '../lib/bytes.ts'
import { bytesOf, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { PUBLIC_KEY_BYTES, deviceIdOf, hexId, idBytes, publicKeyOf, type DeviceId, type MailboxId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_MAILBOX_MEMBERS } from '../wire/limits.ts'
import { MAILBOX_ID_BYTES, MAX_MEMBER_LIST_BYTES } from '../wire/relay-messages.ts'

export const MEMBER_LIST_VERSION = 1

export interface MemberList {
  readonly mailbox: MailboxId
  /** 1 for a mailbox's first list. */
  readonly version: number
  /** Ascending by key. */
  readonly members: readonly DeviceId[]
  /** The peer id of the group's recovery key, when it has one. */
  readonly recovery?: DeviceId | undefined
}

/** As it is sent and kept: the bytes that were signed, never a re-encoding of them. */
export interface SignedMemberList {
  readonly record: Uint8Array
  readonly signature: Uint8Array
}

/** The list that the group's log asks for: every active device. */
export function memberListOf(state: Pick<GroupState, 'devices'>, mailbox: MailboxId, version: number): MemberList {
  const members = state.devices.filter(device => device.active).map(device => device.id)
  return { mailbox, version, members: inOrder(members) }
}

/** Throws RangeError for no version, no member or too many of them. */
export function encodeMemberList(list: MemberList, adminKeys: SigningKeys): SignedMemberList {
  const record = encodeCbor({
    v: MEMBER_LIST_VERSION,
    mailbox: idBytes(list.mailbox),
    version: list.version,
    members: inOrder(list.members).map(publicKeyOf),
    ...(list.recovery === undefined ? {} : { recovery: publicKeyOf(list.recovery) }),
  })
  const read = decodeMemberList(record)
  if (!read.ok) throw new RangeError(read.error)
  return { record, signature: sign('member-list', record, adminKeys.secretKey) }
}

/** The list in a record; not whether it is signed: the record names the mailbox whose key has to be asked. */
export function decodeMemberList(record: Uint8Array): Result<MemberList, string> {
  const read = decodeCbor(RECORD, record, MAX_MEMBER_LIST_BYTES)
  if (!read.ok) return failed(`member list: ${read.error.reason}`)
  const { mailbox, version, members, recovery } = read.value
  return ok({
    mailbox: hexId<MailboxId>(mailbox),
    version,
    members: members.map(deviceIdOf),
    ...(recovery === undefined ? {} : { recovery: deviceIdOf(recovery) }),
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
  return a.mailbox === b.mailbox && a.recovery === b.recovery && a.members.join() === b.members.join()
}

/** Whether a peer may use the mailbox. */
export function isOnList(list: MemberList, peer: DeviceId): boolean {
  return list.recovery === peer || list.members.includes(peer)
}

const admissibleKey = v.pipe(bytesOf(PUBLIC_KEY_BYTES), v.check(isAdmissibleKey, 'inadmissible key'))

const RECORD = v.strictObject({
  v: v.literal(MEMBER_LIST_VERSION),
  mailbox: bytesOf(MAILBOX_ID_BYTES),
  version: v.pipe(wholeNumber, v.minValue(1)),
  members: v.pipe(
    v.array(admissibleKey),
    v.minLength(1),
    v.maxLength(MAX_MAILBOX_MEMBERS),
    v.check(keys => keys.every((key, i) => i === 0 || compareBytes(keys[i - 1] as Uint8Array, key) < 0), 'not in ascending order'),
  ),
  recovery: v.optional(admissibleKey),
})

function inOrder(members: readonly DeviceId[]): readonly DeviceId[] {
  return [...members].sort((a, b) => compareBytes(publicKeyOf(a), publicKeyOf(b)))
}
