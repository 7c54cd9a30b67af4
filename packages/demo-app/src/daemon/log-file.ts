/** The daemon's log: one JSON object a line, two files of bounded size, 0600. */
import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from 'node:fs'
import path from 'node:path'

const MAX_LOG_BYTES = 2 * 1024 * 1024

export interface LogFile {
  readonly file: string
  write(line: string): void
  close(): Promise<void>
}

/** `<directory>/segue.log`; when it is full it becomes `segue.log.1` and the one before is gone. */
export function openLogFile(directory: string): LogFile {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch {
    // as below: then there is no log
  }
  const file = path.join(directory, 'segue.log')
  let size = sizeOf(file)
  let stream = open(file)
  return {
    file,
    write(line) {
      if (size > MAX_LOG_BYTES) {
        stream.end()
        putAside(file)
        stream = open(file)
        size = 0
      }
      size += line.length + 1
      stream.write(`${line}\n`)
    },
    close: () =>
      new Promise(resolve => {
        if (stream.closed) return resolve()
        stream.once('close', resolve) // `end` never tells of one that could not be opened
        stream.end()
      }),
  }
}

function open(file: string): WriteStream {
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 })
  stream.on('error', () => undefined) // a full disk must not take the daemon down because of its log
  return stream
}

function putAside(file: string): void {
  try {
    renameSync(file, `${file}.1`)
  } catch {
    // somebody deleted it, as they may
  }
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}
