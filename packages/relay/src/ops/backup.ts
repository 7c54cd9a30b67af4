/**
 * A backup: everything in the volume at one moment, and the relay's key, in one file (0600). What is sealed stays sealed in it.
 *
 *     "segue-relay-backup 1\n" || (key length u32 || value length u32 || key || value) ... || 0xffffffff || SHA-256 of everything before
 *
 * The entry with the empty key comes first and is the relay's key: who has it can answer as this relay, and read nothing with it.
 */
import { createHash } from 'node:crypto'
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { SegueError, isSegueError } from '@segue/core/sealed'
import { openVolume, type Volume } from '@segue/storage/volume'
import { KEY_FILE, isSeed, writeKey } from '../identity-file.ts'
import { Refusal } from './explain.ts'

export interface BackupSummary {
  readonly entries: number
  readonly bytes: number
}

/** On disk when it resolves; a file that is there already is replaced only then. */
export async function writeBackup(volume: Volume, seed: string, to: string): Promise<BackupSummary> {
  const [folder, present] = [await kindOf(path.dirname(to)), await kindOf(to)]
  if (folder !== 'folder') throw new Refusal(`There is no folder ${path.dirname(to)}: make it first, or name a file elsewhere.`)
  if (present === 'folder') throw new Refusal(`${to} is a folder: name a file in it.`)
  const temporary = `${to}.new`
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', 0o600)
  const hash = createHash('sha256')
  let bytes = 0
  const write = async (...parts: readonly Uint8Array[]): Promise<void> => {
    const chunk = Buffer.concat(parts)
    hash.update(chunk)
    bytes += chunk.length
    await file.write(chunk)
  }
  try {
    let entries = 0
    await write(MAGIC, entryOf(new Uint8Array(0), Buffer.from(seed)))
    await volume.read(async view => {
      let from = new Uint8Array([0])
      for (;;) {
        const page = await view.entries({ gte: from, lt: END_OF_KEYS }, PAGE)
        const last = page.at(-1)?.[0]
        if (last === undefined) return
        await write(...page.map(([key, value]) => entryOf(key, value)))
        entries += page.length
        from = Uint8Array.from([...last, 0])
      }
    })
    await write(END)
    await file.write(hash.digest())
    await file.sync()
    await file.close()
    await rename(temporary, to)
    return { entries, bytes: bytes + HASH_BYTES }
  } catch (error) {
    await file.close().catch(() => undefined) // the first failure is the one that explains
    await rm(temporary, { force: true })
    throw error
  }
}

/** Reads it through once and throws STORE_DAMAGED unless it is whole. */
export async function verifyBackup(file: string): Promise<BackupSummary> {
  return readBackup(file, async () => undefined)
}

/** Into an empty volume. Reads the whole backup before anything is written. Gives the relay's key. */
export async function restoreBackup(file: string, volume: Volume): Promise<BackupSummary & { readonly seed: string }> {
  await verifyBackup(file)
  return fill(file, volume)
}

/** A relay's folder from a backup. What it made is gone again when it fails: nothing is left that a second try would stumble over. */
export async function restoreInto(directory: string, file: string, { hasKey }: { readonly hasKey: boolean }): Promise<BackupSummary> {
  const keyFile = path.join(directory, KEY_FILE)
  for (const own of [path.join(directory, 'level'), ...(hasKey ? [] : [keyFile])]) {
    if ((await kindOf(own)) !== 'nothing') throw new Refusal(`${directory} is not empty: restore into a new folder, named with --data.`)
  }
  const kind = await kindOf(file)
  if (kind !== 'file') throw new Refusal(kind === 'nothing' ? `There is no backup ${file}.` : `${file} is a folder: name a backup in it.`)
  try {
    await verifyBackup(file)
    return await restoreAnew(directory, file, hasKey ? undefined : keyFile)
  } catch (error) {
    if (!isSegueError(error, 'STORE_DAMAGED')) throw error
    throw new Refusal(`${file} is no whole backup of a relay: it was cut, changed, or is another file. Nothing was restored.`, {
      cause: error,
    })
  }
}

