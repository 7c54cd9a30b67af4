/** Files and texts, byte for byte: a byte order mark, line ends and every character come out as they went in. */
import { fromUtf8, utf8 } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import { KIB } from '../lib/units.ts'
import { MAX_TEXT_BYTES } from '../wire/limits.ts'

/** Throws DOCUMENT_TOO_LARGE and DOCUMENT_NOT_TEXT, in this order: a film is too large before it is not text. */
export function textOfFile(bytes: Uint8Array): string {
  if (bytes.length > MAX_TEXT_BYTES) throw new SegueError('DOCUMENT_TOO_LARGE', { size: `${Math.ceil(bytes.length / KIB)} KiB` })
  try {
    return fromUtf8(bytes)
  } catch (cause) {
    throw new SegueError('DOCUMENT_NOT_TEXT', {}, { cause })
  }
}

export function fileOfText(text: string): Uint8Array {
  return utf8(text)
}
