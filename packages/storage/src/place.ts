/** Where a store may lie: a local directory of this user alone. Synchronised folders copy files one by one and tear a store apart. */
import { mkdir, readdir, realpath, stat } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { SegueError } from '@segue/core'
import { isErrno } from './files.ts'

/** Makes the directory (0700) if need be. Throws STORE_UNSAFE_PLACE, or STORE_FAILED when it cannot be made. */
export async function prepareDirectory(directory: string): Promise<string> {
  await refuseSynchronised(await nearestExisting(directory), directory)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new SegueError('STORE_FAILED', {}, { cause: error })
  }
  await assertPrivate(directory)
  return realpath(directory)
}

/** A file or directory that is another user's, or that others have any right to, is refused. Not checked on Windows. */
export async function assertPrivate(path: string): Promise<void> {
  if (process.getuid === undefined) return
  const { uid, mode } = await stat(path)
  if (uid !== process.getuid() || (mode & 0o077) !== 0) throw new SegueError('STORE_UNSAFE_PLACE')
}

const SYNCHRONISED_NAMES =
  /^(dropbox( \(.*\))?|onedrive( - .*)?|google ?drive|my drive|icloud ?drive|mobile documents|cloudstorage|nextcloud|owncloud|pclouddrive|pcloud drive|megasync|mega|box sync|tresorit|seafile)$/i
/** Files that the services leave at the top of what they synchronise. */
const SYNCHRONISED_MARKS =
  /^(\.dropbox\.cache|\.stfolder|\.nextcloudsync\.log|\.owncloudsync\.log|\.sync_[0-9a-f]+\.db|\.tmp\.drivedownload)$/i

async function refuseSynchronised(existing: string, directory: string): Promise<void> {
  const names = [...existing.split(sep), ...directory.split(sep)]
  if (names.some(name => SYNCHRONISED_NAMES.test(name))) throw new SegueError('STORE_UNSAFE_PLACE')
  for (let folder = existing; ; folder = dirname(folder)) {
    if ((await namesIn(folder)).some(name => SYNCHRONISED_MARKS.test(name))) throw new SegueError('STORE_UNSAFE_PLACE')
    if (dirname(folder) === folder) return
  }
}

async function nearestExisting(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw error
    return nearestExisting(dirname(join(path)))
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isErrno(error, 'EACCES', 'EPERM', 'ENOTDIR')) return [] // a parent we may pass through but not list
    throw error
  }
}
