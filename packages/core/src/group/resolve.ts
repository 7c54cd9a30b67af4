/**
 * Evaluates a set of entries: which count, and what they say together. A pure function of the set. Each entry is judged by the facts
 * of its causal past, once and for ever; what removals void on top of that is a matter of the removals alone (`worlds.ts`).
 */
import type { EntryId, GroupId } from '../lib/ids.ts'
import { MAX_LOG_ENTRIES } from '../wire/limits.ts'
import { createAncestry } from './ancestry.ts'
import type { EntryContent, SignedEntry } from './entry.ts'
import { MAX_PARENTS } from './envelope.ts'
import type { GroupFacts } from './facts.ts'
import { createGraph, type Graph } from './graph.ts'
import { devicesOf, relaysOf, type GroupDevice, type GroupRelay } from './reduce.ts'
import type { GroupRecovery } from './trust.ts'
import { RULES, brokenRule, type RuleName } from './validate.ts'
import { createWorlds } from './worlds.ts'

/** Entries whose parents are still on their way. More are let go; replication brings them again. */
export const MAX_HELD_ENTRIES = 1_000

export interface GroupEvaluation {
  readonly devices: readonly GroupDevice[]
  readonly relays: readonly GroupRelay[]
  readonly recovery: GroupRecovery | undefined
  readonly heads: readonly EntryId[]
  /** Entries that count, by (depth, id). */
  readonly counting: readonly SignedEntry[]
  /** Entries that are kept but do not count, with the rule they break. */
  readonly refused: ReadonlyMap<EntryId, RuleName>
  /** Entries that would count if a removal did not void them. */
  readonly voided: ReadonlySet<EntryId>
  /** The removals of devices that prevail, by rank. */
  readonly removals: readonly EntryId[]
  /** An admin's entry that counts says something this version does not understand. */
  readonly needsUpdate: boolean
}

export interface GroupGraph extends Graph<SignedEntry> {
  evaluation(): GroupEvaluation
  /** The facts of an entry's past. Throws RangeError unless all its parents are linked. */
  pastFacts(entry: Pick<SignedEntry, 'parents'>): GroupFacts
  /** Whether an entry would be linked and stay; `undefined` while parents are missing. */
  wouldKeep(entry: SignedEntry): boolean | undefined
  /**
   * What a new entry descends from: the last decisions; a name also from the one before it; what is said of epochs also from the last
   * epochs. So no decision ever hangs from a name or a member's epoch, and nobody's name from another's.
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
  const ancestry = createAncestry()
  const worlds = createWorlds(ancestry.isBefore)
  const refused = new Map<EntryId, RuleName>()
  /** Entries that decide who belongs and what the group uses. */
  const decisions = new Set<EntryId>()
  /** Rotations that count by their past. Removals make epochs too, but are decisions. */
  const rotations = new Set<EntryId>()

  const pastFacts = (entry: Pick<SignedEntry, 'parents'>): GroupFacts => worlds.factsOf(entry.parents)
  const graph = createGraph<SignedEntry>({
    maxEntries,
    maxHeld,
    admits: entry => entry.content.kind === 'genesis' || mayBelong(entry, pastFacts(entry)),
    onLinked(entry, at) {
      const past = pastFacts(entry)
      ancestry.learn(entry)
      const { rule } = worlds.judge(entry, at)
      if (rule !== undefined) refused.set(entry.id, rule)
      else if (isDecision(entry, past)) decisions.add(entry.id)
      else if (entry.content.kind === 'rotate') rotations.add(entry.id)
    },
    onEvicted(entry) {
      refused.delete(entry.id)
      decisions.delete(entry.id)
      rotations.delete(entry.id)
      ancestry.forget(entry.id)
      worlds.forget(entry.id)
      if (!ancestry.isSparse()) return
      ancestry.clear()
      graph.ordered().forEach(ancestry.learn)
    },
    shareOf: entry => (decisions.has(entry.id) ? undefined : shareOfAuthor(entry, worlds.verdictOf(entry.id)?.facts)),
  })
  const lastOf = (ids: Iterable<EntryId>): readonly EntryId[] => {
    const last = new Set(ids)
    for (const id of [...last]) for (const parent of graph.get(id)?.parents ?? []) last.delete(parent)
    return [...last].sort()
  }
  const isUnderstood = (id: EntryId): boolean => worlds.verdictOf(id)?.facts.isFrozen !== true

  let latest: { readonly ordered: readonly SignedEntry[]; readonly evaluation: GroupEvaluation } | undefined
  const evaluation = (): GroupEvaluation => {
    const ordered = graph.ordered()
    if (latest?.ordered === ordered) return latest.evaluation
    const heads = graph.heads()
    const facts = worlds.factsOf(heads)
    const isVoid = worlds.voidedBy(heads)
    const voided = new Set<EntryId>()
    const counting = ordered.filter(({ id }) => {
      if (refused.has(id)) return false
      if (!isVoid(id)) return true
      voided.add(id)
      return false
    })
    const made: GroupEvaluation = {
      devices: devicesOf(facts),
      relays: relaysOf(facts),
      recovery: facts.recovery?.recovery,
      heads,
      counting,
      refused: new Map(refused),
      voided,
      removals: worlds.prevailing(heads).filter(id => graph.get(id)?.content.kind === 'remove'),
      needsUpdate: facts.isFrozen,
    }
    latest = { ordered, evaluation: made }
    return made
  }
  const addAll: GroupGraph['addAll'] = entries => {
    if (entries.some(entry => entry.group !== group)) throw new RangeError('an entry of another group')
    return graph.addAll(entries)
  }
  return {
    ...graph,
    isBefore: ancestry.isBefore,
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
      const all = worlds.factsOf(graph.heads())
      // While the group says what is not understood here, only what is understood is built on: so a removal can void the rest.
      const ids = [...decisions, ...(content.kind === 'rotate' || content.kind === 'wrap' ? rotations : [])]
      const last = lastOf(all.isFrozen ? ids.filter(isUnderstood) : ids)
      const named = content.kind === 'rename' ? all.devices.get(content.target)?.name.at.id : undefined
      return [...new Set([...(named === undefined ? [] : [named]), ...last])].slice(0, MAX_PARENTS)
    },
  }
}

/** Words of admins that count, but for names and epochs: these are everybody's, and must not fill the log for good. */
function isDecision(entry: SignedEntry, past: GroupFacts): boolean {
  const { kind } = entry.content
  return kind === 'genesis' || (kind !== 'rename' && kind !== 'rotate' && kind !== 'wrap' && RULES.needsAdmin(entry, past))
}

/**
 * Entries of somebody who was never added are not even kept: a stranger must not be able to fill the log. After an admin's entry of an
 * unknown kind they are, since it may have added them in a way that this version does not understand.
 */
function mayBelong(entry: SignedEntry, past: GroupFacts): boolean {
  return RULES.authorWasAdded(entry, past) || past.isFrozen
}

/** Whoever was not added by an entry that this version understands shares with all others of that kind. */
function shareOfAuthor({ author }: SignedEntry, facts: GroupFacts | undefined): string {
  return facts?.devices.has(author) === true || facts?.recoveryKeys.has(author) === true ? author : ''
}
