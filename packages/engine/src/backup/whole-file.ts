/**
 * A large file that is there whole or not at all: written beside its place, fsynced, renamed. Whoever is killed meanwhile leaves
 * `FILE.part`, which the next one replaces; the file that was there before stays until then.
 */
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** 0600. Returns how many bytes. Rejects with what the disk or `pieces` say; then nothing is left behind. */
export async function writeWholeFile(path: string, pieces: AsyncIterable<Uint8Array>): Promise<number> {
  const temporary = `${path}.part`
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600)
  let bytes = 0
  try {
    try {
      for await (const piece of pieces) {
        await file.writeFile(piece)
        bytes += piece.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined) // the first failure is the one that explains
    throw error
  }
  await syncFolder(dirname(path))
  return bytes
}

/** That something was renamed in it is on disk. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return // cannot be opened there
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
