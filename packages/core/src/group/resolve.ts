/**
 * Evaluates a set of entries: which count, and what they say together. A pure function of the set. Each entry is judged by the facts
 * of its causal past, which never change once its parents are linked, and are therefore remembered.
 */
import type { EntryId, GroupId } from '../lib/ids.ts'
import { MAX_LOG_ENTRIES } from '../wire/limits.ts'
import type { EntryContent, SignedEntry } from './entry.ts'
import { MAX_PARENTS } from './envelope.ts'
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
  /** Whether an entry would be linked and stay; `undefined` while parents are missing. */
  wouldKeep(entry: SignedEntry): boolean | undefined
  /**
   * What a new entry descends from: the last decisions, and a name also from the one before it. So no decision ever hangs from a name,
   * and nobody's name from another's.
   */
  parentsFor(content: EntryContent): readonly EntryId[]
}

/** The evaluation of entries whose signatures were verified, in whatever order they stand. Parentless ones other than the genesis and those of other groups are ignored. */
export function evaluate(group: GroupId, entries: Iterable<SignedEntry>): GroupEvaluation {
  const graph = createGroupGraph(group, { maxHeld: Number.POSITIVE_INFINITY })
  graph.addAll([...entries].filter(entry => entry.group === group))
  return graph.evaluation()
}

/** The graph of one group. Takes verified entries of this group only. */
export function createGroupGraph(
  group: GroupId,
  { maxEntries = MAX_LOG_ENTRIES, maxHeld = MAX_HELD_ENTRIES }: { readonly maxEntries?: number; readonly maxHeld?: number } = {},
): GroupGraph {
  const factsAfter = new Map<EntryId, GroupFacts>()
  const refused = new Map<EntryId, RuleName>()
  /** Entries that decide who belongs and what the group uses. */
  const decisions = new Set<EntryId>()

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
      if (rule === undefined && isDecision(entry, past)) decisions.add(entry.id)
      factsAfter.set(entry.id, rule === undefined ? applyEntry(past, entry, at) : past)
    },
    onEvicted(entry) {
      refused.delete(entry.id)
      decisions.delete(entry.id)
      factsAfter.delete(entry.id)
    },
    shareOf: entry => (decisions.has(entry.id) ? undefined : shareOfAuthor(entry, factsOf(entry.id))),
  })
  const decidedHeads = (): readonly EntryId[] => {
    const heads = new Set(decisions)
    for (const id of decisions) for (const parent of graph.get(id)?.parents ?? []) heads.delete(parent)
    return [...heads].sort()
  }
  const joinAll = (): GroupFacts => graph.heads().reduce((facts, head) => joinFacts(facts, factsOf(head)), NO_FACTS)
  const evaluation = (): GroupEvaluation => {
    const all = joinAll()
    return {
      devices: devicesOf(all),
      relays: relaysOf(all),
      heads: graph.heads(),
      counting: graph.ordered().filter(entry => !refused.has(entry.id)),
      refused: new Map(refused),
      needsUpdate: all.hasUnknown,
    }
  }
  const addAll: GroupGraph['addAll'] = entries => {
    if (entries.some(entry => entry.group !== group)) throw new RangeError('an entry of another group')
    return graph.addAll(entries)
  }
  return {
    ...graph,
    add: entry => addAll([entry]),
    addAll,
    evaluation,
    pastFacts,
    wouldKeep(entry) {
      if (entry.group !== group || entry.content.kind === 'genesis') return false
      if (!entry.parents.every(parent => graph.has(parent))) return undefined
      const past = pastFacts(entry)
      if (!mayBelong(entry, past)) return false
      const decides = brokenRule(entry, past) === undefined && isDecision(entry, past)
      return graph.hasRoomFor(entry, decides ? undefined : shareOfAuthor(entry, past))
    },
    parentsFor(content) {
      const target = content.kind === 'rename' ? content.target : undefined
      const named = target === undefined ? undefined : joinAll().devices.get(target)?.name.at.id
      return [...new Set([...(named === undefined ? [] : [named]), ...decidedHeads()])].slice(0, MAX_PARENTS)
    },
  }
}

/** Words of admins that count, but for names. */
function isDecision(entry: SignedEntry, past: GroupFacts): boolean {
  const { kind } = entry.content
  return kind === 'genesis' || (kind !== 'rename' && RULES.needsAdmin(entry, past))
}

/**
 * Entries of somebody who was never added are not even kept: a stranger must not be able to fill the log. After an entry of an
 * unknown kind they are, since it may have added them in a way that this version does not understand.
 */
function mayBelong(entry: SignedEntry, past: GroupFacts): boolean {
  return RULES.authorWasAdded(entry, past) || past.hasUnknown
}

/** Whoever was not added by an entry that this version understands shares with all others of that kind. */
function shareOfAuthor({ author }: SignedEntry, facts: GroupFacts): string {
  return facts.devices.has(author) ? author : ''
}
