/** What can be known to be wrong before a daemon is started, or anything is written. */
import { access, constants, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import path from 'node:path'
import { UsageError } from '../client/daemon-client.ts'
import type { Config } from '../config.ts'

/** Throws UsageError. */
export function checkName(given: string): void {
  if (given.trim() === '' || given.trim().length > MAX_NAME_LENGTH)
    throw new UsageError(`A device’s name has 1 to ${MAX_NAME_LENGTH} characters.`)
}

const MAX_NAME_LENGTH = 64

/** Throws UsageError. */
export function checkListenAddress(given: string): void {
  const [, family, host = '', port = ''] = /^\/ip([46])\/([^/]+)\/tcp\/(\d{1,5})(?:\/ws)?$/.exec(given) ?? []
  if (family !== undefined && isIP(host) === Number(family) && Number(port) <= MAX_PORT) return
  throw new UsageError(
    `--listen takes addresses such as /ip4/192.168.1.5/tcp/4001, with /ws after it for WebSockets; port 0: any that is free. “${given}” is none.`,
  )
}

const MAX_PORT = 65_535

/** Whether what is to lie in this folder, which need not be there yet, can be written. Rejects with why not. */
export async function checkWritable(folder: string): Promise<void> {
  const nearest = await nearestThere(folder)
  const why = await reasonAgainst(nearest)
  if (why === undefined) return
  const where = nearest === folder ? folder : `${folder} cannot be made: ${nearest}`
  throw new Error(`${where} ${why}. Choose another place with SEGUE_HOME, or mend that. Nothing was changed.`)
}

async function nearestThere(folder: string): Promise<string> {
  const isThere = await stat(folder).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  )
  const parent = path.dirname(folder)
  return isThere || parent === folder ? folder : nearestThere(parent)
}

async function reasonAgainst(place: string): Promise<string | undefined> {
  try {
    if (!(await stat(place)).isDirectory()) return 'is a file, not a folder'
    await access(place, constants.W_OK | constants.X_OK)
    return undefined
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EROFS') return 'is on a disk that can only be read'
    return code === 'EACCES' || code === 'EPERM' ? 'may not be written by you' : `cannot be used: ${message}`
  }
}

interface Asked {
  readonly name?: string
  readonly keys?: string
  readonly listen?: readonly string[]
  readonly mdns?: boolean
  readonly onRemoved?: string
}

/** Of what is asked of a daemon that runs already, the options that say something else than how it is. */
export function notTakenOver(asked: Asked, now: Config & { readonly ways: readonly string[] }): readonly string[] {
  return [
    ...(asked.name === undefined || asked.name === now.deviceName ? [] : ['--name']),
    ...(asked.keys === undefined || now.ways.includes(asked.keys) ? [] : ['--keys']),
    ...(asked.listen === undefined || asked.listen.join() === now.listen?.join() ? [] : ['--listen']),
    ...(asked.mdns === undefined || asked.mdns === now.mdns ? [] : [asked.mdns ? '--mdns' : '--no-mdns']),
    ...(asked.onRemoved === undefined || asked.onRemoved === (now.onRemoved ?? 'keep') ? [] : ['--on-removed']),
  ]
}
