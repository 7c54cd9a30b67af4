/**
 * What removals do to what was said without knowing of them. A *world* is what one set of removals makes of the log: which of them
 * prevail, which entries they void, and the facts that are left. It depends on nothing but that set, so two pasts with the same
 * removals lie in one world, and only an entry that is concurrent with a removal is ever judged anew.
 *
 * A removal voids its target's entries that are not in its past, and what rests on them: an entry rests on the adds of its author and,
 * if only an admin may write it, on the words that made the author one. It stands as long as one of each stands. Removals are taken in
 * order of rank; one prevails unless those before it void it or it would, with them, leave no admin of those its past had. What a
 * removal that prevails rests on is safe from removals of lower rank. Whether a phrase was rightly named is decided before, among the
 * removals of devices by other devices alone.
 */
import type { DeviceId, EntryId } from '../lib/ids.ts'
import type { SignedEntry } from './entry.ts'
import { NO_FACTS, adminWordsOf, adminsOf, compareRanks, joinFacts, type GroupFacts, type Rank } from './facts.ts'
import { comparePositions, type Position } from './graph.ts'
import { applyEntry, rankOf } from './reduce.ts'
import { brokenRule, isPhrase, restsOnRole, type RuleName } from './validate.ts'

/** A set of removals: a path in a tree, in the order of their positions, so that equal sets are the same object. */
export interface RemovalSet {
  readonly last: EntryId | undefined
  readonly before: RemovalSet | undefined
  readonly following: Map<EntryId, RemovalSet>
}

/** What the past of an entry says of it, for ever. */
export interface Verdict {
  readonly entry: SignedEntry
  readonly at: Position
  /** Undefined: it counts unless a removal voids it. */
  readonly rule: RuleName | undefined
  /** Of a removal. */
  readonly rank: Rank | undefined
  readonly removes: DeviceId | undefined
  /** It stands as long as one entry of each of these does. */
  readonly restsOn: readonly (readonly EntryId[])[]
  /** Of a removal: what each admin that it leaves rests on. */
  readonly leaves: readonly { readonly id: DeviceId; readonly restsOn: readonly (readonly EntryId[])[] }[]
  /** The removals in its past, itself included. */
  readonly removals: RemovalSet
  /** The facts of its past and itself. */
  readonly facts: GroupFacts
}

export interface Worlds {
  /** Judges an entry whose parents were judged. */
  judge(entry: SignedEntry, at: Position): Verdict
  forget(id: EntryId): void
  verdictOf(id: EntryId): Verdict | undefined
  /** The facts of everything that these entries descend from, themselves included. */
  factsOf(heads: readonly EntryId[]): GroupFacts
  /** For the whole that these heads are of: whether a removal voids an entry that would count. */
  voidedBy(heads: readonly EntryId[]): (id: EntryId) => boolean
  /** The removals that prevail, by rank. */
  prevailing(heads: readonly EntryId[]): readonly EntryId[]
}

