/**
 * The sealed chunk, version 1. All numbers big-endian.
 *
 *     header: version u8 = 1 | class u8 | epoch 16 | docTag 16 | chunkId 32 | sequence u64     74 bytes, in the clear
 *     nonce:  24 random bytes
 *     box:    secretbox(pad(header || documentId 16 || content), nonce, key of the epoch)
 *
 * secretbox has no associated data, so the header stands inside the seal as well and is compared on opening. A header whose
 * version is not 1 is refused: a new version is a new format, announced in the hello before any such chunk is sent.
 */
import nacl from 'tweetnacl'
import { equalBytes } from '../lib/bytes.ts'
import { CHUNK_ID_BYTES, DOC_TAG_BYTES, GROUP_DOC_TAG, LOG_EPOCH, hexId, idBytes } from '../lib/ids.ts'
import type { ChunkId, DocTag, EpochId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Random } from '../ports/random.ts'
import type { ChunkClass, ChunkHeader, SealedChunk } from '../ports/sealed-chunk.ts'
import { MAX_CHUNK_BYTES } from '../wire/limits.ts'
import { labelledHmac } from './hash.ts'
import type { ChunkKeys } from './keyring.ts'
import { pad, unpad } from './padding.ts'

export const CHUNK_VERSION = 1
export const CHUNK_HEADER_BYTES = 74
export const DOCUMENT_ID_BYTES = 16
/** The documentId of group-wide things: the log, heartbeats. Its docTag is GROUP_DOC_TAG. */
export const GROUP_DOCUMENT_ID: Uint8Array = new Uint8Array(DOCUMENT_ID_BYTES)

export interface ChunkToSeal {
  readonly keys: ChunkKeys
  readonly epoch: EpochId
  /** The key of that epoch, from `Keyring.secretOf` or `current`. */
  readonly epochSecret: Uint8Array
  readonly class: ChunkClass
  /** 16 raw bytes. */
  readonly documentId: Uint8Array
  /** What the content is called within its document and class; see the table in protocols.md section 3. */
  readonly contentKey: Uint8Array
  /** Registers only, else 0. */
  readonly sequence: number
  readonly content: Uint8Array
  readonly random: Random
  readonly hasher?: Hasher
}

export interface OpenedChunk {
  readonly documentId: Uint8Array
  readonly content: Uint8Array
}

/** Throws RangeError when the sealed form would exceed MAX_CHUNK_BYTES. */
export function sealChunk(chunk: ChunkToSeal): SealedChunk {
  const header: ChunkHeader = {
    class: chunk.class,
    epoch: chunk.epoch,
    docTag: docTagOf(chunk.keys.tagKey, chunk.documentId, chunk.hasher),
    id: chunkIdOf(chunk.keys.idKey, chunk.class, chunk.documentId, chunk.contentKey, chunk.hasher),
    sequence: chunk.sequence,
  }
  const headerBytes = encodeHeader(header)
  const nonce = chunk.random.bytes(NONCE_BYTES)
  const box = nacl.secretbox(pad(headerBytes, chunk.documentId, chunk.content), nonce, chunk.epochSecret)
  const bytes = new Uint8Array(CHUNK_HEADER_BYTES + NONCE_BYTES + box.length)
  if (bytes.length > MAX_CHUNK_BYTES) throw new RangeError(`a sealed chunk has at most ${MAX_CHUNK_BYTES} bytes`)
  bytes.set(headerBytes)
  bytes.set(nonce, CHUNK_HEADER_BYTES)
  bytes.set(box, CHUNK_HEADER_BYTES + NONCE_BYTES)
  return { ...header, bytes }
}

/** What anybody can check without keys: sizes, version, class, and that the fields fit the class. */
export function parseHeader(bytes: Uint8Array): Result<ChunkHeader, string> {
  if (bytes.length < MIN_CHUNK_BYTES) return failed('too short for a sealed chunk')
  if (bytes.length > MAX_CHUNK_BYTES) return failed('too large for a sealed chunk')
  if (bytes[0] !== CHUNK_VERSION) return failed(`chunk version ${bytes[0]} is unknown`)
  const chunkClass = CLASSES[bytes[1] as number]
  if (chunkClass === undefined) return failed(`chunk class ${bytes[1]} is unknown`)
  const sequence = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(SEQUENCE_AT)
  if (sequence > BigInt(Number.MAX_SAFE_INTEGER)) return failed('sequence out of range')
  const header: ChunkHeader = {
    class: chunkClass,
    epoch: hexId<EpochId>(bytes.subarray(EPOCH_AT, DOC_TAG_AT)),
    docTag: hexId<DocTag>(bytes.subarray(DOC_TAG_AT, ID_AT)),
    id: hexId<ChunkId>(bytes.subarray(ID_AT, SEQUENCE_AT)),
    sequence: Number(sequence),
  }
  if (chunkClass !== 'register' && header.sequence !== 0) return failed('only registers have a sequence')
  if ((chunkClass === 'log') !== (header.epoch === LOG_EPOCH)) return failed('log chunks, and only they, have epoch zero')
  if (chunkClass === 'log' && header.docTag !== GROUP_DOC_TAG) return failed('log chunks belong to no document')
  return ok(header)
}

