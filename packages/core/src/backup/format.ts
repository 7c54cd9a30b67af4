/**
 * A backup: everything a group holds, in one file that the words of its recovery phrase open, and nothing else does.
 *
 *     file    = "segue-backup" | version u8 = 1 | length of the header u16 BE | header | blocks
 *     header  = CBOR {id: 16 random, phrase: 32, box}        phrase: its signing key; box: the file's key, wrapped for its sealing key
 *     blocks  = crypto/stream.ts, under HKDF(file's key, salt = SHA-256 of all before the blocks)
 *     opened  = record...                                     record = kind u8 | length u32 BE | body
 *
 *     1 about  CBOR, first: {v, group: 32, secret: 32, time, device}     the group secret; when and on which device it was made
 *     2 entry  a signed entry of the group's log, causes before effects
 *     3 chunk  a sealed chunk, as it is stored and sent; in the order in which they came, the log's among them
 *     4 end    CBOR, last: {entries, chunks}                 how many there were; nothing follows it
 *
 * The version is of the whole: a file of another one is refused before anything in it is read. History: 1, first.
 */
import * as v from 'valibot'
import { PUBLIC_KEY_BYTES, RANDOM_ID_BYTES } from '../lib/ids.ts'
import { bytesOf, bytesUpTo, wholeNumber } from '../lib/codec.ts'
import { KIB } from '../lib/units.ts'
import { utf8 } from '../lib/bytes.ts'
import { MAX_CHUNK_BYTES, MAX_ENTRY_BYTES } from '../wire/limits.ts'

export const BACKUP_VERSION = 1
export const BACKUP_MAGIC: Uint8Array = utf8('segue-backup')
/** Magic, version, length of the header. */
export const PREFIX_BYTES: number = BACKUP_MAGIC.length + 3
export const MAX_HEADER_BYTES: number = KIB
export const FILE_KEY_BYTES = 32
export const RECORD_HEAD_BYTES = 5

export const RECORD_KINDS = { about: 1, entry: 2, chunk: 3, end: 4 } as const
export type RecordKind = keyof typeof RECORD_KINDS

/** The largest body of each kind. */
export const MAX_RECORD_BYTES: Readonly<Record<RecordKind, number>> = {
  about: KIB,
  entry: MAX_ENTRY_BYTES,
  chunk: MAX_CHUNK_BYTES,
  end: 64,
}

export const HEADER: v.GenericSchema<unknown, { readonly id: Uint8Array; readonly phrase: Uint8Array; readonly box: Uint8Array }> =
  v.strictObject({ id: bytesOf(RANDOM_ID_BYTES), phrase: bytesOf(PUBLIC_KEY_BYTES), box: bytesUpTo(512) })

export const ABOUT: v.GenericSchema<
  unknown,
  { readonly v: 1; readonly group: Uint8Array; readonly secret: Uint8Array; readonly time: number; readonly device: string }
> = v.strictObject({
  v: v.literal(1),
  group: bytesOf(32),
  secret: bytesOf(32),
  time: wholeNumber,
  device: v.pipe(v.string(), v.maxLength(64)),
})

export const END: v.GenericSchema<unknown, { readonly entries: number; readonly chunks: number }> = v.strictObject({
  entries: wholeNumber,
  chunks: wholeNumber,
})
