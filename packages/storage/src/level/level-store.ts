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
import { makeFilesPrivate } from './private-files.ts'

export interface LevelStore {
  /**
   * Runs `prepare` when its turn comes and writes what it put, durable when resolved: all of it or nothing. Resolves in the order
   * of calls. Rejects with STORE_FAILED when the disk does not take it, or with whatever `prepare` threw.
   */
  commit(prepare: (transaction: Transaction) => void): Promise<void>
  /** `task` sees one moment of the store, everything that was durable when it started. */
  read<T>(task: (view: LevelView) => Promise<T>): Promise<T>
  /** One value, as `read` would give it, at a fraction of the cost. */
  value(key: Uint8Array): Promise<Uint8Array | undefined>
  /**
   * What was removed or replaced leaves the disk: until then Level keeps it in files that it has not rewritten yet. Costs a rewrite of all
   * of it.
   */
  compact?(): Promise<void>
  close(): Promise<void>
}

export interface Transaction {
  /** What is stored, or was put earlier in the same group. */
  get(key: Uint8Array): Uint8Array | undefined
  put(key: Uint8Array, value: Uint8Array): void
  remove(key: Uint8Array): void
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
  const queue: Task[] = []
  let flushing: Promise<void> | undefined
  let state: 'open' | 'write-failed' | 'down' = 'down'
  let unsweptBytes = 0
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
    await makeFilesPrivate(location)
  }
  const recover = async (): Promise<void> => {
    if (state === 'write-failed') assertRoom(location)
    await readers.alone(async () => {
      if (state === 'write-failed') await db.close()
      state = 'down'
      await open()
    })
  }
  const flush = async (): Promise<void> => {
    while (queue.length > 0) await flushGroup()
    flushing = undefined // in the same turn as the queue was seen empty: the next call starts anew
  }
  const flushGroup = async (): Promise<void> => {
    if (state !== 'open') {
      try {
        await recover()
      } catch (error) {
        for (const task of queue.splice(0)) task.reject(error)
        return
      }
    }
    const group = prepareGroup(queue, key => db.getSync(key))
    if (group.tasks.length === 0) return
    try {
      await write(db, group)
    } catch (error) {
      state = 'write-failed'
      const failure = new SegueError('STORE_FAILED', {}, { cause: error })
      for (const task of group.tasks) task.reject(failure)
      return
    }
    for (const task of group.tasks) task.resolve()
    unsweptBytes += group.bytes
    if (unsweptBytes < SWEEP_EVERY_BYTES) return
    unsweptBytes = 0
    await makeFilesPrivate(location, privateFiles)
  }

  const closeNow = async (): Promise<void> => {
    await flushing
    await readers.alone(async () => {
      state = 'down'
      await db.close()
      await makeFilesPrivate(location)
    })
  }
  let closed: Promise<void> | undefined

  await open()
  return {
    commit(prepare) {
      if (isClosing) return Promise.reject(new SegueError('CLOSED'))
      return new Promise((resolve, reject) => {
        queue.push({ prepare, resolve, reject })
        // One turn later, so that calls made together are written together.
        flushing ??= Promise.resolve().then(flush)
      })
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
    async value(key) {
      if (isClosing) throw new SegueError('CLOSED')
      return readers.one(async () => {
        if (state === 'down') throw new SegueError(isClosing ? 'CLOSED' : 'STORE_FAILED')
        return db.getSync(key)
      })
    },
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

interface Task {
  readonly prepare: (transaction: Transaction) => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

type Snapshot = ReturnType<Level['snapshot']>

/** Bounds the memory of one group; a single task may be larger. */
const GROUP_BYTES = 16 * 1_024 * 1_024
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

type Write = { readonly key: Uint8Array; readonly value: Uint8Array | undefined }

interface Group {
  readonly tasks: readonly Task[]
  readonly writes: Iterable<Write>
  readonly bytes: number
}

/** A chained batch: Level copies and checks every operation of an array as an object of its own, which costs twice the rest. */
async function write(db: Level<Uint8Array, Uint8Array>, { writes }: Group): Promise<void> {
  const batch = db.batch()
  for (const { key, value } of writes) {
    if (value === undefined) batch.del(key)
    else batch.put(key, value)
  }
  await batch.write({ sync: true })
}

/** Takes tasks from the queue until they are many bytes. One that throws is rejected and leaves nothing in the group. */
function prepareGroup(queue: Task[], stored: (key: Uint8Array) => Uint8Array | undefined): Group {
  const writes = new Map<string, Write>()
  const seen = new Map<string, Uint8Array | undefined>()
  const tasks: Task[] = []
  const size = { bytes: 0 }
  while (queue.length > 0 && size.bytes < GROUP_BYTES) {
    const task = queue.shift() as Task
    const before: (readonly [name: string, write: Write | undefined])[] = []
    const put = (key: Uint8Array, value: Uint8Array | undefined): void => {
      const name = nameOf(key)
      before.push([name, writes.get(name)])
      writes.set(name, { key, value })
      size.bytes += key.length + (value?.length ?? 0)
    }
    try {
      task.prepare({
        get(key) {
          const name = nameOf(key)
          const write = writes.get(name)
          if (write !== undefined) return write.value
          if (seen.has(name)) return seen.get(name)
          const value = stored(key)
          seen.set(name, value)
          return value
        },
        put,
        remove: key => put(key, undefined),
      })
    } catch (error) {
      for (const [name, write] of before.toReversed()) {
        if (write === undefined) writes.delete(name)
        else writes.set(name, write)
      }
      task.reject(error)
      continue
    }
    tasks.push(task)
  }
  return { tasks, writes: writes.values(), bytes: size.bytes }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
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