async function restoreAnew(directory: string, file: string, keyFile: string | undefined): Promise<BackupSummary> {
  const wasThere = (await kindOf(directory)) !== 'nothing'
  const volume = await openVolume(directory)
  try {
    const { entries, bytes, seed } = await fill(file, volume)
    if (keyFile !== undefined) await writeKey(keyFile, seed)
    await volume.close()
    return { entries, bytes }
  } catch (error) {
    await volume.close()
    const made = ['level', 'format', ...(keyFile === undefined ? [] : [KEY_FILE])].map(name => path.join(directory, name))
    for (const each of wasThere ? made : [directory]) await rm(each, { recursive: true, force: true })
    throw error
  }
}

/** Of a backup that was verified. */
async function fill(file: string, volume: Volume): Promise<BackupSummary & { readonly seed: string }> {
  let seed = ''
  const summary = await readBackup(file, async entries => {
    await volume.commit(transaction => {
      for (const [key, value] of entries) {
        if (key.length === 0) seed = Buffer.from(value).toString()
        else transaction.put(key, value)
      }
    })
  })
  if (!isSeed(seed)) throw new SegueError('STORE_DAMAGED')
  return { ...summary, seed }
}

type Entry = readonly [key: Uint8Array, value: Uint8Array]

const MAGIC = Buffer.from('segue-relay-backup 1\n')
const END = Buffer.from([0xff, 0xff, 0xff, 0xff])
const END_OF_KEYS = new Uint8Array([0xff])
const HASH_BYTES = 32
const PAGE = 256
const MAX_KEY_BYTES = 64 * 1_024
const MAX_VALUE_BYTES = 64 * 1_024 * 1_024

function entryOf(key: Uint8Array, value: Uint8Array): Buffer {
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32BE(key.length, 0)
  lengths.writeUInt32BE(value.length, 4)
  return Buffer.concat([lengths, key, value])
}

async function readBackup(from: string, take: (entries: readonly Entry[]) => Promise<void>): Promise<BackupSummary> {
  const file = await open(from, 'r')
  try {
    const hash = createHash('sha256')
    let at = 0
    const next = async (length: number, isHashed = true): Promise<Buffer> => {
      const bytes = await readExactly(file, at, length)
      at += length
      if (isHashed) hash.update(bytes)
      return bytes
    }
    if (!(await next(MAGIC.length)).equals(MAGIC)) throw new SegueError('STORE_DAMAGED')
    let entries = 0
    let page: Entry[] = []
    let pageBytes = 0
    for (;;) {
      const keyLength = await next(4)
      if (keyLength.equals(END)) break
      const valueLength = (await next(4)).readUInt32BE()
      if (keyLength.readUInt32BE() > MAX_KEY_BYTES || valueLength > MAX_VALUE_BYTES) throw new SegueError('STORE_DAMAGED')
      const key = await next(keyLength.readUInt32BE())
      page.push([key, await next(valueLength)])
      if (key.length > 0) entries++
      pageBytes += key.length + valueLength
      if (page.length < PAGE && pageBytes < PAGE_BYTES) continue
      await take(page)
      page = []
      pageBytes = 0
    }
    const found = await next(HASH_BYTES, false)
    if (!found.equals(hash.digest()) || (await file.stat()).size !== at) throw new SegueError('STORE_DAMAGED')
    if (page.length > 0) await take(page)
    return { entries, bytes: at }
  } finally {
    await file.close()
  }
}

const PAGE_BYTES = 4 * 1_024 * 1_024

async function kindOf(at: string): Promise<'file' | 'folder' | 'nothing'> {
  try {
    return (await stat(at)).isDirectory() ? 'folder' : 'file'
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return 'nothing'
    throw error
  }
}

async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled)
    if (bytesRead === 0) throw new SegueError('STORE_DAMAGED') // it ends too early
    filled += bytesRead
  }
  return bytes
}