/** A chunk as it arrived, its header parsed from the bytes. `bytes` is kept, not copied. */
export function parseChunk(bytes: Uint8Array): Result<SealedChunk, string> {
  const header = parseHeader(bytes)
  return header.ok ? ok({ ...header.value, bytes }) : header
}

/**
 * Opens the seal and compares both headers. Whether the *content* is what the id names, the caller checks with
 * `isNamedRight`, once it has worked out the content key.
 */
export function openChunk(chunk: SealedChunk, epochSecret: Uint8Array): Result<OpenedChunk, string> {
  const header = parseHeader(chunk.bytes)
  if (!header.ok) return header
  if (!isSameHeader(header.value, chunk)) return failed('not the header of these bytes')
  const nonce = chunk.bytes.subarray(CHUNK_HEADER_BYTES, CHUNK_HEADER_BYTES + NONCE_BYTES)
  const padded = nacl.secretbox.open(chunk.bytes.subarray(CHUNK_HEADER_BYTES + NONCE_BYTES), nonce, epochSecret)
  if (padded === null) return failed('does not open')
  const plain = unpad(padded)
  if (plain === undefined) return failed('padding is not canonical')
  if (plain.length < CHUNK_HEADER_BYTES + DOCUMENT_ID_BYTES) return failed('too short inside')
  if (!equalBytes(plain.subarray(0, CHUNK_HEADER_BYTES), chunk.bytes.subarray(0, CHUNK_HEADER_BYTES))) {
    return failed('the header inside the seal is another')
  }
  return ok({
    documentId: plain.slice(CHUNK_HEADER_BYTES, CHUNK_HEADER_BYTES + DOCUMENT_ID_BYTES),
    content: plain.slice(CHUNK_HEADER_BYTES + DOCUMENT_ID_BYTES),
  })
}

/** Whether an opened chunk's docTag and id are those of this document and content key. */
export function isNamedRight(
  chunk: ChunkHeader,
  keys: ChunkKeys,
  documentId: Uint8Array,
  contentKey: Uint8Array,
  hasher?: Hasher,
): boolean {
  return (
    chunk.docTag === docTagOf(keys.tagKey, documentId, hasher) &&
    chunk.id === chunkIdOf(keys.idKey, chunk.class, documentId, contentKey, hasher)
  )
}

/** Names what a chunk contains, not its bytes: two devices that seal the same content get the same id. */
export function chunkIdOf(
  idKey: Uint8Array,
  chunkClass: ChunkClass,
  documentId: Uint8Array,
  contentKey: Uint8Array,
  hasher?: Hasher,
): ChunkId {
  return hexId<ChunkId>(labelledHmac(idKey, 'chunk-id', [chunkClass, documentId, contentKey], hasher).subarray(0, CHUNK_ID_BYTES))
}

/** GROUP_DOC_TAG for the group-wide document id. */
export function docTagOf(tagKey: Uint8Array, documentId: Uint8Array, hasher?: Hasher): DocTag {
  if (documentId.length !== DOCUMENT_ID_BYTES) throw new RangeError(`a document id has ${DOCUMENT_ID_BYTES} bytes`)
  if (documentId.every(byte => byte === 0)) return GROUP_DOC_TAG
  return hexId<DocTag>(labelledHmac(tagKey, 'doc-tag', [documentId], hasher).subarray(0, DOC_TAG_BYTES))
}

const EPOCH_AT = 2
const DOC_TAG_AT = 18
const ID_AT = 34
const SEQUENCE_AT = 66
const NONCE_BYTES: number = nacl.secretbox.nonceLength
const MIN_CHUNK_BYTES: number = CHUNK_HEADER_BYTES + NONCE_BYTES + nacl.secretbox.overheadLength

const CODE_OF: Readonly<Record<ChunkClass, number>> = { commit: 1, fragment: 2, register: 3, log: 4 }
const CLASSES: readonly (ChunkClass | undefined)[] = [undefined, 'commit', 'fragment', 'register', 'log']

function encodeHeader(header: ChunkHeader): Uint8Array {
  const bytes = new Uint8Array(CHUNK_HEADER_BYTES)
  bytes[0] = CHUNK_VERSION
  bytes[1] = CODE_OF[header.class]
  bytes.set(idBytes(header.epoch), EPOCH_AT)
  bytes.set(idBytes(header.docTag), DOC_TAG_AT)
  bytes.set(idBytes(header.id), ID_AT)
  new DataView(bytes.buffer).setBigUint64(SEQUENCE_AT, BigInt(header.sequence))
  return bytes
}

function isSameHeader(a: ChunkHeader, b: ChunkHeader): boolean {
  return a.id === b.id && a.docTag === b.docTag && a.epoch === b.epoch && a.class === b.class && a.sequence === b.sequence
}
