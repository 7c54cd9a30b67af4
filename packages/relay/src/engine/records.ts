/** The engine's own records as bytes: CBOR of a fixed shape behind a version, a checksum after it. */
import { RETENTIONS, bytesOf, bytesUpTo, decodeCbor, encodeCbor, isDeviceId, isHexId, wholeNumber } from '@segue/core/sealed'
import type { DeviceId, MailboxId } from '@segue/core/sealed'
import { checked, withChecksum } from '@segue/storage/volume'
import * as v from 'valibot'
import type { Account, Invite, MailboxRecord, Usage } from './mailbox-engine.ts'

export const MAX_NOTE_LENGTH = 200

export function encodeInvite({ claimedBy, note, ...invite }: Invite): Uint8Array {
  return encode({ ...invite, ...(claimedBy === undefined ? {} : { claimedBy }), ...(note === undefined ? {} : { note }) })
}

/** These give undefined for what is damaged. */
export function decodeInvite(stored: Uint8Array): Invite | undefined {
  return decode(INVITE, stored)
}

export function encodeAccount({ revokedAt, note, ...account }: Account): Uint8Array {
  return encode({ ...account, ...(revokedAt === undefined ? {} : { revokedAt }), ...(note === undefined ? {} : { note }) })
}

export function decodeAccount(stored: Uint8Array): Account | undefined {
  return decode(ACCOUNT, stored)
}

export function encodeUsage(usage: Usage): Uint8Array {
  return encode(usage)
}

export function decodeUsage(stored: Uint8Array): Usage | undefined {
  return decode(USAGE, stored)
}

export function encodeMailbox({ list, replaced, ...rest }: MailboxRecord): Uint8Array {
  const mailbox = { ...rest, ...(replaced === undefined ? {} : { replaced }) }
  if (list === undefined) return encode(mailbox)
  const { version, signed, peers, order, since } = list
  return encode({ ...mailbox, list: { version, ...signed, order, peers: peers.map(peer => [peer, since.get(peer) ?? order]) } })
}

export function decodeMailbox(stored: Uint8Array): MailboxRecord | undefined {
  const read = decode(MAILBOX, stored)
  if (read === undefined) return undefined
  const { list, ...mailbox } = read
  if (list === undefined) return mailbox
  const { version, record, signature, order, peers } = list
  return { ...mailbox, list: { version, signed: { record, signature }, order, peers: peers.map(([peer]) => peer), since: new Map(peers) } }
}

export function encodeNumber(number: number): Uint8Array {
  return encode(number)
}

export function decodeNumber(stored: Uint8Array): number | undefined {
  return decode(wholeNumber, stored)
}

const MAX_RECORD_BYTES = 64 * 1_024

const deviceId = v.pipe(
  v.string(),
  v.check(text => isDeviceId(text), 'not a device id'),
  v.transform(text => text as DeviceId),
)
function hexOf(bytes: number): v.GenericSchema<string> {
  return v.pipe(
    v.string(),
    v.check(text => isHexId(text, bytes), 'not an id'),
  )
}
const note = v.optional(v.pipe(v.string(), v.maxLength(MAX_NOTE_LENGTH)))
const quotas = v.strictObject({ mailboxes: wholeNumber, bytes: wholeNumber, chunks: wholeNumber, bytesPerMinute: wholeNumber })
const retention = v.picklist(RETENTIONS)

const INVITE = v.strictObject({
  tokenHash: hexOf(32),
  quotas,
  retention,
  createdAt: wholeNumber,
  expiresAt: wholeNumber,
  claimedBy: v.optional(deviceId),
  note,
})
const ACCOUNT = v.strictObject({ id: deviceId, quotas, retention, createdAt: wholeNumber, revokedAt: v.optional(wholeNumber), note })
const USAGE = v.strictObject({ mailboxes: wholeNumber, bytes: wholeNumber, chunks: wholeNumber })
const mailboxId = v.pipe(
  hexOf(16),
  v.transform(text => text as MailboxId),
)
const MAILBOX = v.strictObject({
  id: mailboxId,
  account: deviceId,
  adminKey: bytesOf(32),
  createdAt: wholeNumber,
  lastUsedAt: wholeNumber,
  replaced: v.optional(v.strictObject({ by: mailboxId, at: wholeNumber })),
  list: v.optional(
    v.strictObject({
      version: wholeNumber,
      record: bytesUpTo(MAX_RECORD_BYTES),
      signature: bytesOf(64),
      order: wholeNumber,
      peers: v.array(v.strictTuple([deviceId, wholeNumber])),
    }),
  ),
})

function encode(value: unknown): Uint8Array {
  return withChecksum(encodeCbor(value))
}

function decode<Schema extends v.GenericSchema<unknown, unknown>>(schema: Schema, stored: Uint8Array): v.InferOutput<Schema> | undefined {
  const bytes = checked(stored)
  const read = bytes && decodeCbor(schema, bytes, MAX_RECORD_BYTES)
  return read?.ok === true ? read.value : undefined
}
