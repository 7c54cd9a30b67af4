/**
 * Level with what a store must promise on top of it. Everything about Level's ways is in this file and its neighbour:
 *
 * - Level's own writes are not fsynced: here every one is, and calls made while one is under way share the next (group commit).
 * - After a failed write (disk full) Level leaves half a record in its log, goes on as if nothing were, acknowledges later
 *   writes, and loses them on the next open. So after a failure nothing is written before it was closed and opened again, and
 *   that only once the disk is seen to have room, because opening needs some; until then the old handle serves reads.
 * - Closing ends iterators under way: reads and reopening take turns.
 */
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { SegueError } from '@segue/core/sealed'
import type { KeyRange } from '../key-layout.ts'
import { createGroupCommit, type Transaction, type Write } from './group-commit.ts'
import { makeFilesPrivate } from './private-files.ts'

export type { Transaction }

export interface LevelStore {
  /**
   * Runs `prepare` when its turn comes and writes what it put, durable when resolved: all of it or nothing. Resolves in the order
   * of calls. Rejects with STORE_FAILED when the disk does not take it, or with whatever `prepare` threw. After a write before it failed
   * `prepare` may be run a second time.
   */
  commit(prepare: (transaction: Transaction) => void): Promise<void>
  /** `task` sees one moment of the store, everything that was durable when it started. */
  read<T>(task: (view: LevelView) => Promise<T>): Promise<T>
  /** One value, as `read` would give it, at a fraction of the cost. */
  value(key: Uint8Array): Promise<Uint8Array | undefined>
  values(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>
  /**
   * What was removed or replaced leaves the disk: until then Level keeps it in files that it has not rewritten yet. Costs a rewrite of all
   * of it.
   */
  compact?(): Promise<void>
  close(): Promise<void>
}

export interface LevelView {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>
  entries(range: KeyRange, limit?: number): Promise<readonly (readonly [key: Uint8Array, value: Uint8Array])[]>
  keys(range: KeyRange, limit: number): Promise<readonly Uint8Array[]>
  lastKey(range: KeyRange): Promise<Uint8Array | undefined>
}

/** Throws STORE_LOCKED when another process has it open, STORE_FAILED when it cannot be opened. */
export async function openLevel(location: string): Promise<LevelStore> {
  const db = new Level<Uint8Array, Uint8Array>(location, { keyEncoding: 'view', valueEncoding: 'view' })
  const readers = createReaders()
  let state: 'open' | 'write-failed' | 'down' = 'down'
  let unsweptBytes = 0
  let sweeping: Promise<void> | undefined
  const privateFiles = new Set<string>()
  let isClosing = false

  const open = async (): Promise<void> => {
    try {
      const made = mkdirSync(location, { recursive: true, mode: 0o700 }) // Level would make it with the process's umask
      if (made !== undefined) chmodSync(location, 0o700)
      await db.open()
      state = 'open'
    } catch (error) {
      throw isLocked(error) ? new SegueError('STORE_LOCKED', {}, { cause: error }) : new SegueError('STORE_FAILED', {}, { cause: error })
    }
    privateFiles.clear()
    await makeFilesPrivate(location, privateFiles)
  }
  const recover = async (): Promise<void> => {
    if (state === 'write-failed') assertRoom(location)
    await readers.alone(async () => {
      if (state === 'write-failed') await db.close()
      state = 'down'
      await open()
    })
  }
  const commits = createGroupCommit({
    now: () => performance.now(),
    read: key => db.getSync(key),
    async write(writes, bytes) {
      try {
        await write(db, writes)
      } catch (error) {
        state = 'write-failed'
        throw error
      }
      unsweptBytes += bytes
      if (unsweptBytes < SWEEP_EVERY_BYTES || sweeping !== undefined) return
      unsweptBytes = 0
      sweeping = makeFilesPrivate(location, privateFiles).finally(() => (sweeping = undefined))
    },
    recover,
  })

  const closeNow = async (): Promise<void> => {
    await commits.idle()
    await sweeping
    await readers.alone(async () => {
      state = 'down'
      await db.close()
      await makeFilesPrivate(location)
    })
  }
  let closed: Promise<void> | undefined

  const values = async (keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> => {
    if (isClosing) throw new SegueError('CLOSED')
    return readers.one(async () => {
      if (state === 'down') throw new SegueError(isClosing ? 'CLOSED' : 'STORE_FAILED')
      return keys.map(key => db.getSync(key))
    })
  }

  await open()
  return {
    commit(prepare) {
      if (isClosing) return Promise.reject(new SegueError('CLOSED'))
      return commits.commit(prepare)
    },
    async read(task) {
      if (isClosing) throw new SegueError('CLOSED')
      return readers.one(async () => {
        if (state === 'down') throw new SegueError(isClosing ? 'CLOSED' : 'STORE_FAILED')
        const snapshot = db.snapshot()
        try {
          return await task(viewAt(db, snapshot))
        } finally {
          await snapshot.close()
        }
      })
    },
    value: async key => (await values([key]))[0],
    values,
    compact: () =>
      readers.one(async () => {
        if (state !== 'open') return
        await rewrite(db)
        await makeFilesPrivate(location)
      }),
    close() {
      isClosing = true
      return (closed ??= closeNow())
    },
  }
}

type Snapshot = ReturnType<Level['snapshot']>

/** Level makes a new log file every 4 MiB. */
const SWEEP_EVERY_BYTES = 1_024 * 1_024
const ROOM_TO_OPEN_BYTES = 256 * 1_024
/** Around every key of key-layout.ts, and no key themselves. */
const FIRST_KEY: Uint8Array = new Uint8Array([0])
const LAST_KEY: Uint8Array = new Uint8Array(64).fill(255)

/**
 * Level rewrites a table only where a newer one lies over it, and what it has in memory it may put beneath all others as it is. So
 * something is laid over everything, twice: the second time over what the first time came out of memory.
 */
async function rewrite(db: Level<Uint8Array, Uint8Array>): Promise<void> {
  const { compactRange } = db as Partial<Compacting>
  const value = new Uint8Array()
  for (const type of ['put', 'put', 'del'] as const) {
    await db.batch(
      [FIRST_KEY, LAST_KEY].map(key => (type === 'put' ? { type, key, value } : { type, key })),
      { sync: true },
    )
    await compactRange?.call(db, FIRST_KEY, LAST_KEY)
  }
}

/** Level on Node has it; its types are those that browsers have too. */
interface Compacting {
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>
}

function viewAt(db: Level<Uint8Array, Uint8Array>, snapshot: Snapshot): LevelView {
  return {
    // Most are in memory: asking a thread for them costs ten times what they do.
    get: async key => db.getSync(key, { snapshot }),
    getMany: keys => db.getMany([...keys], { snapshot }),
    entries: ({ gte, lt }, limit = -1) => db.iterator({ gte, lt, limit, snapshot }).all(),
    keys: ({ gte, lt }, limit) => db.keys({ gte, lt, limit, snapshot }).all(),
    async lastKey({ gte, lt }) {
      const [key] = await db.keys({ gte, lt, limit: 1, reverse: true, snapshot }).all()
      return key
    },
  }
}

/** A chained batch: Level copies and checks every operation of an array as an object of its own, which costs twice the rest. */
async function write(db: Level<Uint8Array, Uint8Array>, writes: Iterable<Write>): Promise<void> {
  const batch = db.batch()
  for (const { key, value } of writes) {
    if (value === undefined) batch.del(key)
    else batch.put(key, value)
  }
  await batch.write({ sync: true })
}

/** Opening rewrites the logs as tables: without room for that it fails, and then there would be nothing to read from. */
function assertRoom(location: string): void {
  const probe = join(location, 'room.probe')
  try {
    const logBytes = readdirSync(location)
      .filter(name => name.endsWith('.log'))
      .reduce((sum, name) => sum + statSync(join(location, name)).size, 0)
    const file = openSync(probe, 'w', 0o600)
    try {
      const filler = new Uint8Array(logBytes + ROOM_TO_OPEN_BYTES)
      for (let written = 0; written < filler.length;) written += writeSync(file, filler, written)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw new SegueError('STORE_FAILED', {}, { cause: error })
  } finally {
    rmSync(probe, { force: true })
  }
}

interface Readers {
  one<T>(read: () => Promise<T>): Promise<T>
  /** Waits for reads under way, holds new ones back meanwhile. */
  alone(task: () => Promise<void>): Promise<void>
}

function createReaders(): Readers {
  let count = 0
  let exclusive: Promise<void> | undefined
  let onIdle: (() => void) | undefined
  return {
    async one(read) {
      for (let other = exclusive; other !== undefined; other = exclusive) await other
      count++
      try {
        return await read()
      } finally {
        if (--count === 0) onIdle?.()
      }
    },
    async alone(task) {
      for (let other = exclusive; other !== undefined; other = exclusive) await other
      let done = (): void => undefined
      exclusive = new Promise(resolve => (done = resolve))
      try {
        if (count > 0) await new Promise<void>(resolve => (onIdle = resolve))
        await task()
      } finally {
        exclusive = undefined
        onIdle = undefined
        done()
      }
    },
  }
}

function isLocked(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED'
}
