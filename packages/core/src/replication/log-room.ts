/**
 * Every device keeps the group's log whole, so somebody who can write entries could fill every disk. From others only so many log
 * chunks are stored; when there are that many, those go that the inspector would not take any more.
 */
import { GROUP_DOC_TAG, type ChunkId } from '../lib/ids.ts'
import { MINUTE_MS } from '../lib/units.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Inspector } from '../ports/inspector.ts'
import { MAX_LOG_ENTRIES } from '../wire/limits.ts'
import type { Journal } from './journal-types.ts'
import type { Summary } from './summary.ts'
import { slicesOf } from './sync-records.ts'

export interface LogRoom {
  /** Whether a log chunk that came may be stored. Its place is taken until `settled`. */
  take(id: ChunkId): Promise<boolean>
  settled(ids: Iterable<ChunkId>): void
}

export interface LogRoomParts {
  readonly store: ChunkStore
  readonly clock: Clock
  readonly inspector: Inspector
  readonly journal: Pick<Journal, 'drop'>
  readonly summary: Pick<Summary, 'log'>
  readonly maxLogChunks?: number | undefined
}

export function createLogRoom(parts: LogRoomParts): LogRoom {
  const { store, clock, inspector, journal, summary, maxLogChunks = MAX_LOG_CHUNKS } = parts
  const taken = new Set<ChunkId>()
  let sweeping: Promise<void> | undefined
  let sweptAt = Number.NEGATIVE_INFINITY

  const isFull = (): boolean => summary.log().count + taken.size >= maxLogChunks
  const sweep = async (): Promise<void> => {
    if (clock.monotonic() - sweptAt < SWEEP_EVERY_MS) return
    sweptAt = clock.monotonic()
    const stored = (await store.listDocument(GROUP_DOC_TAG)).filter(record => record.class === 'log')
    for (const slice of slicesOf(stored, 64)) {
      const chunks = await store.getMany(slice.map(({ id }) => id))
      const verdicts = await Promise.all(chunks.map(async chunk => inspector.inspect(chunk)))
      const bad = chunks.filter((_, i) => verdicts[i]?.kind === 'bad')
      if (bad.length > 0) await journal.drop(bad)
      await clock.sleep(0)
    }
  }
  return {
    async take(id) {
      if (isFull()) {
        if ((await store.head(id)) !== undefined) return true
        sweeping ??= sweep().finally(() => (sweeping = undefined))
        await sweeping
        if (isFull()) return false
      }
      taken.add(id)
      return true
    },
    settled(ids) {
      for (const id of ids) taken.delete(id)
    },
  }
}

/** What a group's log keeps, as much that waits for its parents, and as much that was pushed out since the last look. */
const MAX_LOG_CHUNKS: number = 3 * MAX_LOG_ENTRIES
const SWEEP_EVERY_MS: number = MINUTE_MS
