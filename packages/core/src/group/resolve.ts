/**
 * Evaluates a set of entries: which count, and what they say together. A pure function of the set. Each entry is judged by the facts
 * of its causal past, which never change once its parents are linked, and are therefore remembered.
 */
import type { EntryId, GroupId } from '../lib/ids.ts'
import { MAX_LOG_ENTRIES } from '../wire/limits.ts'
import type { SignedEntry } from './entry.ts'
import { NO_FACTS, joinFacts, type GroupFacts } from './facts.ts'
import { createGraph, type Graph } from './graph.ts'
import { applyEntry, devicesOf, relaysOf, type GroupDevice, type GroupRelay } from './reduce.ts'
import { RULES, brokenRule, type RuleName } from './validate.ts'

/** Entries whose parents are still on their way. More are let go; replication brings them again. */
export const MAX_HELD_ENTRIES = 1_000

export interface GroupEvaluation {
  readonly devices: readonly GroupDevice[]
  readonly relays: readonly GroupRelay[]
  readonly heads: readonly EntryId[]
  /** Entries that count, by (depth, id). */
  readonly counting: readonly SignedEntry[]
  /** Entries that are kept but do not count, with the rule they break. */
  readonly refused: ReadonlyMap<EntryId, RuleName>
  /** An entry that counts says something this version does not understand. */
  readonly needsUpdate: boolean
}

export interface GroupGraph extends Graph<SignedEntry> {
  evaluation(): GroupEvaluation
  /** The facts of an entry's past. Throws RangeError unless all its parents are linked. */
  pastFacts(entry: Pick<SignedEntry, 'parents'>): GroupFacts
}

/** The evaluation of entries whose signatures were verified, in whatever order they stand. Parentless ones other than the genesis and those of other groups are ignored. */
export function evaluate(group: GroupId, entries: Iterable<SignedEntry>): GroupEvaluation {
  const graph = createGroupGraph(group, { maxHeld: Number.POSITIVE_INFINITY })
  for (const entry of entries) if (entry.group === group) graph.add(entry)
  return graph.evaluation()
}

/** The graph of one group. Takes verified entries of this group only. */
export function createGroupGraph(
  group: GroupId,
  { maxEntries = MAX_LOG_ENTRIES, maxHeld = MAX_HELD_ENTRIES }: { readonly maxEntries?: number; readonly maxHeld?: number } = {},
): GroupGraph {
  const factsAfter = new Map<EntryId, GroupFacts>()
  const refused = new Map<EntryId, RuleName>()

  const factsOf = (id: EntryId): GroupFacts => {
    const facts = factsAfter.get(id)
    if (facts === undefined) throw new RangeError(`entry ${id} is not linked`)
    return facts
  }
  const pastFacts = (entry: Pick<SignedEntry, 'parents'>): GroupFacts =>
    entry.parents.reduce((facts, parent) => joinFacts(facts, factsOf(parent)), NO_FACTS)
  const graph = createGraph<SignedEntry>({
    maxEntries,
    maxHeld,
    admits: entry => entry.content.kind === 'genesis' || mayBelong(entry, pastFacts(entry)),
    onLinked(entry, at) {
      const past = pastFacts(entry)
      const rule = brokenRule(entry, past)
      if (rule !== undefined) refused.set(entry.id, rule)
      factsAfter.set(entry.id, rule === undefined ? applyEntry(past, entry, at) : past)
    },
    onEvicted(entry) {
      refused.delete(entry.id)
      factsAfter.delete(entry.id)
    },
  })
  const evaluation = (): GroupEvaluation => {
    const all = graph.heads().reduce((facts, head) => joinFacts(facts, factsOf(head)), NO_FACTS)
    return {
      devices: devicesOf(all),
      relays: relaysOf(all),
      heads: graph.heads(),
      counting: graph.ordered().filter(entry => !refused.has(entry.id)),
      refused: new Map(refused),
      needsUpdate: all.hasUnknown,
    }
  }
  return {
    ...graph,
    add(entry) {
      if (entry.group !== group) throw new RangeError('an entry of another group')
      return graph.add(entry)
    },
    evaluation,
    pastFacts,
  }
}

/**
 * Entries of somebody who was never added are not even kept: a stranger must not be able to fill the log. After an entry of an
 * unknown kind they are, since it may have added them in a way that this version does not understand.
 */
function mayBelong(entry: SignedEntry, past: GroupFacts): boolean {
  return RULES.authorWasAdded(entry, past) || past.hasUnknown
}
