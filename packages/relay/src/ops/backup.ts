/**
 * A backup: everything in the volume at one moment, and the relay's key, in one file (0600). What is sealed stays sealed in it.
 *
 *     "segue-relay-backup 1\n" || (key length u32 || value length u32 || key || value) ... || 0xffffffff || SHA-256 of everything before
 *
 * The entry with the empty key comes first and is the relay's key: who has it can answer as this relay, and read nothing with it.
 */
import { createHash } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { SegueError } from '@segue/core/sealed'
import type { Volume } from '@segue/storage/volume'
import { isSeed } from '../identity-file.ts'

export interface BackupSummary {
  readonly entries: number
  readonly bytes: number
}

/** On disk when it resolves; a file that is there already is replaced only then. */
export async function writeBackup(volume: Volume, seed: string, path: string): Promise<BackupSummary> {
  const temporary = `${path}.new`
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
    await rename(temporary, path)
    return { entries, bytes: bytes + HASH_BYTES }
  } catch (error) {
    await file.close().catch(() => undefined) // the first failure is the one that explains
    await rm(temporary, { force: true })
    throw error
  }
}

/** Reads it through once and throws STORE_DAMAGED unless it is whole. */
export async function verifyBackup(path: string): Promise<BackupSummary> {
  return readBackup(path, async () => undefined)
}

/** Into an empty volume. Reads the whole backup before anything is written. Gives the relay's key. */
export async function restoreBackup(path: string, volume: Volume): Promise<BackupSummary & { readonly seed: string }> {
  await verifyBackup(path)
  let seed = ''
  const summary = await readBackup(path, async entries => {
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

async function readBackup(path: string, take: (entries: readonly Entry[]) => Promise<void>): Promise<BackupSummary> {
  const file = await open(path, 'r')
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

async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled)
    if (bytesRead === 0) throw new SegueError('STORE_DAMAGED') // it ends too early
    filled += bytesRead
  }
  return bytes
}
