/**
 * Reads a backup as a stream. What it gives out was authenticated, block by block; that the file is whole is known only when it ends
 * without an error, so whoever writes something down takes it back when it does not.
 */
import { SEALED_BLOCK_BYTES, openBlock } from '../crypto/stream.ts'
import { unwrap, type RecoveryKeys } from '../crypto/index.ts'
import { equalBytes } from '../lib/bytes.ts'
import { decodeCbor } from '../lib/codec.ts'
import { SegueError } from '../lib/errors.ts'
import { BACKUP_MAGIC, BACKUP_VERSION, FILE_KEY_BYTES, HEADER, MAX_HEADER_BYTES, PREFIX_BYTES } from './format.ts'
import { createRecords, damaged, type BackupItem } from './records.ts'
import { blocksKey } from './write-backup.ts'

/**
 * `source` in pieces of any size. Throws SegueError: BACKUP_INVALID (no backup), BACKUP_NEWER, BACKUP_OTHER_PHRASE (these are not the
 * keys it was made for), BACKUP_DAMAGED (a bit of it is changed, missing, moved or added).
 */
export async function* readBackup(
  source: AsyncIterable<Uint8Array>,
  keys: Pick<RecoveryKeys, 'signing' | 'sealing'>,
): AsyncGenerator<BackupItem, void> {
  const input = createInput(source)
  const key = await readStart(input, keys)
  const records = createRecords()
  for (let number = 0, isLast = false; !isLast; number++) {
    const sealed = await input.take(SEALED_BLOCK_BYTES)
    isLast = await input.isAtEnd()
    const block = openBlock(key, { number, isLast }, sealed)
    if (block === undefined) throw damaged(`block ${number}`)
    yield* records.add(block)
  }
  records.assertWhole()
}

interface Input {
  /** The next `length` bytes, or what there is. */
  take(length: number): Promise<Uint8Array>
  isAtEnd(): Promise<boolean>
}

function createInput(source: AsyncIterable<Uint8Array>): Input {
  const pieces = source[Symbol.asyncIterator]()
  let present: Uint8Array = new Uint8Array()
  /** Whether there is anything. */
  const fill = async (): Promise<boolean> => {
    while (present.length === 0) {
      const next = await pieces.next()
      if (next.done === true) return false
      present = next.value
    }
    return true
  }
  return {
    async take(length) {
      const taken = new Uint8Array(length)
      let filled = 0
      while (filled < length && (await fill())) {
        const piece = present.subarray(0, length - filled)
        taken.set(piece, filled)
        filled += piece.length
        present = present.subarray(piece.length)
      }
      return taken.subarray(0, filled)
    },
    isAtEnd: async () => !(await fill()),
  }
}

/** The key of the blocks. */
async function readStart(input: Input, { signing, sealing }: Pick<RecoveryKeys, 'signing' | 'sealing'>): Promise<Uint8Array> {
  const prefix = await input.take(PREFIX_BYTES)
  if (prefix.length < PREFIX_BYTES || !equalBytes(prefix.subarray(0, BACKUP_MAGIC.length), BACKUP_MAGIC))
    throw new SegueError('BACKUP_INVALID')
  const [version, high, low] = prefix.subarray(BACKUP_MAGIC.length) as unknown as readonly [number, number, number]
  if (version !== BACKUP_VERSION) throw new SegueError('BACKUP_NEWER', { version })
  const length = high * 256 + low
  if (length > MAX_HEADER_BYTES) throw damaged('header')
  const bytes = await input.take(length)
  const header = decodeCbor(HEADER, bytes, MAX_HEADER_BYTES)
  if (bytes.length < length || !header.ok) throw damaged('header')
  if (!equalBytes(header.value.phrase, signing.publicKey)) throw new SegueError('BACKUP_OTHER_PHRASE')
  const fileKey = unwrap(header.value.box, sealing)
  if (fileKey?.length !== FILE_KEY_BYTES) throw damaged('header')
  const start = new Uint8Array(PREFIX_BYTES + length)
  start.set(prefix)
  start.set(bytes, PREFIX_BYTES)
  return blocksKey(fileKey, start)
}
