/**
 * What this replica lacks and who offered it. Each chunk is asked of one peer at a time; every peer has a window of bytes under
 * way, so memory is bounded and what matters now can overtake. Documents somebody waits for come first, then fragments and
 * registers, then commits.
 */
import type { ChunkId, DocTag } from '../lib/ids.ts'
import { MIB, SECOND_MS } from '../lib/units.ts'
import type { Clock } from '../ports/clock.ts'
import { MAX_WANT_IDS } from '../wire/sync-messages.ts'
import { GUARANTEED_OFFERS, MAX_TAKEN_OFFERS, OFFER_BYTES } from './pace.ts'
import { ENDLESS_ROOM, type Room } from './room.ts'
import type { Offer } from './sync-records.ts'

export interface Wants<Source> {
  /** `source` has it and this replica lacks it. Beyond MAX_TAKEN_OFFERS of one source it is left to the next comparison. */
  announce(source: Source, offer: Offer): void
  /** Asks as much as the window allows. Call after announcing, and whenever something was settled. */
  pump(source: Source): void
  /**
   * It arrived and is being checked and written: its place in the window is free. Of a register something older than was offered: whoever
   * gave it, though asked, does not have what is wanted, and the others are asked.
   */
  arrived(id: ChunkId, sequence: number, source: Source): void
  /** Durable or superfluous. Gives the sources that offered it. */
  settle(id: ChunkId, sequence: number): readonly Source[]
  /** `source` cannot give it: another is asked. Gives true when nobody else offered it. */
  fail(id: ChunkId, source: Source): boolean
  drop(source: Source): void
  /** Nothing of these documents is wanted any more. Gives the sources that offered some. */
  forget(docTags: ReadonlySet<DocTag>): readonly Source[]
  prioritise(docTags: readonly DocTag[]): void
  unprioritise(docTags: readonly DocTag[]): void
  offerOf(id: ChunkId): Offer | undefined
  /** Offered by `source` and not settled. */
  count(source: Source): number
  /** Names that wait for their turn to be asked of it, those that are of no use any more among them. */
  waiting(source: Source): number
}

