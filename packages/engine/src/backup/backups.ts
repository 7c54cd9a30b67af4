/** Writes backups of this device's group: core's `backup/` says what is in one. */
import { open } from 'node:fs/promises'
import {
  BACKUP_MAGIC,
  MIB,
  SegueError,
  createSubject,
  decodeCbor,
  encodeCbor,
  equalBytes,
  isSegueError,
  wholeNumber,
  writeBackup,
} from '@segue/core'
import type { ChunkId, Observable } from '@segue/core'
import type { ChunkStore, Clock, Random, RecordStore } from '@segue/core/ports'
import { writeWhole } from '@segue/storage'
import * as v from 'valibot'
import type { Runtime } from '../runtime.ts'

export interface Backups {
  /**
   * Writes everything the group holds here into one file that the words of the recovery phrase open, with nothing else of this device;
   * or into a stream, which it closes at the end and aborts when it fails. A file appears whole or not at all. Rejects with SegueError
   * RECOVERY_NO_PHRASE, BACKUP_IN_THE_WAY (a file that is no backup), BACKUP_FAILED, CLOSED; with the signal's reason; with what the
   * stream says.
   */
  write(target: string | WritableStream<Uint8Array>, options?: BackupOptions): Promise<BackupWritten>
}

export interface BackupOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined
}

export interface BackupProgress {
  readonly chunks: number
  /** How many there were when it began; what is written meanwhile is taken along. */
  readonly of: number
}

export interface BackupWritten {
  readonly chunks: number
  readonly bytes: number
  /** Damaged here, and so not in it. */
  readonly leftOut: number
  /** Documents not kept on this device (`Segue.deletions.notHere`), and so not in it. */
  readonly notHere: number
  /** Milliseconds since 1970 on this device. */
  readonly at: number
}

export interface BackupKeeper extends Backups {
  /** When the last one was written, by this device. Milliseconds since 1970. */
  readonly lastAt: Observable<number | undefined>
}

interface Parts {
  readonly chunks: ChunkStore
  readonly records: RecordStore
  readonly clock: Clock
  readonly random: Random
  readonly runtime: () => Runtime
  readonly deviceName: () => string
}

export async function createBackups(parts: Parts): Promise<BackupKeeper> {
  const { records, clock } = parts
  const stored = await records.get(LAST_KEY)
  const last = stored === undefined ? undefined : decodeCbor(LAST, stored, 64)
  const lastAt = createSubject<number | undefined>(last?.ok === true ? last.value.at : undefined)
  let turn: Promise<unknown> = Promise.resolve()

  const writeNow = async (target: string | WritableStream<Uint8Array>, options: BackupOptions): Promise<BackupWritten> => {
    const count = { chunks: 0, bytes: 0, leftOut: 0 }
    const notHere = parts.runtime().replica.leftOut.size
    const pieces = await piecesOf(parts, count, options)
    if (typeof target === 'string') {
      await assertNotInTheWay(target)
      try {
        await writeWhole(target, counted(pieces, count))
      } catch (error) {
        if (isSegueError(error) || options.signal?.aborted === true) throw error
        throw new SegueError('BACKUP_FAILED', {}, { cause: error })
      }
    } else await writeStream(target, counted(pieces, count))
    const at = clock.now()
    await records.write(new Map([[LAST_KEY, encodeCbor({ v: 1, at: Math.max(0, Math.trunc(at)) })]]))
    lastAt.set(at)
    return { ...count, notHere, at }
  }
  return {
    lastAt,
    async write(target, options = {}) {
      const mine = turn.then(() => writeNow(target, options)) // two at once to one place would tear it
      turn = mine.catch(() => undefined) // told to its caller
      return mine
    },
  }
}

interface Count {
  chunks: number
  bytes: number
  leftOut: number
}

async function piecesOf(parts: Parts, count: Count, { signal, onProgress }: BackupOptions): Promise<AsyncIterable<Uint8Array>> {
  signal?.throwIfAborted()
  const { chunks, clock, random, runtime, deviceName } = parts
  const { group, keeper, documents, replica } = runtime()
  // With a disk that takes nothing this would wait for long; what is on it is better than no backup.
  if (replica.durability.peek().state === 'good') {
    await documents.flush()
    // Whoever restores it takes of what a removed device could have written only what is signed for.
    await documents.late?.settled({ signal })
  }
  const recovery = group.state.peek().recovery
  if (recovery === undefined) throw new SegueError('RECOVERY_NO_PHRASE')
  // The phrase must open all that is in it, also what is sealed under an epoch whose maker had not heard of the phrase.
  const lacks = group.duties().some(duty => duty.kind === 'wrap' && duty.device === recovery.id)
  if (lacks) await Promise.all(group.fulfil({ time: clock.now() }, { all: true }).map(entry => keeper.keep(entry)))
  const of = chunks.size().chunks
  const sealed = (async function* (): AsyncGenerator<Uint8Array, void> {
    for await (const page of pagesOf(chunks)) {
      signal?.throwIfAborted()
      const found = await chunks.getMany(page)
      count.leftOut += page.length - found.length
      for (const { bytes } of found) {
        count.chunks++
        yield bytes
      }
      onProgress?.({ chunks: count.chunks, of: Math.max(of, count.chunks) })
    }
  })()
  const content = {
    group: group.id,
    secret: group.secret,
    entries: group.entries().map(entry => entry.bytes),
    chunks: sealed,
    time: clock.now(),
    device: deviceName(),
  }
  return writeBackup(content, recovery, random)
}

/**
 * Everything in order of arrival, the log among it: what came before a removal was learned of is told by that from what came later. What
 * compaction replaces while this runs comes later, as what replaced it.
 */
async function* pagesOf(chunks: ChunkStore): AsyncGenerator<readonly ChunkId[], void> {
  let page: ChunkId[] = []
  let bytes = 0
  for await (const record of chunks.since(0)) {
    if (bytes > 0 && bytes + record.byteLength > PAGE_BYTES) {
      yield page
      page = []
      bytes = 0
    }
    page.push(record.id)
    bytes += record.byteLength
  }
  if (page.length > 0) yield page
}

async function* counted(pieces: AsyncIterable<Uint8Array>, count: Count): AsyncGenerator<Uint8Array, void> {
  for await (const piece of pieces) {
    count.bytes += piece.length
    yield piece
  }
}

async function writeStream(target: WritableStream<Uint8Array>, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const writer = target.getWriter()
  try {
    for await (const piece of pieces) {
      await writer.ready
      await writer.write(piece)
    }
    await writer.close()
  } catch (error) {
    await writer.abort(error).catch(() => undefined) // the first failure is the one that explains
    throw error
  }
}

/** Somebody who mistyped should lose nothing: only a backup is replaced by a backup. */
async function assertNotInTheWay(path: string): Promise<void> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new SegueError('BACKUP_FAILED', {}, { cause: error })
  })
  if (file === undefined) return
  try {
    const start = new Uint8Array(BACKUP_MAGIC.length)
    const { bytesRead } = await file.read(start, 0, start.length, 0).catch(() => ({ bytesRead: 0 })) // a folder
    const isOurs = bytesRead === start.length && equalBytes(start, BACKUP_MAGIC)
    if (!isOurs) throw new SegueError('BACKUP_IN_THE_WAY')
  } finally {
    await file.close()
  }
}

const LAST_KEY = 'device/backup'
const LAST = v.object({ v: v.literal(1), at: wholeNumber })
const PAGE_BYTES: number = MIB
