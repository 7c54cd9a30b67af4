/**
 * Level creates its files with the process's umask. They lie in a 0700 directory, which is what keeps others out; making them
 * 0600 besides is the second line, so failing at it (files Level removes meanwhile, a read-only disk) stops nothing.
 */
import { chmod, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Files that `known` names are left: Level gives no number twice, and makes its log, lock and manifest when it opens. Afterwards it names what is there. */
export async function makeFilesPrivate(directory: string, known: Set<string> = new Set()): Promise<void> {
  if (process.platform === 'win32') return
  const names = await readdir(directory).catch((): string[] => [])
  const outcomes = await Promise.allSettled(names.filter(name => !known.has(name)).map(name => makePrivate(directory, name)))
  const present = new Set(names)
  for (const name of known) if (!present.has(name)) known.delete(name)
  for (const outcome of outcomes) if (outcome.status === 'fulfilled') known.add(outcome.value)
}

async function makePrivate(directory: string, name: string): Promise<string> {
  await chmod(join(directory, name), 0o600)
  return name
}
