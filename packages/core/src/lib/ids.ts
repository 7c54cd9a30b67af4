/**
 * Names of things, as branded strings: cheap map keys, readable in logs, never mixed up by accident.
 * On the wire and in hashes they are the raw bytes given with each type.
 */
import { base58 } from '@scure/base'
import { concatBytes, fromHex, toHex } from './bytes.ts'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** A device: the libp2p peer id ("12D3Koo...") of its Ed25519 signing key. On the wire: the 32-byte key. */
export type DeviceId = Branded<'DeviceId'>
/** 32 bytes, hex: the id of the genesis entry. */
export type GroupId = Branded<'GroupId'>
/** 32 bytes, hex: SHA-256 of a group entry's unsigned bytes. */
export type EntryId = Branded<'EntryId'>
/** 16 bytes, hex: the first half of the id of the entry that made the epoch; 16 zero bytes for `k_log`. */
export type EpochId = Branded<'EpochId'>
/** 32 bytes, hex: HMAC(k_id, [class, documentId, contentKey]); names what a chunk contains. */
export type ChunkId = Branded<'ChunkId'>
/** 16 bytes, hex: HMAC(k_tag, documentId); groups a document's chunks without naming it. */
export type DocTag = Branded<'DocTag'>
/** 16 random bytes, hex: one per process start. */
export type Incarnation = Branded<'Incarnation'>
/** 16 random bytes, hex. */
export type SessionId = Branded<'SessionId'>
/** 16 random bytes, hex: one group's chunks on one relay. */
export type MailboxId = Branded<'MailboxId'>
/** 16 random bytes, hex. Makes every repeat of a handoff message harmless. */
export type HandoffId = Branded<'HandoffId'>
/** 16 random bytes, hex; travels through a whole handoff on both devices. */
export type TraceId = Branded<'TraceId'>

export const CHUNK_ID_BYTES = 32
export const DOC_TAG_BYTES = 16
export const EPOCH_ID_BYTES = 16
export const ENTRY_ID_BYTES = 32
export const RANDOM_ID_BYTES = 16
export const PUBLIC_KEY_BYTES = 32

type HexId = GroupId | EntryId | EpochId | ChunkId | DocTag | Incarnation | SessionId | HandoffId | TraceId | MailboxId

/** The hex id of `bytes`; the caller names the kind: `hexId<ChunkId>(bytes)`. Lengths are checked by the schemas. */
export function hexId<Id extends HexId>(bytes: Uint8Array): Id {
  return toHex(bytes) as Id
}

export function idBytes(id: HexId): Uint8Array {
  return fromHex(id)
}

export function isHexId(text: string, byteLength: number): boolean {
  return text.length === 2 * byteLength && /^[0-9a-f]+$/.test(text)
}

/** The epoch that a group entry makes. */
export function epochOf(entry: EntryId | GroupId): EpochId {
  return entry.slice(0, 2 * EPOCH_ID_BYTES) as EpochId
}

export const LOG_EPOCH: EpochId = '00'.repeat(EPOCH_ID_BYTES) as EpochId
/** The docTag of group-wide things (the log, heartbeats). */
export const GROUP_DOC_TAG: DocTag = '00'.repeat(DOC_TAG_BYTES) as DocTag

// An Ed25519 peer id is the identity multihash (00, length 24) of the protobuf key {type: 1, data}.
// Source: libp2p specs, peer-ids.
const PEER_ID_PREFIX = new Uint8Array([0x00, 0x24, 0x08, 0x01, 0x12, 0x20])

export function deviceIdOf(publicKey: Uint8Array): DeviceId {
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw new RangeError('an Ed25519 public key has 32 bytes')
  return base58.encode(concatBytes(PEER_ID_PREFIX, publicKey)) as DeviceId
}

/** The 32-byte key in a device id. Throws RangeError when `id` is not an Ed25519 peer id. */
export function publicKeyOf(id: DeviceId): Uint8Array {
  const bytes = base58.decode(id)
  if (bytes.length !== 38 || PEER_ID_PREFIX.some((byte, i) => bytes[i] !== byte)) {
    throw new RangeError('not an Ed25519 peer id')
  }
  return bytes.slice(PEER_ID_PREFIX.length)
}

export function isDeviceId(text: string): text is DeviceId {
  try {
    publicKeyOf(text as DeviceId)
    return true
  } catch {
    return false
  }
}
