/**
 * Links and orders entries of any meaning: a directed acyclic graph by parents, the same whatever order they arrive in.
 *
 * - An entry whose parents are not all here is held (at most `maxHeld`) and linked when the last of them arrives.
 * - The order is by (depth, id), depth being the longest path from the root: causes always come before their effects.
 * - Of more than `maxEntries`, those that take nobody's share stay before those that do. Of the latter whoever has most gives up its
 *   last in that order, so that everybody keeps its first ones; if all are of the former kind, the first in the order stay. What is
 *   evicted can never come back by arriving in another order, because whatever pushed it out stays in front of it. What an entry that
 *   takes no share descends from stays with it.
 */
import type { EntryId } from '../lib/ids.ts'

export interface Linked {
  readonly id: EntryId
  readonly parents: readonly EntryId[]
}

/** Where an entry stands; compared by `comparePositions`. */
export interface Position {
  readonly depth: number
  readonly id: EntryId
}

export interface GraphOptions<Entry> {
  readonly maxEntries: number
  readonly maxHeld: number
  /** Asked once, when all parents are linked. A refused entry is dropped, and what hangs from it stays unlinked. */
  readonly admits: (entry: Entry) => boolean
  /** Called at once, before anything that hangs from the entry is asked about. */
  readonly onLinked: (entry: Entry, at: Position) => void
  readonly onEvicted: (entry: Entry) => void
  /** Of a linked entry: whose share of the room it takes; `undefined`: it makes those that take one give way. */
  readonly shareOf: (entry: Entry) => string | undefined
}

export interface Graph<Entry> {
  /**
   * The entries, and those that were held for them, in causal order, as far as they were linked or refused; then what was pushed out.
   * Nothing of what was known or is now held. Many at once cost less where there is no room.
   */
  addAll(entries: readonly Entry[]): readonly Placed<Entry>[]
  add(entry: Entry): readonly Placed<Entry>[]
  /** Whether an entry whose parents are all linked, and that takes this share, would stay. */
  hasRoomFor(entry: Entry, share: string | undefined): boolean
  get(id: EntryId): Entry | undefined
  has(id: EntryId): boolean
  isHeld(id: EntryId): boolean
  /** Throws when `id` is not linked. */
  positionOf(id: EntryId): Position
  /** All linked entries by (depth, id). The same array until something is linked. */
  ordered(): readonly Entry[]
  /** Linked entries that no linked entry names as parent, ascending. */
  heads(): readonly EntryId[]
  /** The causal past of `ids`, themselves included; unknown ids are ignored. */
  pastOf(ids: Iterable<EntryId>): ReadonlySet<EntryId>
  /** Whether `ancestor` is in the causal past of `of`, which it is not itself. */
  isBefore(ancestor: EntryId, of: EntryId): boolean
}

export interface Placed<Entry> {
  readonly entry: Entry
  readonly outcome: 'linked' | 'refused' | 'evicted'
}

export function comparePositions(a: Position, b: Position): number {
  return a.depth - b.depth || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}

