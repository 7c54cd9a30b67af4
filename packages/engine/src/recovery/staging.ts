/**
 * A folder that appears in its place whole or not at all: made beside it under another name, and renamed. What a restore that was
 * killed left behind is taken away by the next one.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { SegueError } from '@segue/core'
import { syncDirectory } from '@segue/storage'

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
    if (each.startsWith(name) && !isInUse(join(above, each))) await rm(join(above, each), { recursive: true, force: true })
  }
  const staged = join(above, `${name}${process.pid}-${randomUUID().slice(0, 8)}`)
  own.add(staged)
  return {
    directory: staged,
    async putInPlace() {
      await assertFree(directory)
      await rmdir(directory).catch(() => undefined) // there is none, most often
      await syncDirectory(staged)
      await rename(staged, directory)
      await syncDirectory(above)
    },
    async remove() {
      await rm(staged, { recursive: true, force: true })
      own.delete(staged)
    },
  }
}

export async function assertFree(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new SegueError('RESTORE_NOT_EMPTY', {}, { cause: error })
  })
  if (names.length > 0) throw new SegueError('RESTORE_NOT_EMPTY')
}

/** Of this process. In a container the one before it may have had the same number. */
const own = new Set<string>()

function isInUse(staged: string): boolean {
  const pid = Number(/\.restoring-(\d+)-[0-9a-f]+$/.exec(staged)?.[1] ?? 0)
  return own.has(staged) || (pid !== process.pid && isAlive(pid))
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
