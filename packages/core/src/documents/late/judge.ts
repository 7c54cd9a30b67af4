/** Which suspect changes are taken: those that what is trusted builds on. Pure. */
import type { ChunkId } from '../../lib/ids.ts'
import type { CommitFacts } from '../commit.ts'

/** A change that a removed device may have written after this device learned of the removal. */
export interface Suspect extends CommitFacts {
  readonly bytes: Uint8Array
  readonly chunk: ChunkId
  /** When it came; the first time, where it came in several chunks. */
  readonly arrival: number
}

/** Something trusted that names a change, and by it all that the change depends on. */
export interface Root {
  readonly hash: string
  /** Only of what had arrived by then: whoever says so was removed later. */
  readonly until: number
}

/** Dependencies are walked through suspects only: whatever else there is stands in the document, or waits in it and is a root itself. */
export function takenOf(suspects: ReadonlyMap<string, Suspect>, roots: readonly Root[]): ReadonlySet<string> {
  const taken = new Set<string>()
  for (const { hash, until } of roots.toSorted((a, b) => b.until - a.until)) {
    const next = [hash]
    for (let at = next.pop(); at !== undefined; at = next.pop()) {
      const suspect = suspects.get(at)
      if (suspect === undefined || suspect.arrival > until || taken.has(at)) continue
      taken.add(at)
      next.push(...suspect.deps)
    }
  }
  return taken
}

/** Those of `hashes` and of what they depend on that are suspects, without regard to who says so. */
export function withAncestors(suspects: ReadonlyMap<string, Suspect>, hashes: Iterable<string>): ReadonlySet<string> {
  return takenOf(
    suspects,
    [...hashes].map(hash => ({ hash, until: Number.POSITIVE_INFINITY })),
  )
}

/** Those that none of the others depends on, sorted. */
export function headsAmong(suspects: readonly Pick<Suspect, 'hash' | 'deps'>[]): readonly string[] {
  const depended = new Set(suspects.flatMap(({ deps }) => deps))
  return suspects.flatMap(({ hash }) => (depended.has(hash) ? [] : [hash])).toSorted()
}
