/** What this device keeps about itself between runs, in sealed records: its keys, its group, and where others were reached. */
import {
  bytesOf,
  bytesUpTo,
  createIdentity,
  decodeCbor,
  decodeIdentity,
  encodeCbor,
  encodeIdentity,
  hexId,
  idBytes,
  wholeNumber,
  MAX_ENTRY_BYTES,
  RANDOM_ID_BYTES,
  SegueError,
  type DeviceId,
  type DeviceIdentity,
  type GroupId,
  type MailboxId,
} from '@segue/core'
import type { Random, RecordStore } from '@segue/core/ports'
import * as v from 'valibot'
import { withNativeSigner } from './platform/native-signer.ts'

const IDENTITY_KEY = 'device/identity'
/** Its record is replaced in one with others where this device goes from one group to another. */
export const GROUP_KEY = 'device/group'
const PEER_PREFIX = 'device/peers/'
const ERASED_KEY = 'device/erased'
const NEW_MAILBOX_PREFIX = 'device/new-mailboxes/'
const LISTED_PREFIX = 'device/listed/'

export interface GroupRecord {
  readonly id: GroupId
  /** 32 bytes. */
  readonly secret: Uint8Array
  /** Enough signed entries to open the group; the rest are log chunks. */
  readonly entries: readonly Uint8Array[]
  /** The chunks in the store are of a group this device left: drop them before anything else. */
  readonly dropChunks: boolean
}

export interface PeerRecord {
  /** Newest first, at most MAX_PEER_ADDRESSES. */
  readonly addresses: readonly string[]
  /** Milliseconds since 1970 here. */
  readonly seenAt: number
}

/** The identity of this store, made on first use. Rejects with STORE_DAMAGED when what is there cannot be read. */
export async function loadIdentity(records: RecordStore, name: string, random: Random): Promise<DeviceIdentity> {
  const stored = await records.get(IDENTITY_KEY)
  if (stored === undefined) {
    const identity = withNativeSigner(createIdentity({ name, random }))
    await records.write(new Map([[IDENTITY_KEY, encodeIdentity(identity)]]))
    return identity
  }
  const decoded = decodeIdentity(stored)
  if (!decoded.ok) throw new SegueError('STORE_DAMAGED', { record: IDENTITY_KEY })
  return withNativeSigner(decoded.value)
}

export async function loadGroup(records: RecordStore): Promise<GroupRecord | undefined> {
  const stored = await records.get(GROUP_KEY)
  if (stored === undefined) return undefined
  const decoded = decodeCbor(GROUP, stored, MAX_GROUP_RECORD_BYTES)
  if (!decoded.ok) throw new SegueError('STORE_DAMAGED', { record: GROUP_KEY })
  return { ...decoded.value, id: hexId<GroupId>(decoded.value.id) }
}

/** Durable when it resolves, all of it or nothing. */
export async function saveGroup(
  records: RecordStore,
  group: GroupRecord,
  beside: ReadonlyMap<string, Uint8Array> = new Map(),
): Promise<void> {
  await records.write(new Map([...beside, [GROUP_KEY, encodeCbor({ v: 1, ...group, id: idBytes(group.id) })]]))
}

export async function loadPeers(records: RecordStore): Promise<Map<DeviceId, PeerRecord>> {
  const peers = new Map<DeviceId, PeerRecord>()
  for await (const [key, value] of records.list(PEER_PREFIX)) {
    const decoded = decodeCbor(PEER, value, MAX_PEER_RECORD_BYTES)
    if (decoded.ok) peers.set(key.slice(PEER_PREFIX.length) as DeviceId, decoded.value)
  }
  return peers
}

export async function savePeer(records: RecordStore, device: DeviceId, peer: PeerRecord): Promise<void> {
  await records.write(new Map([[`${PEER_PREFIX}${device}`, encodeCbor({ v: 1, ...peer })]]))
}

export async function forgetPeers(records: RecordStore, devices: readonly DeviceId[]): Promise<void> {
  await records.write(new Map(devices.map(device => [`${PEER_PREFIX}${device}`, undefined])))
}

/** When the store that was here before was erased because its device had been removed, in milliseconds since 1970. */
export async function loadErasedAt(records: RecordStore): Promise<number | undefined> {
  const stored = await records.get(ERASED_KEY)
  const decoded = stored === undefined ? undefined : decodeCbor(ERASED, stored, 256)
  return decoded?.ok === true ? decoded.value.time : undefined
}

/** `undefined`: of no interest any more. */
export async function saveErasedAt(records: RecordStore, time: number | undefined): Promise<void> {
  await records.write(new Map([[ERASED_KEY, time === undefined ? undefined : encodeCbor({ v: 1, time })]]))
}

export const MAX_PEER_ADDRESSES = 32
/** A mailbox that is being made on a relay, so that whatever interrupts it, it is made once. */
export interface NewMailbox {
  readonly mailbox: MailboxId
  /** 32 bytes: of the key that signs its member lists. */
  readonly adminSeed: Uint8Array
}

export async function loadNewMailbox(records: RecordStore, relay: DeviceId): Promise<NewMailbox | undefined> {
  const stored = await records.get(NEW_MAILBOX_PREFIX + relay)
  const decoded = stored === undefined ? undefined : decodeCbor(NEW_MAILBOX, stored, 256)
  return decoded?.ok === true ? { ...decoded.value, mailbox: hexId<MailboxId>(decoded.value.mailbox) } : undefined
}

/** `undefined`: it is in the group's log now. */
export async function saveNewMailbox(records: RecordStore, relay: DeviceId, made: NewMailbox | undefined): Promise<void> {
  const value = made === undefined ? undefined : encodeCbor({ v: 1, ...made, mailbox: idBytes(made.mailbox) })
  await records.write(new Map([[NEW_MAILBOX_PREFIX + relay, value]]))
}

/** Whether a list of this mailbox ever named this device, as far as it saw. */
export async function loadWasListed(records: RecordStore, mailbox: MailboxId): Promise<boolean> {
  return (await records.get(LISTED_PREFIX + mailbox)) !== undefined
}

export async function saveWasListed(records: RecordStore, mailbox: MailboxId): Promise<void> {
  await records.write(new Map([[LISTED_PREFIX + mailbox, new Uint8Array([1])]]))
}

const MAX_PEER_RECORD_BYTES = 32 * 1024
const MAX_GROUP_RECORD_BYTES = 64 * 1024 * 1024
const GROUP = v.object({
  v: v.literal(1),
  id: bytesOf(32),
  secret: bytesOf(32),
  entries: v.array(bytesUpTo(MAX_ENTRY_BYTES)),
  dropChunks: v.boolean(),
})
const NEW_MAILBOX = v.object({ v: v.literal(1), mailbox: bytesOf(RANDOM_ID_BYTES), adminSeed: bytesOf(32) })
const ERASED = v.object({ v: v.literal(1), time: wholeNumber })
const PEER = v.object({ v: v.literal(1), addresses: v.array(v.string()), seenAt: wholeNumber })
