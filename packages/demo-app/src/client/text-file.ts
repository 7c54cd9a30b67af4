/** Files that a person names: one on its way to becoming a document, and what is said of those that cannot be read or written. */
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { SegueError } from '@segue/engine/client'
import { UsageError } from './daemon-client.ts'

/** Well over what a document takes and well under what a request takes: between the two the daemon decides. */
const MAX_READ_BYTES = 4 * 1024 * 1024

/** Rejects with UsageError when it cannot be read, DOCUMENT_TOO_LARGE before reading a film. Whether it is text, the daemon says. */
export async function readTextFile(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file)
    if (size > MAX_READ_BYTES) throw new SegueError('DOCUMENT_TOO_LARGE', { size: `${Math.ceil(size / 1024)} KiB` })
    return new Uint8Array(await readFile(file))
  } catch (error) {
    if (error instanceof SegueError) throw error
    throw unreadable(file, error)
  }
}

/** For a file that a person named, and that could not be read. */
export function unreadable(file: string, error: unknown): UsageError {
  const { code, message } = error as NodeJS.ErrnoException
  return new UsageError(
    code === 'ENOENT' || code === 'ENOTDIR'
      ? `There is no file ${file}.`
      : code === 'EISDIR'
        ? `${file} is a folder.`
        : code === 'EACCES'
          ? `${file} may not be read by you.`
          : `${file} cannot be read: ${message}`,
  )
}

/** For a file that a person named, and that could not be written. */
export function unwritable(file: string, error: unknown): UsageError {
  const { code, message } = error as NodeJS.ErrnoException
  const folder = path.dirname(path.resolve(file))
  return new UsageError(
    code === 'ENOENT' || code === 'ENOTDIR'
      ? `There is no folder ${folder}.`
      : code === 'EISDIR'
        ? `${file} is a folder. Name a file in it.`
        : code === 'EEXIST'
          ? `${file} is there already. Choose another name.`
          : code === 'EACCES' || code === 'EPERM'
            ? `${file} may not be written by you.`
            : `${file} cannot be written: ${message}`,
  )
}
