/**
 * Which format the store has, in a file of its own, so that a store of a newer Segue is recognised without touching anything in it.
 * A format change adds a migration, numbered by the format it leads to, and a line of history here.
 *
 * 1: first.
 * 2: of a chunk only the head may be left. What was there stays as it is.
 * 3: documents get their index entries for many arrivals at once, and the summary is in few records. What was there stays as it is.
 */
import { join } from 'node:path'
import { SegueError, fromUtf8, utf8 } from '@segue/core/sealed'
import { readIfThere, writeWhole } from './files.ts'
import type { LevelStore } from './level/level-store.ts'

export const FORMAT = 3

/** Brings the store from the format before to its own. Run again from its start when it was interrupted. */
export type Migration = (level: LevelStore) => Promise<void>

export const MIGRATIONS: ReadonlyMap<number, Migration> = new Map()

/** Undefined for a new store. Throws STORE_NEWER, or STORE_DAMAGED when the file is none of ours. */
export async function readFormat(directory: string, newest: number = FORMAT): Promise<number | undefined> {
  const bytes = await readIfThere(pathIn(directory))
  if (bytes === undefined) return undefined
  const format = parseFormat(bytes)
  if (format === undefined) throw new SegueError('STORE_DAMAGED')
  if (format > newest) throw new SegueError('STORE_NEWER', { format })
  return format
}

/** Runs what lies between `format` and `newest`, one by one, each noted when it is through. */
export async function migrate(
  directory: string,
  level: LevelStore,
  format: number | undefined,
  migrations: ReadonlyMap<number, Migration> = MIGRATIONS,
  newest: number = FORMAT,
): Promise<void> {
  if (format === undefined) return writeFormat(directory, newest)
  for (let next = format + 1; next <= newest; next++) {
    await migrations.get(next)?.(level)
    await writeFormat(directory, next)
  }
}

export function parseFormat(bytes: Uint8Array): number | undefined {
  if (bytes.length > 64) return undefined
  try {
    const [, digits] = /^segue-store ([1-9]\d{0,8})\n$/.exec(fromUtf8(bytes)) ?? []
    return digits === undefined ? undefined : Number(digits)
  } catch {
    return undefined // not UTF-8
  }
}

async function writeFormat(directory: string, format: number): Promise<void> {
  try {
    await writeWhole(pathIn(directory), utf8(`segue-store ${format}\n`))
  } catch (error) {
    throw new SegueError('STORE_FAILED', {}, { cause: error })
  }
}

function pathIn(directory: string): string {
  return join(directory, 'format')
}
