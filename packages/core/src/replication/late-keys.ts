/**
 * What is stored unread is looked at again when a key comes. What was found unreadable just before, and is on its way to the disk at that
 * moment, is looked at again once it is there.
 */
import type { ChunkId, DocTag } from '../lib/ids.ts'
import { MINUTE_MS } from '../lib/units.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Inspector } from '../ports/inspector.ts'
import type { Logger } from '../ports/logger.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Journal, JournalItem } from './journal-types.ts'

export interface LateKeys {
  /** Resolves when everything stored unread was looked at. */
  onKeysChanged(): Promise<void>
  /** Stored unread just now. */
  onUnread(ids: readonly ChunkId[]): void
}

interface Parts {
  readonly store: ChunkStore
  readonly inspector: Inspector
  readonly journal: Pick<Journal, 'drop' | 'write'>
  readonly unchecked: ReadonlyMap<ChunkId, DocTag>
  readonly clock: Clock
  readonly logger: Logger | undefined
}

export function createLateKeys({ store, inspector, journal, unchecked, clock, logger }: Parts): LateKeys {
  let changedAt = Number.NEGATIVE_INFINITY
  const readAgain = async (ids: readonly ChunkId[]): Promise<void> => {
    const items: JournalItem[] = []
    const bad: SealedChunk[] = []
    for (const stored of await store.getMany(ids)) {
      const verdict = await inspector.inspect(stored)
      if (verdict.kind === 'bad') bad.push(stored)
      if (verdict.kind === 'good') items.push({ chunk: stored, contents: verdict, origin: 'read' })
    }
    if (bad.length > 0) await journal.drop(bad)
    if (items.length > 0) await journal.write(items)
  }
  return {
    onKeysChanged() {
      changedAt = clock.monotonic()
      return readAgain([...unchecked.keys()])
    },
    onUnread(ids) {
      if (ids.length === 0 || clock.monotonic() - changedAt > ON_THE_WAY_MS) return
      readAgain(ids).catch((error: unknown) => logger?.warn('keys-not-tried', { error: String(error) }))
    },
  }
}

/** Longer than anything is on its way to a disk that takes it. */
const ON_THE_WAY_MS: number = MINUTE_MS
