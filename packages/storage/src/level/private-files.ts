/**
 * Level creates its files with the process's umask. They lie in a 0700 directory, which is what keeps others out; making them
 * 0600 besides is the second line, so failing at it (files Level removes meanwhile, a read-only disk) stops nothing.
 */
import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'

export async function makeFilesPrivate(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const names = await readdir(directory).catch((): string[] => [])
  await Promise.allSettled(names.map(name => chmod(join(directory, name), 0o600)))
}
