/**
 * Takes a store away for good: first a mark that says so, then the keys, then the files. Once the keys are gone everything else is noise,
 * so whoever says that it erased may say so from then on. Whatever interrupts it, the next opening goes on from the mark; the mark goes
 * last, by `forgetErased`, when whoever opened the place anew has noted what happened.
 */
import { randomBytes } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SegueError, fromUtf8, utf8 } from '@segue/core/sealed'
import { isErrno, readIfThere, syncDirectory, writeWhole } from './files.ts'
import { openLevel } from './level/level-store.ts'

/** Nothing is gone yet; from now on everything goes, also if this process ends here. Durable when it resolves. */
export async function markErased(directory: string, time: number): Promise<void> {
  await orStoreFailed(writeWhole(markIn(directory), utf8(`${JSON.stringify({ v: 1, time })}\n`)))
}

/** The wrapped device key is overwritten and gone. An open store goes on until it is closed: its keys are in memory. */
export async function eraseKeys(directory: string): Promise<void> {
  await orStoreFailed(overwrite(join(directory, 'vault')))
  await syncDirectory(directory)
}

/** The rest, of a store that is closed. Idempotent. */
export async function eraseFiles(directory: string): Promise<void> {
  await eraseKeys(directory)
  for (const name of ['level', 'format', 'vault.new', 'format.new']) await rm(join(directory, name), { recursive: true, force: true })
  await syncDirectory(directory)
}

/**
 * Goes on with what was interrupted. When the store there was erased, in milliseconds since 1970 on this machine; undefined for one that
 * was not. Throws STORE_LOCKED while another process still has it open.
 */
export async function finishErasing(directory: string): Promise<number | undefined> {
  const mark = await readIfThere(markIn(directory))
  if (mark === undefined) return undefined
  if ((await readIfThere(join(directory, 'level', 'CURRENT'))) !== undefined) await assertClosed(directory)
  await eraseFiles(directory)
  return timeIn(mark)
}

/** Durable when it resolves. */
export async function forgetErased(directory: string): Promise<void> {
  await rm(markIn(directory), { force: true })
  await syncDirectory(directory)
}

async function assertClosed(directory: string): Promise<void> {
  try {
    await (await openLevel(join(directory, 'level'))).close()
  } catch (error) {
    if (error instanceof SegueError && error.code === 'STORE_LOCKED') throw error // anything else goes, damaged or not
  }
}

async function overwrite(path: string): Promise<void> {
  try {
    const file = await open(path, 'r+')
    try {
      const { size } = await file.stat()
      await file.write(randomBytes(size), 0, size, 0)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  await rm(path, { force: true })
}

async function orStoreFailed<T>(done: Promise<T>): Promise<T> {
  try {
    return await done
  } catch (error) {
    throw new SegueError('STORE_FAILED', {}, { cause: error })
  }
}

/** Whatever became of the mark, the store goes; then only the time is lost. */
function timeIn(mark: Uint8Array): number {
  try {
    const { time } = JSON.parse(fromUtf8(mark)) as { readonly time?: unknown }
    return typeof time === 'number' ? time : 0
  } catch {
    return 0
  }
}

function markIn(directory: string): string {
  return join(directory, 'erased')
}