export function createGraph<Entry extends Linked>(options: GraphOptions<Entry>): Graph<Entry> {
  const nodes = new Map<EntryId, { readonly entry: Entry; readonly position: Position }>()
  const held = new Map<EntryId, Entry>()
  const waitingFor = new Map<EntryId, Set<EntryId>>()
  const heads = new Set<EntryId>()
  let order: readonly Entry[] | undefined
  let sharesNow: Shares<Entry> | undefined

  const positionOf = (id: EntryId): Position => {
    const node = nodes.get(id)
    if (node === undefined) throw new RangeError(`entry ${id} is not linked`)
    return node.position
  }
  const positionFor = ({ id, parents }: Entry): Position => {
    const depth = parents.reduce((deepest, parent) => Math.max(deepest, positionOf(parent).depth + 1), 0)
    return { depth, id }
  }
  /** Where in the order an entry at `position` stands. */
  const placeIn = (ordered: readonly Entry[], position: Position): number => {
    let [low, high] = [0, ordered.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (comparePositions(positionOf((ordered[middle] as Entry).id), position) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
  const place = (entry: Entry): Placed<Entry>['outcome'] => {
    if (!options.admits(entry)) return 'refused'
    const position = positionFor(entry)
    nodes.set(entry.id, { entry, position })
    for (const parent of entry.parents) heads.delete(parent)
    heads.add(entry.id)
    sharesNow = undefined
    order = order?.toSpliced(placeIn(order, position), 0, entry)
    options.onLinked(entry, position)
    return 'linked'
  }
  /** Who takes how much of the room, and of it what is not pinned by an entry that takes no share, last in the order first. */
  const shareOut = (): { shares: Shares<Entry>; children: ReadonlyMap<EntryId, readonly Entry[]> } => {
    const pinned = new Set<EntryId>()
    const children = new Map<EntryId, Entry[]>()
    const shares: Shares<Entry> = new Map()
    for (const entry of graph.ordered().toReversed()) {
      const share = options.shareOf(entry)
      for (const parent of entry.parents) {
        if (share === undefined || pinned.has(entry.id)) pinned.add(parent)
        const under = children.get(parent)
        if (under === undefined) children.set(parent, [entry])
        else under.push(entry)
      }
      if (share === undefined) continue
      const of = shares.get(share) ?? { count: 0, free: [] }
      shares.set(share, of)
      of.count++
      if (!pinned.has(entry.id)) of.free.push(entry)
    }
    return { shares, children }
  }
  /** Back to `maxEntries`: away goes the last in the order of whoever has most, with what hangs from it, again and again. */
  const trim = (): readonly Placed<Entry>[] => {
    if (nodes.size <= options.maxEntries) return []
    const ordered = graph.ordered()
    const { shares, children } = shareOut()
    const lasts = new Map([...shares].map(([share, { free }]) => [share, free.values()]))
    const gone = new Set<EntryId>()
    const nextOf = (entries: Iterator<Entry> | undefined): Entry | undefined => {
      for (let next = entries?.next(); next?.done === false; next = entries?.next()) if (!gone.has(next.value.id)) return next.value
      return undefined
    }
    const everything = ordered.toReversed().values()
    const victimOf = (): Entry | undefined => {
      for (const share of largestFirst(shares)) {
        const victim = nextOf(lasts.get(share))
        if (victim !== undefined) return victim
      }
      return nextOf(everything)
    }
    while (ordered.length - gone.size > options.maxEntries) {
      const going = [victimOf()]
      for (let entry = going.pop(); entry !== undefined; entry = going.pop()) {
        if (gone.has(entry.id)) continue
        gone.add(entry.id)
        const of = shares.get(options.shareOf(entry) ?? '\0')
        if (of !== undefined) of.count--
        going.push(...(children.get(entry.id) ?? []))
      }
    }
    sharesNow = undefined
    for (const id of gone) nodes.delete(id)
    order = ordered.filter(({ id }) => !gone.has(id))
    heads.clear()
    for (const { id } of order) heads.add(id)
    for (const { parents } of order) for (const parent of parents) heads.delete(parent)
    const evicted = ordered.filter(({ id }) => gone.has(id))
    evicted.forEach(options.onEvicted)
    return evicted.map(entry => ({ entry, outcome: 'evicted' }))
  }
  const hold = (entry: Entry, missing: readonly EntryId[]): void => {
    if (held.has(entry.id) || held.size >= options.maxHeld) return
    held.set(entry.id, entry)
    for (const parent of missing) {
      const waiting = waitingFor.get(parent) ?? new Set()
      waitingFor.set(parent, waiting.add(entry.id))
    }
  }
  const release = (parent: EntryId): readonly Entry[] => {
    const freed: Entry[] = []
    for (const id of waitingFor.get(parent) ?? []) {
      const entry = held.get(id)
      if (entry === undefined || !entry.parents.every(needed => nodes.has(needed))) continue
      held.delete(id)
      freed.push(entry)
    }
    waitingFor.delete(parent)
    return freed
  }
  /** What hangs from a refused entry can never be linked. */
  const dropHeldFor = (refused: EntryId): void => {
    const dropped = [refused]
    for (let parent = dropped.pop(); parent !== undefined; parent = dropped.pop()) {
      for (const id of waitingFor.get(parent) ?? []) if (held.delete(id)) dropped.push(id)
      waitingFor.delete(parent)
    }
  }

  const link = (entry: Entry): readonly Placed<Entry>[] => {
    if (nodes.has(entry.id)) return []
    const missing = entry.parents.filter(parent => !nodes.has(parent))
    if (missing.length > 0) {
      hold(entry, missing)
      return []
    }
    const placed: Placed<Entry>[] = []
    const ready = [entry]
    for (let next = ready.shift(); next !== undefined; next = ready.shift()) {
      const outcome = place(next)
      placed.push({ entry: next, outcome })
      if (outcome === 'refused') dropHeldFor(next.id)
      else ready.push(...release(next.id))
    }
    return placed
  }

  const graph: Graph<Entry> = {
    addAll(entries) {
      const placed = entries.flatMap(link)
      return [...placed, ...trim()]
    },
    add: entry => graph.addAll([entry]),
    hasRoomFor(entry, share) {
      if (nodes.size < options.maxEntries || share === undefined) return true
      sharesNow ??= shareOut().shares
      const own = sharesNow.get(share)
      const after: Shares<Entry> = new Map(sharesNow)
      after.set(share, { count: (own?.count ?? 0) + 1, free: [entry] })
      const [payer] = largestFirst(after).filter(each => after.get(each)?.free.length !== 0)
      const last = own?.free[0]
      return payer !== share || (last !== undefined && comparePositions(positionFor(entry), positionOf(last.id)) < 0)
    },
    get: id => nodes.get(id)?.entry,
    has: id => nodes.has(id),
    isHeld: id => held.has(id),
    positionOf,
    ordered() {
      order ??= [...nodes.values()].sort((a, b) => comparePositions(a.position, b.position)).map(node => node.entry)
      return order
    },
    heads: () => [...heads].sort(),
    pastOf(ids) {
      const past = new Set<EntryId>()
      const ahead = [...ids]
      for (let id = ahead.pop(); id !== undefined; id = ahead.pop()) {
        const node = nodes.get(id)
        if (node === undefined || past.has(id)) continue
        past.add(id)
        ahead.push(...node.entry.parents)
      }
      return past
    },
    isBefore: (ancestor, of) => ancestor !== of && graph.pastOf([of]).has(ancestor),
  }
  return graph
}

type Shares<Entry> = Map<string, { count: number; readonly free: Entry[] }>

function largestFirst(shares: ReadonlyMap<string, { readonly count: number }>): readonly string[] {
  return [...shares].sort(([a, x], [b, y]) => y.count - x.count || (a < b ? 1 : -1)).map(([share]) => share)
}
