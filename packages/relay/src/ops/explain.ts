/** What went wrong, in one sentence for whoever runs the relay, with the next step: texts of errors that devices have are about devices. */
import { isSegueError, type ErrorCode } from '@segue/core/sealed'

/** Is said as it is. */
export class Refusal extends Error {}

/** `folder`: the relay's own. What is not known by name is its own message. */
export function explain(error: unknown, folder: string): string {
  if (isSegueError(error)) return WORDS[error.code]?.(folder) ?? error.message
  if (!(error instanceof Error)) return String(error)
  return listenText(error) ?? fileText(error) ?? error.message
}

const WORDS: Partial<Record<ErrorCode, (folder: string) => string>> = {
  STORE_LOCKED: folder =>
    `${folder} is in use by another process: a relay that runs on it, or another segue-relay command. Stop that one first (systemctl stop segue-relay, or end the process), or name another folder with --data.`,
  STORE_NEWER: folder => `${folder} was written by a newer segue-relay. Update this one; nothing was changed.`,
  STORE_FAILED: folder => `${folder} cannot be read or written. Is the disk full, or is the folder another user's?`,
  STORE_DAMAGED: folder =>
    `What ${folder} holds is damaged. segue-relay check names what is; restore a backup into a new folder, devices bring what it lacks.`,
  STORE_UNSAFE_PLACE: folder =>
    `${folder} is synchronised by a cloud service, which would tear it apart. Choose a local folder with --data.`,
}

/** Of the listener for figures; that for devices has its own text (LISTEN_FAILED). */
function listenText(error: Error): string | undefined {
  const [, code, where = ''] = /^listen (EADDRINUSE|EADDRNOTAVAIL|EACCES): [a-z ]+ (\S+)/.exec(error.message) ?? []
  switch (code) {
    case 'EADDRINUSE':
      return `${where} is taken by another program, perhaps a relay that runs already. Stop that one, or choose another place with --ops.`
    case 'EADDRNOTAVAIL':
      return `This machine does not have the address ${where}. Choose another with --ops.`
    case 'EACCES':
      return `This user may not listen on ${where}. Choose a port from 1024 on with --ops.`
    default:
      return undefined
  }
}

function fileText(error: Error): string | undefined {
  const { code, path, address } = error as { readonly code?: unknown; readonly path?: unknown; readonly address?: unknown }
  const where = typeof path === 'string' ? path.replace(/\.new$/, '') : typeof address === 'string' ? address : undefined
  if (code === 'ENOSPC') return `There is no room left on the disk${where === undefined ? '' : ` for ${where}`}.`
  if (where === undefined) return undefined
  switch (code) {
    case 'ENOENT':
      return `There is no ${where}.`
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return `This user may not read or write ${where}. Run it as the relay's own user (sudo -u segue-relay), or choose another place.`
    case 'EISDIR':
      return `${where} is a folder: name a file.`
    case 'ENOTDIR':
      return `${where} cannot be: a part of it is a file, not a folder.`
    case 'EEXIST':
      return `${where} is there already.`
    default:
      return undefined
  }
}
