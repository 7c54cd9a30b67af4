/**
 * What each peer has confirmed: everything, less what it still owes. Known per bucket of the summary, because a first sync
 * learns of them one by one. A peer's new incarnation may come from a backup: everything is unknown until it says again.
 */
import type { ChunkId, DocTag, Incarnation } from '../lib/ids.ts'
import type { ChunkHeader } from '../ports/sealed-chunk.ts'
import { SUMMARY_BUCKETS } from '../wire/sync-messages.ts'
import { bucketOf } from './summary.ts'

export interface PeerReceipts {
  incarnation(): Incarnation | undefined
  /** A hello: voids what another incarnation said. */
  begin(incarnation: Incarnation, hasGoneBack?: boolean, hasMoreOfUs?: boolean): void
  /** In this run it came with less than it once said it had: a backup, or a disk that lost what was acknowledged. */
  hasGoneBack(): boolean
  /** In how many of its incarnations it came with less, as far as this run saw. */
  timesGoneBack(): number
  /** In this run it had more of this store than there is: this one was put back to an earlier state, or is a copy. */
  hasMoreOfUs(): boolean
  /** Durable here, not confirmed by the peer. */
  owe(chunk: Owed): void
  /** Confirmed by name. A register counts only from its sequence on. */
  settle(id: ChunkId, sequence?: number): void
  /** Confirmed by its bytes. */
  prove(id: ChunkId, sequence?: number): void
  /** No longer needed here. */
  forget(id: ChunkId): void
  settleAll(): void
  /** Of what arrived here after `shown`, names confirm nothing from now on. */
  expectProofs(shown: number): void
  needsProofs(): boolean
  /** What arrived after it was not all passed to `owe` yet: until then the peer holds nothing. */
  isLoading(): boolean
  endLoading(): void
  /** Owed, and not to be confirmed by name. */
  unproven(): ReadonlySet<ChunkId>
  isOwed(id: ChunkId): boolean
  /** It has no room for this. */
  turnAway(id: ChunkId): void
  /** Something that it has no room for is still owed. */
  isFull(): boolean
  /** Everything of it that the peer lacks has been passed to `owe`. */
  knowBucket(index: number): void
  knowDocument(docTag: DocTag): void
  knowAllBuckets(): void
  holds(docTag: DocTag): boolean
  owed(): number
  /** As `holds`, of every document; never of a peer that leaves documents out. */
  holdsAll(): boolean
  /** It says that it does not keep these, all of them. */
  leaveOut(docTags: ReadonlySet<DocTag>): void
  /** How many documents it does not keep. */
  leavesOut(): number
}

/** Without an arrival it came just now. */
export type Owed = Pick<ChunkHeader, 'id' | 'docTag' | 'sequence'> & { readonly arrival?: number }

export function createPeerReceipts(): PeerReceipts {
  let incarnation: Incarnation | undefined
  let timesGoneBack = 0
  let hasMoreOfUs = false
  const owed = new Map<ChunkId, Owed>()
  const turnedAway = new Set<ChunkId>()
  const perDocument = new Map<DocTag, number>()
  const unknown = new Set<number>()
  const knownDocuments = new Set<DocTag>()
  let left: ReadonlySet<DocTag> = new Set()
  /** From which arrival on names confirm nothing; `undefined`: they always do. */
  let shown: number | undefined
  let isLoading = false
  const unproven = new Set<ChunkId>()
  const clear = (): void => {
    owed.clear()
    unproven.clear()
    turnedAway.clear()
    perDocument.clear()
    knownDocuments.clear()
  }
  const forgetAll = (): void => {
    clear()
    isLoading = shown !== undefined
    for (let index = 0; index < SUMMARY_BUCKETS; index++) unknown.add(index)
  }
  forgetAll()
  const prove = (id: ChunkId, sequence?: number): void => {
    const chunk = owed.get(id)
    if (chunk === undefined || (sequence !== undefined && sequence < chunk.sequence)) return
    owed.delete(id)
    unproven.delete(id)
    turnedAway.delete(id)
    const owing = (perDocument.get(chunk.docTag) as number) - 1
    if (owing === 0) perDocument.delete(chunk.docTag)
    else perDocument.set(chunk.docTag, owing)
  }
  return {
    incarnation: () => incarnation,
    hasGoneBack: () => timesGoneBack > 0,
    timesGoneBack: () => timesGoneBack,
    hasMoreOfUs: () => hasMoreOfUs,
    begin(next, isBack = false, hasMore = false) {
      if (isBack && next !== incarnation) timesGoneBack++
      hasMoreOfUs ||= hasMore
      if (next !== incarnation) {
        shown = undefined
        forgetAll()
      }
      incarnation = next
    },
    owe(chunk) {
      if (left.has(chunk.docTag)) return
      if (owed.size >= MAX_OWED) forgetAll() // away for very long: its summary will tell
      if (!owed.has(chunk.id)) perDocument.set(chunk.docTag, (perDocument.get(chunk.docTag) ?? 0) + 1)
      owed.set(chunk.id, chunk)
      if (shown !== undefined && (chunk.arrival ?? Infinity) > shown) unproven.add(chunk.id)
    },
    settle(id, sequence) {
      if (!unproven.has(id)) prove(id, sequence)
    },
    prove,
    forget: id => prove(id),
    settleAll() {
      if (unproven.size === 0) clear()
      else for (const id of [...owed.keys()]) if (!unproven.has(id)) prove(id)
      unknown.clear()
    },
    expectProofs(from) {
      isLoading ||= shown === undefined
      shown = from
    },
    needsProofs: () => shown !== undefined,
    isLoading: () => isLoading,
    endLoading() {
      isLoading = false
    },
    unproven: () => unproven,
    isOwed: id => owed.has(id),
    turnAway: id => void (owed.has(id) ? turnedAway.add(id) : undefined),
    isFull: () => turnedAway.size > 0,
    knowBucket: index => void unknown.delete(index),
    knowDocument: docTag => void knownDocuments.add(docTag),
    knowAllBuckets: () => unknown.clear(),
    holds: docTag =>
      !isLoading && (!unknown.has(bucketOf(docTag)) || knownDocuments.has(docTag)) && !perDocument.has(docTag) && !left.has(docTag),
    owed: () => owed.size,
    holdsAll: () => !isLoading && unknown.size === 0 && owed.size === 0 && left.size === 0,
    leaveOut(docTags) {
      // What it takes back it may have nothing of: only a comparison tells.
      for (const docTag of left) {
        if (docTags.has(docTag)) continue
        unknown.add(bucketOf(docTag))
        knownDocuments.delete(docTag)
      }
      left = docTags
      if (docTags.size > 0) for (const chunk of [...owed.values()]) if (docTags.has(chunk.docTag)) prove(chunk.id)
    },
    leavesOut: () => left.size,
  }
}

const MAX_OWED = 50_000
