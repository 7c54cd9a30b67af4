/** What is shown for review, document by document; an edit that a claim may still be on its way for is kept back for a while. */
import type { DocTag } from '../../lib/ids.ts'
import { createSubject, type Observable } from '../../lib/observable.ts'
import type { Clock } from '../../ports/clock.ts'
import { GRACE_MS, type LateEdit } from './contract.ts'
import type { ReviewItem } from './review.ts'

export interface ReviewList {
  readonly list: Observable<readonly LateEdit[]>
  /** Of a document, shown or kept back. */
  of(tag: DocTag): readonly ReviewItem[]
  /** Of documents that have any. */
  tags(): Iterable<DocTag>
  set(tag: DocTag, found: readonly ReviewItem[]): void
  find(id: string): { readonly tag: DocTag; readonly item: ReviewItem } | undefined
  close(): void
}

/** `onDue`: before anything is shown for the first time; the document is to be looked at again, and `set` called. */
export function createReviewList(clock: Clock, onDue: (tag: DocTag) => void): ReviewList {
  const list = createSubject<readonly LateEdit[]>([])
  const items = new Map<DocTag, readonly ReviewItem[]>()
  /** Monotonic time at which a change was first seen, by its hash. */
  const seenAt = new Map<string, number>()
  let isClosed = false
  let cancel: (() => void) | undefined

  const refresh = (): void => {
    cancel?.()
    cancel = undefined
    const now = clock.monotonic()
    const all = [...items.values()].flat()
    const ageOf = ({ hashes }: ReviewItem): number => now - Math.max(...hashes.map(hash => seenAt.get(hash) ?? now))
    const next = all.filter(item => ageOf(item) >= GRACE_MS).toSorted(byTimeThenId)
    const present = list.peek()
    if (next.length !== present.length || next.some(({ id }, i) => id !== present[i]?.id)) list.set(next.map(toShown))
    const left = all.map(item => GRACE_MS - ageOf(item)).filter(ms => ms > 0)
    if (left.length > 0 && !isClosed) cancel = clock.after(Math.min(...left), lookAgain)
  }
  /** A claim may have come meanwhile, or have been written here. */
  const lookAgain = (): void => {
    const shown = new Set(list.peek().map(({ id }) => id))
    for (const [tag, all] of items) if (all.some(({ id }) => !shown.has(id))) onDue(tag)
  }
  return {
    list,
    of: tag => items.get(tag) ?? [],
    tags: () => items.keys(),
    set(tag, found) {
      if (found.length === 0 && !items.has(tag)) return
      for (const { hashes } of items.get(tag) ?? []) if (found.length === 0) for (const hash of hashes) seenAt.delete(hash)
      if (found.length === 0) items.delete(tag)
      else items.set(tag, found)
      const now = clock.monotonic()
      for (const { hashes } of found) for (const hash of hashes) if (!seenAt.has(hash)) seenAt.set(hash, now)
      refresh()
    },
    find(id) {
      for (const [tag, all] of items) for (const item of all) if (item.id === id) return { tag, item }
      return undefined
    },
    close() {
      isClosed = true
      cancel?.()
    },
  }
}

function byTimeThenId(a: LateEdit, b: LateEdit): number {
  return (a.time ?? 0) - (b.time ?? 0) || (a.id < b.id ? -1 : 1)
}

function toShown({ heads: _, hashes: __, ...edit }: ReviewItem): LateEdit {
  return edit
}
