/** Writes a backup as a stream: never more in memory than one chunk and one block. format.ts has the layout. */
import { BLOCK_BYTES, sealBlock } from '../crypto/stream.ts'
import { hkdf, sha256, wrapFor } from '../crypto/index.ts'
import { concatBytes } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import { RANDOM_ID_BYTES, idBytes, publicKeyOf, type DeviceId, type GroupId } from '../lib/ids.ts'
import type { Random } from '../ports/random.ts'
import { BACKUP_MAGIC, BACKUP_VERSION, FILE_KEY_BYTES, RECORD_HEAD_BYTES, RECORD_KINDS, type RecordKind } from './format.ts'

export interface BackupContent {
  readonly group: GroupId
  /** 32 bytes. */
  readonly secret: Uint8Array
  /** Signed, causes before effects. */
  readonly entries: readonly Uint8Array[]
  /** Sealed, each once, in the order in which they came to the device, the log's among them. */
  readonly chunks: AsyncIterable<Uint8Array>
  /** Milliseconds since 1970; information only, as is `device`. */
  readonly time: number
  /** The name of the device that makes it. */
  readonly device: string
}

/** The public halves of the phrase that will open it. */
export interface BackupPhrase {
  readonly id: DeviceId
  readonly sealingKey: Uint8Array
}

export async function* writeBackup(content: BackupContent, phrase: BackupPhrase, random: Random): AsyncGenerator<Uint8Array, void> {
  const fileKey = random.bytes(FILE_KEY_BYTES)
  const header = encodeCbor({
    id: random.bytes(RANDOM_ID_BYTES),
    phrase: publicKeyOf(phrase.id),
    box: wrapFor(phrase.sealingKey, fileKey, random),
  })
  const start = concatBytes(BACKUP_MAGIC, new Uint8Array([BACKUP_VERSION, header.length >> 8, header.length & 0xff]), header)
  yield start
  const key = blocksKey(fileKey, start)
  const waiting = new Uint8Array(BLOCK_BYTES)
  let filled = 0
  let number = 0
  for await (const bytes of recordsOf(content)) {
    for (let from = 0; from < bytes.length;) {
      // A full block waits until more comes: only the last one is sealed as the last.
      if (filled === BLOCK_BYTES) {
        yield sealBlock(key, { number: number++, isLast: false }, waiting)
        filled = 0
      }
      const piece = bytes.subarray(from, from + BLOCK_BYTES - filled)
      waiting.set(piece, filled)
      filled += piece.length
      from += piece.length
    }
  }
  yield sealBlock(key, { number, isLast: true }, waiting.subarray(0, filled))
}

/** Bound to everything before the blocks. */
export function blocksKey(fileKey: Uint8Array, start: Uint8Array): Uint8Array {
  return hkdf(fileKey, sha256(start), 'backup-blocks', 32)
}

async function* recordsOf({ group, secret, entries, chunks, time, device }: BackupContent): AsyncGenerator<Uint8Array, void> {
  const about = encodeCbor({ v: 1, group: idBytes(group), secret, time: Math.max(0, Math.trunc(time)), device })
  yield headOf('about', about)
  yield about
  for (const entry of entries) {
    yield headOf('entry', entry)
    yield entry
  }
  let count = 0
  for await (const chunk of chunks) {
    count++
    yield headOf('chunk', chunk)
    yield chunk
  }
  const end = encodeCbor({ entries: entries.length, chunks: count })
  yield headOf('end', end)
  yield end
}

function headOf(kind: RecordKind, body: Uint8Array): Uint8Array {
  const head = new Uint8Array(RECORD_HEAD_BYTES)
  head[0] = RECORD_KINDS[kind]
  new DataView(head.buffer).setUint32(1, body.length)
  return head
}
