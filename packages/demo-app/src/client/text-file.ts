/** A file on its way to becoming a document. */
import { readFile, stat } from 'node:fs/promises'
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
    const { code, message } = error as NodeJS.ErrnoException
    throw new UsageError(
      code === 'ENOENT' ? `There is no file ${file}.` : code === 'EISDIR' ? `${file} is a folder.` : `${file} cannot be read: ${message}`,
    )
  }
}
