/** Where a store may lie: a local directory of this user alone. Synchronised folders copy files one by one and tear a store apart. */
import { chmod, mkdir, readdir, realpath, stat } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { SegueError } from '@segue/core/base'
import { isErrno } from './files.ts'

/**
 * Makes the directory (0700, whatever the umask) if need be. Throws STORE_UNSAFE_PLACE, STORE_NOT_PRIVATE, or STORE_FAILED when it cannot
 * be made.
 */
export async function prepareDirectory(directory: string): Promise<string> {
  await refuseSynchronised(await nearestExisting(directory), directory)
  try {
    await makePrivate(resolve(directory))
  } catch (error) {
    throw new SegueError('STORE_FAILED', {}, { cause: error })
  }
  await assertPrivate(directory)
  return realpath(directory)
}

/**
 * A file or directory that is another user's, or that others have any right to, is refused with STORE_NOT_PRIVATE, which says how to mend
 * it. Root is no exception: what is another user's stays so. Not checked on Windows, which has no such rights.
 */
export async function assertPrivate(path: string): Promise<void> {
  if (process.getuid === undefined) return
  const { uid, mode } = await stat(path)
  if (uid !== process.getuid()) throw notPrivate(path, 'belongs to another user', chownTo(process.getuid(), path))
  if ((mode & 0o077) === 0) return
  const rights = (mode & 0o700).toString(8)
  throw notPrivate(path, 'can be read or changed by other users', `chmod ${rights} ${quoted(path)}`)
}

export async function assertPrivateIfThere(path: string): Promise<void> {
  try {
    await assertPrivate(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

/** What is in a store's directory. The modes of Level's files are Level's doing and mended on opening; whose they are is not. */
export async function assertStorePrivate(place: string): Promise<void> {
  const level = join(place, 'level')
  for (const path of [join(place, 'format'), join(place, 'vault'), level]) await assertPrivateIfThere(path)
  if (process.getuid === undefined) return
  const own = process.getuid()
  for (const name of await namesIn(level)) {
    const path = join(level, name)
    const uid = await stat(path).then(
      found => found.uid,
      () => own, // gone meanwhile: another process has it open, and will be found out by that
    )
    if (uid !== own) throw notPrivate(path, 'belongs to another user', chownTo(own, place))
  }
}

/** Only root gives files to somebody. */
function chownTo(uid: number, path: string): string {
  return `${uid === 0 ? '' : 'sudo '}chown -R ${uid} ${quoted(path)}`
}

function notPrivate(path: string, problem: string, mend: string): SegueError {
  return new SegueError('STORE_NOT_PRIVATE', { path, problem, mend })
}

/** As a shell takes it. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

/** One by one, because a umask may take more than others' rights away. */
async function makePrivate(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 })
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return
    if (!isErrno(error, 'ENOENT') || dirname(directory) === directory) throw error
    await makePrivate(dirname(directory))
    return makePrivate(directory)
  }
  await chmod(directory, 0o700)
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
    if (isErrno(error, 'EACCES', 'EPERM', 'ENOTDIR', 'ENOENT')) return [] // a parent we may pass through but not list
    throw error
  }
}
