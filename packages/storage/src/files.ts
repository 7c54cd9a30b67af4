/** Files that must be there whole or not at all, for nobody else to read. */
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Undefined when there is no such file. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

/**
 * Replaces `path` in one step, 0600, on disk when it resolves with how many bytes it has. Whoever is killed meanwhile leaves `path.new`, which
 * the next one replaces; what was there before stays until then. Rejects with what the disk or `pieces` say, and leaves nothing behind.
 */
export async function writeWhole(path: string, pieces: Uint8Array | AsyncIterable<Uint8Array>): Promise<number> {
  const temporary = `${path}.new`
  await rm(temporary, { force: true })
  let bytes = 0
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.chmod(0o600) // whatever the umask
      for await (const piece of pieces instanceof Uint8Array ? [pieces] : pieces) {
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
  await syncDirectory(dirname(path))
  return bytes
}

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

/** What was made, renamed or removed in it is so on disk. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return // cannot be opened there
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