/** `isBefore`: whether the first is in the causal past of the second. */
export function createWorlds(isBefore: (ancestor: EntryId, of: EntryId) => boolean): Worlds {
  const verdicts = new Map<EntryId, Verdict>()
  const noRemovals: RemovalSet = { last: undefined, before: undefined, following: new Map() }
  const worlds = new Map<RemovalSet, World>()

  const verdictOf = (id: EntryId): Verdict => {
    const verdict = verdicts.get(id)
    if (verdict === undefined) throw new RangeError(`entry ${id} is not linked`)
    return verdict
  }
  const withRemoval = (set: RemovalSet, id: EntryId): RemovalSet => {
    const known = set.following.get(id)
    if (known !== undefined) return known
    const more: RemovalSet = { last: id, before: set, following: new Map() }
    set.following.set(id, more)
    return more
  }
  const unite = (ids: readonly EntryId[]): RemovalSet => {
    const sets = new Set(ids.map(id => verdictOf(id).removals))
    const [first = noRemovals, ...others] = sets
    if (others.length === 0) return first
    const all = new Map([...sets].flatMap(membersOf).map(id => [id, verdictOf(id).at]))
    return [...all.values()].sort(comparePositions).reduce((set, { id }) => withRemoval(set, id), noRemovals)
  }
  const worldOf = (removals: RemovalSet): World => {
    const known = worlds.get(removals)
    if (known !== undefined) return known
    const world = createWorld(membersOf(removals).map(verdictOf), verdictOf, isBefore)
    if (worlds.size >= MAX_WORLDS) worlds.clear()
    worlds.set(removals, world)
    return world
  }
  /** The facts that the entries before an entry leave in a world; those of an entry that is concurrent with no removal are its own. */
  const factsIn = (removals: RemovalSet, heads: readonly EntryId[]): GroupFacts => {
    const verdictsOf = heads.map(verdictOf)
    if (verdictsOf.every(verdict => verdict.removals === removals)) return joinAll(verdictsOf.map(verdict => verdict.facts))
    const world = worldOf(removals)
    const members = membersOf(removals)
    const isHome = (id: EntryId, verdict: Verdict): boolean =>
      verdict.removals === removals || members.every(removal => removal === id || isBefore(removal, id) || isBefore(id, removal))
    const waiting = [...heads]
    for (let id = waiting.at(-1); id !== undefined; id = waiting.at(-1)) {
      if (world.facts.has(id)) {
        waiting.pop()
        continue
      }
      const verdict = verdictOf(id)
      if (isHome(id, verdict)) {
        world.facts.set(id, verdict.facts)
        continue
      }
      const missing = verdict.entry.parents.filter(parent => !world.facts.has(parent))
      if (missing.length > 0) {
        waiting.push(...missing)
        continue
      }
      const past = joinAll(verdict.entry.parents.map(parent => world.facts.get(parent) ?? NO_FACTS))
      const counts = verdict.rule === undefined && !world.isVoid(id)
      world.facts.set(id, counts ? applyEntry(past, verdict.entry, verdict.at, verdict.rank) : past)
    }
    return joinAll(heads.map(id => world.facts.get(id) ?? NO_FACTS))
  }

  return {
    judge(entry, at) {
      const before = unite(entry.parents)
      const past = factsIn(before, entry.parents)
      const rule = brokenRule(entry, past)
      const rank = rule === undefined ? rankOf(entry, past, at) : undefined
      const removes = rank === undefined ? undefined : entry.content.kind === 'remove' ? entry.content.target : entry.author
      const verdict: Verdict = {
        entry,
        at,
        rule,
        rank,
        removes,
        restsOn: rule === undefined ? groundsOf(entry, past) : [],
        leaves:
          entry.content.kind === 'remove' && rank?.isRecovery === false
            ? adminsOf(past)
                .filter(({ id }) => id !== removes)
                .map(({ id }) => ({ id, restsOn: deviceGrounds(past, id, true) }))
            : [],
        removals: rank === undefined ? before : withRemoval(before, entry.id),
        facts: rule === undefined ? applyEntry(past, entry, at, rank) : past,
      }
      verdicts.set(entry.id, verdict)
      return verdict
    },
    forget(id) {
      const verdict = verdicts.get(id)
      verdicts.delete(id)
      if (verdict?.rank !== undefined) worlds.clear()
      else for (const world of worlds.values()) world.facts.delete(id)
    },
    verdictOf: id => verdicts.get(id),
    factsOf: heads => factsIn(unite(heads), heads),
    voidedBy: heads => worldOf(unite(heads)).isVoid,
    prevailing: heads => worldOf(unite(heads)).prevailing,
  }
}

// Concurrent branches with different removals; each is made anew when it is asked for again.
const MAX_WORLDS = 16

interface World {
  readonly prevailing: readonly EntryId[]
  readonly isVoid: (id: EntryId) => boolean
  /** Of entries and their pasts, as far as they were asked for. */
  readonly facts: Map<EntryId, GroupFacts>
}

function createWorld(
  removals: readonly Verdict[],
  verdictOf: (id: EntryId) => Verdict,
  isBefore: (ancestor: EntryId, of: EntryId) => boolean,
): World {
  const resolve = (among: readonly Verdict[], fallen: readonly EntryId[]): World => resolveAmong(among, fallen, verdictOf, isBefore)
  const byPhrases = removals.filter(({ rank }) => rank?.isRecovery === true)
  if (byPhrases.length === 0) return resolve(removals, [])
  // A phrase outranks all devices, but what names it is the word of one: it stands or falls before, with what devices do to each other.
  // Or whoever was an admin once could, removed, name a phrase in a past of its own making and be the first of all.
  const devicesAlone = resolve(
    removals.filter(({ rank, removes, entry }) => rank?.isRecovery === false && removes !== entry.author),
    [],
  )
  const namings = new Set(byPhrases.flatMap(({ restsOn }) => restsOn.flat()))
  return resolve(
    removals,
    [...namings].filter(id => devicesAlone.isVoid(id)),
  )
}

