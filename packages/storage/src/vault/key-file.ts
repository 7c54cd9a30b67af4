/**
 * Under a key in a file (0600), only for whoever asked for it: whoever reads file and store reads everything. For machines
 * that start alone; best on another disk than the store.
 */
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { SegueError, fromHex, fromUtf8, openRecord, sealRecord, toHex } from '@segue/core/sealed'
import { isErrno, readIfThere, syncDirectory } from '../files.ts'
import { assertPrivateIfThere } from '../place.ts'
import type { Unlock } from './unlock.ts'

/** The file is made on first use; one that is there already is used as it is. Throws STORE_NOT_PRIVATE when others have rights to it. */
export function keyFile(path: string): Unlock {
  return {
    kind: 'key-file',
    async wrap(deviceKey, { random }) {
      const key = (await readKey(path)) ?? (await createKey(path, random.bytes(KEY_BYTES)))
      return sealRecord(key, PURPOSE, deviceKey, random)
    },
    async unwrap(wrapped) {
      const key = await readKey(path)
      return key && openRecord(key, PURPOSE, wrapped)
    },
  }
}

/** Undefined when the bytes are no key file. */
export function parseKeyFile(bytes: Uint8Array): Uint8Array | undefined {
  try {
    const key = fromHex(fromUtf8(bytes.subarray(0, 2 * KEY_BYTES + 2)).trim())
    return key.length === KEY_BYTES && bytes.length <= 2 * KEY_BYTES + 2 ? key : undefined
  } catch {
    return undefined
  }
}

const PURPOSE = 'vault/key-file'
const KEY_BYTES = 32

/** Undefined when there is no such file. */
async function readKey(path: string): Promise<Uint8Array | undefined> {
  await assertPrivateIfThere(path)
  const bytes = await readIfThere(path)
  if (bytes === undefined) return undefined
  const key = parseKeyFile(bytes)
  if (key === undefined) throw new SegueError('UNLOCK_WRONG')
  return key
}

async function createKey(path: string, key: Uint8Array): Promise<Uint8Array> {
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.chmod(0o600) // whatever the umask
      await file.writeFile(`${toHex(key)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await syncDirectory(dirname(path)) // before a vault counts on it
  } catch (error) {
    if (isErrno(error, 'EEXIST')) throw new SegueError('UNLOCK_WRONG', {}, { cause: error })
    throw new SegueError('STORE_FAILED', {}, { cause: error })
  }
  return key
}
