/** What waits to be written, and how much of it goes into one batch. */
import type { DocTag } from '../lib/ids.ts'
import type { ChunkHeader } from '../ports/sealed-chunk.ts'
import type { JournalItem } from './journal.ts'
import { MAX_BATCH_BYTES, MAX_BATCH_ITEMS } from './pace.ts'
import type { RetireRequest } from './retired.ts'

export interface Task {
  readonly items: readonly JournalItem[]
  readonly reconsider: readonly DocTag[]
  readonly drop: readonly ChunkHeader[]
  readonly retire: readonly RetireRequest[]
  readonly expire: readonly string[]
  readonly doubt: readonly { readonly chunk: ChunkHeader; readonly doubt: Uint8Array }[]
  /** Without `at`: not any more. */
  readonly deleted: readonly { readonly docTag: DocTag; readonly at: number | undefined }[]
  /** Not kept here, or again. */
  readonly leaving: readonly { readonly docTag: DocTag; readonly isLeftOut: boolean }[]
  readonly recount: boolean
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

export const NO_TASK: Omit<Task, 'resolve' | 'reject'> = {
  items: [],
  reconsider: [],
  drop: [],
  retire: [],
  expire: [],
  doubt: [],
  deleted: [],
  leaving: [],
  recount: false,
  bytes: 0,
}

/** At least one task, then as many as fit. A recount, a deletion and what is left out go alone: they look at what is on disk. */
export function takeBatch(queue: readonly Task[]): { taken: Task[]; rest: Task[] } {
  const alone = queue.findIndex(task => task.recount || task.deleted.length > 0 || task.leaving.length > 0)
  if (alone >= 0 && alone <= 1) return { taken: queue.slice(0, 1), rest: queue.slice(1) }
  if (alone > 1) {
    const { taken, rest } = takeBatch(queue.slice(0, alone))
    return { taken, rest: [...rest, ...queue.slice(alone)] }
  }
  let bytes = 0
  let items = 0
  let count = 0
  for (const task of queue) {
    bytes += task.bytes
    items += task.items.length
    if (count > 0 && (bytes > MAX_BATCH_BYTES || items > MAX_BATCH_ITEMS)) break
    count++
  }
  return { taken: queue.slice(0, count), rest: queue.slice(count) }
}
