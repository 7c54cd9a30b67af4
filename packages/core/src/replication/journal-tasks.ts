/** What waits to be written, and how much of it goes into one batch. */
import type { DocTag } from '../lib/ids.ts'
import type { ChunkHeader } from '../ports/sealed-chunk.ts'
import type { JournalItem } from './journal-types.ts'
import { FEW, MAX_BATCH_BYTES } from './pace.ts'
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

/** Others' turn comes first. */
export function isBulk(tasks: readonly Task[]): boolean {
  return tasks.reduce((sum, { items }) => sum + items.length, 0) > FEW
}

/** At least one task, then as many as fit. A recount, a deletion and what is left out go alone: they look at what is on disk. */
export function takeBatch(queue: readonly Task[], maxItems: number): { taken: Task[]; rest: Task[] } {
  const alone = queue.findIndex(task => task.recount || task.deleted.length > 0 || task.leaving.length > 0)
  if (alone >= 0 && alone <= 1) return { taken: queue.slice(0, 1), rest: queue.slice(1) }
  if (alone > 1) {
    const { taken, rest } = takeBatch(queue.slice(0, alone), maxItems)
    return { taken, rest: [...rest, ...queue.slice(alone)] }
  }
  let bytes = 0
  let items = 0
  let count = 0
  for (const task of queue) {
    bytes += task.bytes
    items += task.items.length
    if (count > 0 && (bytes > MAX_BATCH_BYTES || items > maxItems)) break
    count++
  }
  return { taken: queue.slice(0, count), rest: queue.slice(count) }
}