export function createWants<Source>(
  clock: Pick<Clock, 'after'>,
  ask: (source: Source, ids: readonly ChunkId[]) => void,
  /** Whether so much more may be asked of it now; if not, it is pumped when it may. */
  mayAsk: (source: Source, bytes: number) => boolean = () => true,
  room: Room = ENDLESS_ROOM,
): Wants<Source> {
  const entries = new Map<ChunkId, Entry<Source>>()
  const lanes = new Map<Source, Lanes>()
  const first = new Set<DocTag>()

  const lanesOf = (source: Source): Lanes => {
    let found = lanes.get(source)
    if (found === undefined) lanes.set(source, (found = newLanes()))
    return found
  }
  const laneOf = (offer: Offer): 0 | 1 | 2 => (first.has(offer.docTag) ? 0 : offer.class === 'commit' ? 2 : 1)
  /** Once: a later sequence of what waits already, offered again and again, must not make the queue longer. */
  const enqueue = (source: Source, index: 0 | 1 | 2, id: ChunkId): void => {
    const lane = lanesOf(source)
    if (lane.queued[index].has(id)) return
    lane.queued[index].add(id)
    lane.queues[index].push(id)
  }
  const join = (lane: Lanes): boolean => {
    const isFree = lane.offered < GUARANTEED_OFFERS
    if (lane.offered >= MAX_TAKEN_OFFERS || (!isFree && !room.take(OFFER_BYTES))) return false
    lane.offered++
    return true
  }
  const leave = (lane: Lanes): void => {
    if (--lane.offered >= GUARANTEED_OFFERS) room.give(OFFER_BYTES)
  }
  const release = (entry: Entry<Source>): void => {
    if (entry.askedOf !== undefined) {
      const lane = lanes.get(entry.askedOf)
      if (lane !== undefined) lane.askedBytes -= entry.offer.byteLength
    }
    entry.askedOf = undefined
  }
  const pump = (source: Source): void => {
    const lane = lanesOf(source)
    let ids: ChunkId[] = []
    for (const index of [0, 1, 2] as const) {
      const queue = lane.queues[index]
      while (lane.next[index] < queue.length && lane.askedBytes < WINDOW_BYTES) {
        const id = queue[lane.next[index]] as ChunkId
        const entry = entries.get(id)
        const isDue = entry !== undefined && entry.askedOf === undefined && !entry.hasArrived && entry.sources.has(source)
        if (isDue && !mayAsk(source, entry.offer.byteLength)) break
        lane.next[index]++
        lane.queued[index].delete(id)
        if (!isDue) continue
        entry.askedOf = source
        lane.askedBytes += entry.offer.byteLength
        ids.push(entry.offer.id)
        if (ids.length === MAX_WANT_IDS) {
          ask(source, ids)
          ids = []
        }
      }
      if (lane.next[index] === queue.length) {
        lane.queues[index] = []
        lane.next[index] = 0
      }
    }
    if (ids.length > 0) ask(source, ids)
    if (lane.askedBytes > 0) watch(source, lane)
  }
  /** Who gives nothing for a while of what was asked of it is not waited for: what others have too is asked of them. */
  const watch = (source: Source, lane: Lanes): void => {
    lane.cancelWatch ??= clock.after(PATIENCE_MS, () => {
      lane.cancelWatch = undefined
      if (!lane.hasGiven) askOthers(source)
      lane.hasGiven = false
      if (lane.askedBytes > 0) watch(source, lane)
    })
  }
  const askOthers = (source: Source): void => {
    const asked = new Set<Source>()
    for (const entry of entries.values()) {
      if (entry.askedOf !== source || entry.hasArrived || entry.sources.size === 1) continue
      release(entry)
      for (const other of entry.sources) {
        if (other === source) continue
        enqueue(other, laneOf(entry.offer), entry.offer.id)
        asked.add(other)
      }
    }
    for (const other of asked) pump(other)
  }
  /** True when nobody is left who offered it. While it is being checked, losing a source changes nothing. */
  const removeSource = (entry: Entry<Source>, source: Source): boolean => {
    if (entry.sources.delete(source)) leave(lanesOf(source))
    if (entry.askedOf === source) release(entry)
    if (entry.hasArrived) return false
    if (entry.sources.size === 0) {
      entries.delete(entry.offer.id)
      return true
    }
    for (const other of entry.sources) enqueue(other, laneOf(entry.offer), entry.offer.id)
    return false
  }
  return {
    announce(source, offer) {
      let entry = entries.get(offer.id)
      const isKnownFrom = entry?.sources.has(source) ?? false
      if (!isKnownFrom && !join(lanesOf(source))) return
      const isNew = entry === undefined || entry.offer.sequence < offer.sequence
      if (entry === undefined || isNew) {
        const sources = entry?.sources ?? new Set<Source>()
        if (entry !== undefined) release(entry)
        entries.set(offer.id, (entry = { offer, sources, askedOf: undefined, hasArrived: false }))
      }
      if (isKnownFrom && !isNew) return // repeating an offer must not make its queue longer
      entry.sources.add(source)
      enqueue(source, laneOf(offer), offer.id)
    },
    pump,
    arrived(id, sequence, source) {
      const entry = entries.get(id)
      if (entry === undefined) return
      const isOlder = sequence < entry.offer.sequence
      if (isOlder && entry.askedOf !== source) return
      const lane = entry.askedOf === undefined ? undefined : lanes.get(entry.askedOf)
      if (lane !== undefined) lane.hasGiven = true
      if (isOlder) {
        removeSource(entry, source)
        for (const other of entry.sources) pump(other)
        return
      }
      release(entry)
      entry.hasArrived = true
    },
    settle(id, sequence) {
      const entry = entries.get(id)
      if (entry === undefined || entry.offer.sequence > sequence) return []
      release(entry)
      entries.delete(id)
      for (const source of entry.sources) leave(lanesOf(source))
      return [...entry.sources]
    },
    fail(id, source) {
      const entry = entries.get(id)
      if (entry === undefined) return true
      entry.hasArrived = false
      const isLast = removeSource(entry, source)
      for (const other of entry.sources) pump(other)
      return isLast
    },
    drop(source) {
      const others = new Set<Source>()
      for (const entry of [...entries.values()]) {
        if (!entry.sources.has(source)) continue
        removeSource(entry, source)
        for (const other of entry.sources) others.add(other)
      }
      lanes.get(source)?.cancelWatch?.()
      lanes.delete(source)
      for (const other of others) pump(other)
    },
    forget(docTags) {
      const sources = new Set<Source>()
      for (const [id, entry] of [...entries]) {
        if (!docTags.has(entry.offer.docTag)) continue
        release(entry)
        entries.delete(id)
        for (const source of entry.sources) {
          leave(lanesOf(source))
          sources.add(source)
        }
      }
      return [...sources]
    },
    prioritise(docTags) {
      for (const docTag of docTags) first.add(docTag)
      const sources = new Set<Source>()
      for (const entry of entries.values()) {
        if (!first.has(entry.offer.docTag) || entry.askedOf !== undefined || entry.hasArrived) continue
        for (const source of entry.sources) {
          enqueue(source, 0, entry.offer.id)
          sources.add(source)
        }
      }
      for (const source of sources) pump(source)
    },
    unprioritise(docTags) {
      for (const docTag of docTags) first.delete(docTag)
    },
    offerOf: id => entries.get(id)?.offer,
    count: source => lanes.get(source)?.offered ?? 0,
    waiting(source) {
      const { queues, next } = lanes.get(source) ?? newLanes()
      return queues.reduce((sum, { length }, index) => sum + length - (next[index] ?? 0), 0)
    },
  }
}

interface Entry<Source> {
  readonly offer: Offer
  readonly sources: Set<Source>
  askedOf: Source | undefined
  hasArrived: boolean
}

interface Lanes {
  /** Ids, consumed from `next`; stale ones are skipped. */
  readonly queues: [ChunkId[], ChunkId[], ChunkId[]]
  /** What of each is still to be consumed. */
  readonly queued: readonly [Set<ChunkId>, Set<ChunkId>, Set<ChunkId>]
  readonly next: [number, number, number]
  askedBytes: number
  offered: number
  /** Something came of what was asked, since the watch last looked. */
  hasGiven: boolean
  cancelWatch: (() => void) | undefined
}

function newLanes(): Lanes {
  return {
    queues: [[], [], []],
    queued: [new Set(), new Set(), new Set()],
    next: [0, 0, 0],
    askedBytes: 0,
    offered: 0,
    hasGiven: false,
    cancelWatch: undefined,
  }
}

/** Under way per peer: enough to fill 100 Mbit/s at 300 ms, little enough for what matters now to overtake. */
const WINDOW_BYTES: number = 4 * MIB
/** Nothing of what was asked of a peer for this long, and it is asked of others. */
const PATIENCE_MS: number = 8 * SECOND_MS
