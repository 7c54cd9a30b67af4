/**
 * Which changes of a document were made without knowledge of each other. The answer depends on the graph of changes alone,
 * not on the order in which they arrived, so every device that holds the same changes finds the same forks.
 *
 * Two concurrent changes oppose what one contains and the other does not, each to each. A *fork* is such a pair that no other
 * pair includes: an hour of typing on either side is one fork. Most history is one line: a change that contains everything
 * before it and is contained in everything after it is a *cut*, and only what lies between two cuts is looked at closely.
 * There each change gets a clock (how many changes of each actor it contains), and of each actor only those changes count
 * after which it learnt of others (or stopped): any pair of others is included in one of theirs.
 */
import type { ChangeMetadata } from '@automerge/automerge'

export interface Fork {
  /** The last change of either side; sorted. */
  readonly sides: readonly [string, string]
  /** Heads of what both sides contain. */
  readonly base: readonly string[]
  /** The first changes that the sides did not share; sorted. They stay the same while either side goes on. */
  readonly roots: readonly string[]
  /** Actors that wrote on either side. */
  readonly actors: readonly [ReadonlySet<string>, ReadonlySet<string>]
}

/** `changes` in causal order: parents before children, as Automerge gives them. */
export function forksOf(changes: readonly ChangeMetadata[]): readonly Fork[] {
  const indexOf = new Map(changes.map((change, i) => [change.hash, i]))
  const parents = changes.map(change => change.deps.flatMap(dep => indexOf.get(dep) ?? []))
  const forks: Fork[] = []
  let start = 0
  for (const cut of [...cutsOf(parents), changes.length]) {
    if (cut - start > 1) forks.push(...forksBetween(changes, parents, start, Math.min(cut, changes.length - 1)))
    start = cut + 1
  }
  return forks
}

function cutsOf(parents: readonly (readonly number[])[]): readonly number[] {
  // What a change at or after `i` reaches back to: a cut must not be skipped by a later one. Roots reach behind everything.
  const reach = Array.from({ length: parents.length + 1 }, () => parents.length)
  for (let i = parents.length - 1; i >= 0; i--) {
    const own = (parents[i] as readonly number[]).reduce((least, parent) => Math.min(least, parent), parents[i]?.length === 0 ? -1 : i)
    reach[i] = Math.min(reach[i + 1] as number, own)
  }
  const cuts: number[] = []
  const heads = new Set<number>()
  for (let i = 0; i < parents.length; i++) {
    for (const parent of parents[i] as readonly number[]) heads.delete(parent)
    heads.add(i)
    if (heads.size === 1 && (reach[i + 1] as number) >= i) cuts.push(i)
  }
  return cuts
}

/** The forks among the changes `first`..`last`; the change before `first`, if any, is a cut. */
function forksBetween(
  changes: readonly ChangeMetadata[],
  parents: readonly (readonly number[])[],
  first: number,
  last: number,
): readonly Fork[] {
  const chains = new Map<string, number[]>()
  const clocks = new Map<number, ReadonlyMap<string, number>>()
  for (let i = first; i <= last; i++) {
    const { actor } = changes[i] as ChangeMetadata
    const clock = new Map<string, number>()
    for (const parent of parents[i] as readonly number[]) {
      for (const [name, count] of clocks.get(parent) ?? []) clock.set(name, Math.max(count, clock.get(name) ?? 0))
    }
    const chain = chains.get(actor) ?? []
    chain.push(i)
    chains.set(actor, chain)
    clock.set(actor, chain.length)
    clocks.set(i, clock)
  }
  const actorOf = (i: number): string => (changes[i] as ChangeMetadata).actor
  const count = (i: number, actor: string): number => clocks.get(i)?.get(actor) ?? 0
  const knows = (i: number, j: number): boolean => count(i, actorOf(j)) >= count(j, actorOf(j))
  const learnsNext = (chain: readonly number[], at: number): boolean => {
    const [i, next] = [chain[at] as number, chain[at + 1]]
    return next === undefined || [...(clocks.get(next) ?? [])].some(([actor, known]) => actor !== actorOf(i) && known > count(i, actor))
  }
  const ends = [...chains.values()].map(chain => chain.filter((_, at) => learnsNext(chain, at)))

  const pairs: [number, number][] = []
  for (const [at, one] of ends.entries()) {
    for (const other of ends.slice(at + 1)) {
      for (const x of one) for (const y of other) if (!knows(x, y) && !knows(y, x)) pairs.push([x, y])
    }
  }
  /** All that `x` has and `y` lacks, `u` has and `w` lacks too. */
  const isWithin = (x: number, y: number, u: number, w: number): boolean =>
    [...(clocks.get(x) ?? [])].every(([actor, has]) => {
      const shared = Math.min(has, count(y, actor))
      return shared === has || (has <= count(u, actor) && Math.min(count(u, actor), count(w, actor)) <= shared)
    })
  const isIncluded = ([x, y]: [number, number]): boolean =>
    pairs.some(
      ([u, w]) =>
        (u !== x || w !== y) && ((isWithin(x, y, u, w) && isWithin(y, x, w, u)) || (isWithin(x, y, w, u) && isWithin(y, x, u, w))),
    )
  return pairs.filter(pair => !isIncluded(pair)).map(([x, y]) => forkOf(x, y))

  function forkOf(x: number, y: number): Fork {
    const hash = (i: number): string => (changes[i] as ChangeMetadata).hash
    const [one, other] = hash(x) < hash(y) ? [x, y] : [y, x]
    const base = first > 0 ? [hash(first - 1)] : []
    const exclusive: [number[], number[]] = [[], []]
    for (const [actor, chain] of chains) {
      const counts = [clocks.get(one)?.get(actor) ?? 0, clocks.get(other)?.get(actor) ?? 0] as const
      const shared = Math.min(...counts)
      if (shared > 0) base.push(hash(chain[shared - 1] as number))
      exclusive[0].push(...chain.slice(shared, counts[0]))
      exclusive[1].push(...chain.slice(shared, counts[1]))
    }
    const unshared = new Set([...exclusive[0], ...exclusive[1]])
    const roots = [...unshared].filter(i => (parents[i] as readonly number[]).every(parent => !unshared.has(parent)))
    return {
      sides: [hash(one), hash(other)],
      base,
      roots: roots.map(hash).sort(),
      actors: [new Set(exclusive[0].map(actorOf)), new Set(exclusive[1].map(actorOf))],
    }
  }
}
