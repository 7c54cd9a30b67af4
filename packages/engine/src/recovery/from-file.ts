/** A backup file as what a restore takes from. */
import { createReadStream } from 'node:fs'
import { SegueError, readBackup, type BackupItem, type GroupId, type RecoveryKeys } from '@segue/core'
import type { SealedChunk } from '@segue/core/ports'
import type { RestoreSource } from './restore-source.ts'

/**
 * Reads the whole file once to see that it is whole, before anything else is done with it. Rejects with SegueError BACKUP_*; with the
 * signal's reason; with what the disk says when there is no such file.
 */
export async function openBackupFile(path: string, keys: RecoveryKeys, signal?: AbortSignal): Promise<RestoreSource> {
  let about: Extract<BackupItem, { kind: 'about' }> | undefined
  const entries: Uint8Array[] = []
  let expected = 0
  for await (const item of itemsOf(path, keys)) {
    signal?.throwIfAborted()
    if (item.kind === 'about') about = item
    else if (item.kind === 'entry') entries.push(item.bytes)
    else expected++
  }
  if (about === undefined) throw new SegueError('BACKUP_DAMAGED', { where: 'about' })
  const { group, secret }: { group: GroupId; secret: Uint8Array } = about
  return { group, secret, entries, expected, chunks: chunksOf(path, keys), close: async () => undefined }
}

async function* chunksOf(path: string, keys: RecoveryKeys): AsyncGenerator<SealedChunk, void> {
  for await (const item of itemsOf(path, keys)) if (item.kind === 'chunk') yield item.chunk
}

async function* itemsOf(path: string, keys: RecoveryKeys): AsyncGenerator<BackupItem, void> {
  try {
    yield* readBackup(createReadStream(path, { highWaterMark: 256 * 1024 }), keys)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'EACCES') throw new SegueError('BACKUP_UNREADABLE', {}, { cause: error })
    throw error
  }
}
