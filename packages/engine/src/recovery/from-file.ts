/** A backup file as what a restore takes from. */
import { createReadStream } from 'node:fs'
import { MIB, SegueError, readBackup, type BackupItem, type ChunkId, type RecoveryKeys } from '@segue/core'
import type { SealedChunk } from '@segue/core/ports'
import type { Filled, Filling, RestoreSource } from './restore-source.ts'

/**
 * Reads the whole file once to see that it is whole, before anything else is done with it. Rejects with SegueError BACKUP_*, or with the
 * signal's reason.
 */
export async function openBackupFile(path: string, keys: RecoveryKeys, signal: AbortSignal): Promise<RestoreSource> {
  let about: Extract<BackupItem, { kind: 'about' }> | undefined
  const entries: Uint8Array[] = []
  let of = 0
  for await (const item of itemsOf(path, keys)) {
    signal.throwIfAborted()
    if (item.kind === 'about') about = item
    else if (item.kind === 'entry') entries.push(item.bytes)
    else of++
  }
  if (about === undefined) throw new SegueError('BACKUP_DAMAGED', { where: 'about' })
  const { group, secret } = about
  return {
    readLog: async () => ({ group, secret, entries }),
    bring: into => fillFrom(chunksOf(path, keys), of, into),
    close: async () => undefined,
  }
}

async function fillFrom(
  source: AsyncIterable<SealedChunk>,
  of: number,
  { replica, inspector, signal, onProgress }: Filling,
): Promise<Filled> {
  const count = { chunks: 0, leftOut: 0 }
  let page: SealedChunk[] = []
  let bytes = 0
  const keep = async (): Promise<void> => {
    signal.throwIfAborted()
    const covers = new Map<ChunkId, { readonly level: number; readonly covers: readonly ChunkId[] }>()
    const good: SealedChunk[] = []
    for (const chunk of page) {
      const verdict = await inspector.inspect(chunk)
      if (verdict.kind !== 'good') continue
      good.push(chunk)
      if (chunk.class === 'fragment') covers.set(chunk.id, verdict)
    }
    await replica.add(good, { covers })
    count.chunks += good.length
    count.leftOut += page.length - good.length
    onProgress({ chunks: count.chunks, of })
    page = []
    bytes = 0
  }
  for await (const chunk of source) {
    // What came before an entry comes before it here, too: by that a removal knows what had been there.
    if (chunk.class === 'log') await keep()
    page.push(chunk)
    bytes += chunk.bytes.length
    if (bytes >= PAGE_BYTES || chunk.class === 'log') await keep()
  }
  await keep()
  return { ...count, mayLack: false }
}

async function* chunksOf(path: string, keys: RecoveryKeys): AsyncGenerator<SealedChunk, void> {
  for await (const item of itemsOf(path, keys)) if (item.kind === 'chunk') yield item.chunk
}

async function* itemsOf(path: string, keys: RecoveryKeys): AsyncGenerator<BackupItem, void> {
  try {
    yield* readBackup(createReadStream(path, { highWaterMark: READ_BYTES }), keys)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'EACCES') throw new SegueError('BACKUP_UNREADABLE', {}, { cause: error })
    throw error
  }
}

const PAGE_BYTES: number = MIB
const READ_BYTES: number = MIB / 4
