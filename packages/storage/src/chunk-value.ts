/**
 * A chunk's head as stored: fixed binary, because it is written for every chunk and read for every listing.
 *
 *     flags u8 (class in the low 2 bits, live 4, bytes follow 8, emptied 16) || epoch 16 || docTag 16 || sequence u64 || arrival u64 ||
 *     place in its document's group of pointers u16 || place in its group of arrivals u16 || byteLength u32 || sealed bytes when flagged ||
 *     checksum
 *
 * In formats 1 and 2 both groups were the same, and the first place is 0.
 */
import { equalBytes, failed, hexId, ok, type ChunkId, type DocTag, type EpochId, type Result } from '@segue/core/sealed'
import type { ChunkClass, ChunkRecord, NewChunk } from '@segue/core/ports'
import { CHECKSUM_BYTES, checked, writeChecksum } from './checksum.ts'

/** Up to this the sealed bytes lie with the head: one key fewer for nearly every edit, listings still cheap. */
export const INLINE_BYTES = 2_048

export interface StoredHead extends ChunkRecord {
  /** `arrival` less this is the first arrival of its group, which names its entry among the arrivals. */
  readonly offset: number
  /** The same for its document's entry. Never less. */
  readonly documentOffset: number
  /** A view of the sealed bytes when they lie with the head. */
  readonly inline: Uint8Array | undefined
}

/** Copies the chunk; what is not known yet (arrival, checksum) is filled in by `finishHead`. */
export function prepareHead(chunk: NewChunk): Buffer {
  const isInline = chunk.bytes.length <= INLINE_BYTES
  const value = Buffer.allocUnsafe(HEAD_BYTES + (isInline ? chunk.bytes.length : 0) + CHECKSUM_BYTES)
  value[0] = CLASSES.indexOf(chunk.class) | (chunk.live ? LIVE : 0) | (isInline ? INLINE : 0)
  value.write(chunk.epoch, 1, 'hex')
  value.write(chunk.docTag, 17, 'hex')
  writeUint64(value, 33, chunk.sequence)
  writeUint64(value, ARRIVAL_AT, 0)
  value.writeUInt32BE(0, OFFSET_AT)
  value.writeUInt32BE(chunk.bytes.length, LENGTH_AT)
  if (isInline) value.set(chunk.bytes, HEAD_BYTES)
  return value
}

export function finishHead(prepared: Buffer, arrival: number, offset: number, documentOffset: number): Uint8Array {
  writeUint64(prepared, ARRIVAL_AT, arrival)
  prepared.writeUInt16BE(documentOffset, OFFSET_AT)
  prepared.writeUInt16BE(offset, OFFSET_AT + 2)
  return writeChecksum(prepared)
}

/** Whether `stored` is whole and what `prepared` would become, but for its place. */
export function isSameHead(stored: Uint8Array, prepared: Buffer): boolean {
  if (stored.length !== prepared.length || checked(stored) === undefined) return false
  const [before, after] = [stored.subarray(0, ARRIVAL_AT), stored.subarray(LENGTH_AT, -CHECKSUM_BYTES)]
  return equalBytes(before, prepared.subarray(0, ARRIVAL_AT)) && equalBytes(after, prepared.subarray(LENGTH_AT, -CHECKSUM_BYTES))
}

/** The same stored head with another `live`. */
export function withLive(stored: Uint8Array, live: boolean): Uint8Array {
  const changed = Uint8Array.from(stored)
  changed[0] = ((changed[0] as number) & ~LIVE) | (live ? LIVE : 0)
  return writeChecksum(changed)
}

/** The same stored head without bytes. */
export function emptied(stored: Uint8Array): Uint8Array {
  const changed = new Uint8Array(HEAD_BYTES + CHECKSUM_BYTES)
  changed.set(stored.subarray(0, LENGTH_AT))
  changed[0] = ((changed[0] as number) & ~INLINE) | EMPTIED
  return writeChecksum(changed)
}

export function decodeHead(id: ChunkId, stored: Uint8Array): Result<StoredHead, 'damaged'> {
  const value = checked(stored)
  if (value === undefined || value.length < HEAD_BYTES) return failed('damaged')
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  const flags = value[0] as number
  const kind = CLASSES[flags & CLASS_MASK] as ChunkClass
  const byteLength = view.getUint32(LENGTH_AT)
  const isInline = (flags & INLINE) !== 0
  if (flags > (CLASS_MASK | LIVE | INLINE | EMPTIED) || value.length !== HEAD_BYTES + (isInline ? byteLength : 0)) return failed('damaged')
  return ok({
    id,
    class: kind,
    live: (flags & LIVE) !== 0,
    epoch: hexId<EpochId>(value.subarray(1, 17)),
    docTag: hexId<DocTag>(value.subarray(17, 33)),
    sequence: readUint64(view, 33),
    arrival: readUint64(view, ARRIVAL_AT),
    offset: view.getUint16(OFFSET_AT + 2),
    documentOffset: view.getUint16(OFFSET_AT) || view.getUint16(OFFSET_AT + 2),
    byteLength,
    inline: isInline ? value.subarray(HEAD_BYTES) : undefined,
    ...((flags & EMPTIED) === 0 ? {} : { isEmptied: true }),
  })
}

export interface Counters {
  readonly lastArrival: number
  readonly chunks: number
  readonly bytes: number
  /** What arrived up to here has its entry in its document's index; what came since is found among the arrivals only. */
  readonly indexed: number
}

export const NO_CHUNKS: Counters = { lastArrival: 0, chunks: 0, bytes: 0, indexed: 0 }

export function encodeCounters({ lastArrival, chunks, bytes, indexed }: Counters): Uint8Array {
  const value = Buffer.allocUnsafe(COUNTERS_BYTES + CHECKSUM_BYTES)
  for (const [i, number] of [lastArrival, chunks, bytes, indexed].entries()) writeUint64(value, 8 * i, number)
  return writeChecksum(value)
}

export function decodeCounters(stored: Uint8Array): Result<Counters, 'damaged'> {
  const value = checked(stored)
  if (value?.length !== COUNTERS_BYTES && value?.length !== FORMER_COUNTERS_BYTES) return failed('damaged')
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  const lastArrival = readUint64(view, 0)
  const indexed = value.length === COUNTERS_BYTES ? readUint64(view, 24) : lastArrival
  return ok({ lastArrival, chunks: readUint64(view, 8), bytes: readUint64(view, 16), indexed })
}

const COUNTERS_BYTES = 32
/** Of formats 1 and 2, in which every batch wrote its documents' entries. */
const FORMER_COUNTERS_BYTES = 24
const CLASSES: readonly ChunkClass[] = ['commit', 'fragment', 'register', 'log']
const CLASS_MASK = 3
const LIVE = 4
const INLINE = 8
const EMPTIED = 16
const ARRIVAL_AT = 41
const OFFSET_AT = 49
const LENGTH_AT = 53
const HEAD_BYTES = 57

function writeUint64(value: Buffer, offset: number, number: number): void {
  value.writeUInt32BE(Math.floor(number / 2 ** 32), offset)
  value.writeUInt32BE(number >>> 0, offset + 4)
}

function readUint64(view: DataView, offset: number): number {
  return view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4)
}
