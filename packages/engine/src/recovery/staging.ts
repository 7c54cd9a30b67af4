/**
 * A folder that appears in its place whole or not at all: made beside it under another name, and renamed. What a restore that was
 * killed left behind is taken away by the next one.
 */
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { SegueError } from '@segue/core'
import { syncFolder } from '../backup/whole-file.ts'

export interface Staging {
  readonly directory: string
  /** Durable when it resolves. */
  putInPlace(): Promise<void>
  remove(): Promise<void>
}

/** Rejects with RESTORE_NOT_EMPTY when there is anything in `directory`. Makes nothing yet but the folders above it. */
export async function stageBeside(directory: string): Promise<Staging> {
  await assertFree(directory)
  const above = dirname(directory)
  const name = `${basename(directory)}.restoring-`
  await mkdir(above, { recursive: true, mode: 0o700 })
  for (const each of await readdir(above)) {
    if (each.startsWith(name) && !isAlive(Number(each.slice(name.length)))) await rm(join(above, each), { recursive: true, force: true })
  }
  const staged = join(above, `${name}${process.pid}`)
  return {
    directory: staged,
    async putInPlace() {
      await assertFree(directory)
      await rmdir(directory).catch(() => undefined) // there is none, most often
      await syncFolder(staged)
      await rename(staged, directory)
      await syncFolder(above)
    },
    remove: () => rm(staged, { recursive: true, force: true }),
  }
}

export async function assertFree(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new SegueError('RESTORE_NOT_EMPTY', {}, { cause: error })
  })
  if (names.length > 0) throw new SegueError('RESTORE_NOT_EMPTY')
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
