/**
 * Whether an entry that somebody sends is worth storing: it can be of this group and there is room for it. Entries come before their
 * parents, and before those who wrote them were added; so many of each are believed in, no more.
 */
import type { DeviceId, EntryId } from '../lib/ids.ts'
import { MAX_LOG_ENTRIES } from '../wire/limits.ts'
import type { SignedEntry } from './entry.ts'
import { MAX_HELD_ENTRIES, type GroupGraph } from './resolve.ts'

export interface AdmissionLimits {
  /** Entries whose parents are not here. */
  readonly maxWaiting?: number
  /** Of those: of authors nobody here has heard of. */
  readonly maxUnknown?: number
}

/** Ask about entries whose signature was verified. */
export function createAdmission(
  graph: Pick<GroupGraph, 'has' | 'wouldKeep'>,
  knows: (author: DeviceId) => boolean,
  { maxWaiting = MAX_LOG_ENTRIES, maxUnknown = MAX_HELD_ENTRIES }: AdmissionLimits = {},
): (entry: SignedEntry) => boolean {
  const waiting = new Map<EntryId, DeviceId>()

  return entry => {
    if (graph.has(entry.id)) return true
    const keeps = graph.wouldKeep(entry)
    if (keeps !== undefined) {
      waiting.delete(entry.id)
      return keeps
    }
    if (waiting.has(entry.id)) return true
    const isUnknown = (author: DeviceId): boolean => !knows(author)
    const isFull = (): boolean =>
      waiting.size >= maxWaiting || (isUnknown(entry.author) && [...waiting.values()].filter(isUnknown).length >= maxUnknown)
    if (isFull()) for (const id of waiting.keys()) if (graph.has(id)) waiting.delete(id)
    if (isFull()) return false
    waiting.set(entry.id, entry.author)
    return true
  }
}