function resolveAmong(
  removals: readonly Verdict[],
  fallenBefore: readonly EntryId[],
  verdictOf: (id: EntryId) => Verdict,
  isBefore: (ancestor: EntryId, of: EntryId) => boolean,
): World {
  const prevailing: Verdict[] = []
  const strikes = new Map<DeviceId, { readonly removal: EntryId; readonly turn: number }[]>()
  /** From which turn on an entry is safe: a removal that prevailed then rests on it. */
  const safeFrom = new Map<EntryId, number>()
  /** What names a phrase and fell before, and removals that would leave no admin. */
  const fallen = new Set<EntryId>(fallenBefore)

  const isStruck = (id: EntryId, author: DeviceId): boolean =>
    strikes.get(author)?.some(({ removal, turn }) => removal !== id && turn < (safeFrom.get(id) ?? Infinity) && !isBefore(id, removal)) ??
    false
  const createIsVoid = (): ((id: EntryId) => boolean) => {
    const known = new Map<EntryId, boolean>()
    const isVoid = (id: EntryId): boolean => {
      const answer = known.get(id)
      if (answer !== undefined) return answer
      const verdict = verdictOf(id)
      const voided = fallen.has(id) || isStruck(id, verdict.entry.author) || !stands(verdict.restsOn, isVoid)
      known.set(id, voided)
      return voided
    }
    return isVoid
  }
  const strike = (target: DeviceId, removal: EntryId, turn: number): void => {
    strikes.set(target, [...(strikes.get(target) ?? []), { removal, turn }])
  }
  /** What the entry rests on, all the way down, as far as it stands. */
  const groundOf = (id: EntryId, isVoid: (id: EntryId) => boolean): ReadonlySet<EntryId> => {
    const ground = new Set<EntryId>()
    const below = [id]
    for (let next = below.pop(); next !== undefined; next = below.pop()) {
      if (ground.has(next) || isVoid(next)) continue
      ground.add(next)
      below.push(...verdictOf(next).restsOn.flat())
    }
    return ground
  }

  const inOrder = removals.toSorted((a, b) => (a.rank === undefined || b.rank === undefined ? 0 : compareRanks(a.rank, b.rank)))
  inOrder.forEach((removal, turn) => {
    const { id } = removal.entry
    const isVoid = createIsVoid()
    if (removal.removes === undefined || isVoid(id)) return
    const before = strikes.get(removal.removes)
    const ground = [...groundOf(id, isVoid)].filter(each => !safeFrom.has(each))
    for (const each of ground) safeFrom.set(each, turn)
    strike(removal.removes, id, turn)
    const isVoidNow = createIsVoid()
    const gone = new Set([...prevailing, removal].map(each => each.removes))
    if (removal.leaves.length > 0 && !removal.leaves.some(admin => !gone.has(admin.id) && stands(admin.restsOn, isVoidNow))) {
      fallen.add(id)
      for (const each of ground) safeFrom.delete(each)
      if (before === undefined) strikes.delete(removal.removes)
      else strikes.set(removal.removes, before)
      return
    }
    prevailing.push(removal)
  })
  return { prevailing: prevailing.map(({ entry }) => entry.id), isVoid: createIsVoid(), facts: new Map() }
}

function stands(restsOn: readonly (readonly EntryId[])[], isVoid: (id: EntryId) => boolean): boolean {
  return restsOn.every(grounds => grounds.some(id => !isVoid(id)))
}

function groundsOf(entry: SignedEntry, past: GroupFacts): readonly (readonly EntryId[])[] {
  if (entry.content.kind === 'genesis') return []
  if (isPhrase(past, entry.author)) return [(past.recoveryKeys.get(entry.author) ?? []).map(({ id }) => id)]
  return deviceGrounds(past, entry.author, restsOnRole(entry))
}

/** What a device's being a member, or an admin, rests on. */
function deviceGrounds(past: GroupFacts, id: DeviceId, asAdmin: boolean): readonly (readonly EntryId[])[] {
  const device = past.devices.get(id)
  if (device === undefined) return []
  const adds = device.adds.map(at => at.id)
  return asAdmin ? [adds, adminWordsOf(device)] : [adds]
}

function membersOf(set: RemovalSet): readonly EntryId[] {
  const members: EntryId[] = []
  for (let at: RemovalSet | undefined = set; at?.last !== undefined; at = at.before) members.push(at.last)
  return members
}

function joinAll(all: readonly GroupFacts[]): GroupFacts {
  return all.reduce(joinFacts, NO_FACTS)
}
