/**
 * Telling a peer what it may lack, as cheaply as can be: the log by ids; what arrived since its cursor; else by comparing sums,
 * first of 256 buckets, then of the documents in those that differ. Each comparison ends with a `have` marked `last`.
 */
import { concatBytes } from '../lib/bytes.ts'
import { DOC_TAG_BYTES, GROUP_DOC_TAG, hexId, type ChunkId, type DocTag, type Incarnation } from '../lib/ids.ts'
import type { ChunkRecord } from '../ports/chunk-store.ts'
import type { Hello } from '../wire/hello.ts'
import { FINGERPRINT_BYTES } from '../wire/hello.ts'
import { MAX_DOC_RECORDS, SUMMARY_BUCKETS, type SyncMessage } from '../wire/sync-messages.ts'
import { packDocSums, packIds, packOffers, sumBytes, sumOf, unpackIds, type DocSum, type Offer } from './sync-records.ts'
import { liveUnless, sumOfDocument } from './document-reading.ts'
import type { Exceptions } from './exceptions.ts'
import { OFFERED_AT_ONCE } from './pace.ts'
import type { SessionHost } from './session-host.ts'
import { bucketOf, tagsOfBucket } from './summary.ts'

export interface Offers {
  offerLog(last?: boolean): Promise<void>
  /** The first comparison on a link. */
  offerFirst(hello: Hello): Promise<void>
  sendSummary(isAnswer: boolean): Promise<void>
  /** The peer's buckets: says which of ours differ, and what is in them. */
  answerSummary(buckets: Uint8Array): Promise<void>
  /** The peer's documents in buckets that differ: offers what differs. */
  answerDocs(buckets: readonly number[], theirs: readonly DocSum[], last: boolean): Promise<void>
  /** Asks the peer for these documents, with what is held of each, so that it lists only what differs. */
  askFor(docTags: readonly DocTag[]): Promise<Ask>
  /** Answers it. */
  offerDocuments(ask: Ask): Promise<void>
}

export type Ask = Extract<SyncMessage, { type: 'ask' }>

export interface OffersParts {
  readonly host: Pick<SessionHost, 'store' | 'turns' | 'hasher' | 'summary' | 'receipts' | 'history' | 'unchecked'>
  /** The documents both sides' scopes have in common; `undefined`: everything. */
  readonly common: () => ReadonlySet<DocTag> | undefined
  readonly exceptions: Exceptions
  readonly send: (message: SyncMessage) => Promise<void>
  /** Sends the chunks themselves. */
  readonly give: (ids: readonly ChunkId[]) => Promise<void>
  /** More is known of what the peer holds. */
  readonly onKnown: () => void
}

export function createOffers({ host, common, exceptions, send, give, onKnown }: OffersParts): Offers {
  const { store, turns, hasher, summary, receipts, history, unchecked } = host
  let listed = new Set<number>()

  const sendHave = async (offers: readonly Offer[], last: boolean): Promise<void> => {
    for (let at = 0; at < offers.length; at += OFFERED_AT_ONCE) {
      const items = packOffers(offers.slice(at, at + OFFERED_AT_ONCE))
      await send({ type: 'have', items, fresh: false, last: last && at + OFFERED_AT_ONCE >= offers.length })
    }
    if (offers.length === 0 && last) await send({ type: 'have', items: new Uint8Array(), fresh: false, last })
  }
  /** They count as missing there until the peer says otherwise. */
  const owing = (records: readonly ChunkRecord[]): Offer[] => {
    const live = records.filter(record => record.live && !exceptions.has(record.docTag))
    for (const record of live) receipts.owe(record)
    return live.map(offerOf)
  }
  /** What a peer missed since it was last here is given at once when it is little: asking for it would cost a round trip and a name each. */
  const giveSince = async (arrival: number): Promise<boolean> => {
    const missed: ChunkRecord[] = []
    let bytes = 0
    for await (const record of store.since(arrival)) {
      if (!record.live || exceptions.has(record.docTag)) continue
      bytes += record.byteLength
      if (bytes > MAX_GIVEN_BYTES) return false
      missed.push(record)
    }
    owing(missed)
    receipts.knowAllBuckets()
    onKnown()
    await give(missed.map(({ id }) => id))
    await sendHave([], true)
    return true
  }
  const offerSince = async (arrival: number): Promise<void> => {
    let offers: Offer[] = []
    for await (const record of store.since(arrival)) {
      if (!turns.hasTime()) await turns.next()
      offers.push(...owing([record]))
      if (offers.length < OFFERED_AT_ONCE) continue
      await sendHave(offers, false)
      offers = []
    }
    receipts.knowAllBuckets()
    onKnown()
    await sendHave(offers, true)
  }
  /** They are sent as they fill a frame, the rest at the end. */
  const offering = (): { offer(records: readonly ChunkRecord[]): Promise<void>; end(): Promise<void> } => {
    let offers: Offer[] = []
    const end = (): Promise<void> => {
      const due = offers
      offers = []
      return sendHave(due, false)
    }
    return {
      offer(records) {
        offers = offers.concat(owing(records))
        return offers.length < OFFERED_AT_ONCE ? Promise.resolve() : end()
      },
      end,
    }
  }
  /** As nothing, where something could not be checked: the peer has to name what there is, to hear what of it was. */
  const sumsOf = (docTags: readonly DocTag[]): Promise<DocSum[]> => {
    const unread = new Set(unchecked.values())
    const sumHeld = async (docTag: DocTag): Promise<bigint> => await sumOfDocument(store, docTag, hasher)
    return Promise.all(docTags.map(async docTag => ({ docTag, sum: unread.has(docTag) ? 0n : await sumHeld(docTag) })))
  }
  const sendSummary = async (isAnswer: boolean): Promise<void> => send({ type: 'summary', buckets: await exceptions.buckets(), isAnswer })
  const keptIn = async (index: number): Promise<readonly DocTag[]> =>
    (await tagsOfBucket(store, index)).filter(docTag => !exceptions.has(docTag))
  const scoped = (): DocTag[] => [...(common() ?? []), GROUP_DOC_TAG]

  return {
    async offerLog(last = true) {
      const records = await store.listDocument(GROUP_DOC_TAG)
      await sendHave(records.filter(record => record.class === 'log').map(offerOf), last)
    },
    async offerFirst(hello) {
      if (common() !== undefined) {
        const docs = await sumsOf(scoped())
        return send({ type: 'docs', buckets: new Uint8Array(), docs: packDocSums(docs), last: true })
      }
      if (sumOf(hello.root) === 0n) return offerSince(0)
      if (summary.root() === 0n) return offerSince(store.lastArrival()) // nothing: do not make the peer list all it has
      const cursor = hello.cursor && { incarnation: hexId<Incarnation>(hello.cursor.incarnation), arrival: hello.cursor.arrival }
      const isNear = cursor !== undefined && store.lastArrival() - cursor.arrival <= MAX_DELTA
      if (isNear && history.hasReached(cursor)) {
        if (await giveSince(cursor.arrival)) return
        return offerSince(cursor.arrival)
      }
      await sendSummary(false)
    },
    sendSummary,
    async answerSummary(buckets) {
      let indexes: number[] = []
      let docs: DocSum[] = []
      const unread = new Set([...unchecked.values()].map(bucketOf))
      for (let index = 0; index < SUMMARY_BUCKETS; index++) {
        const theirs = sumOf(buckets.subarray(index * FINGERPRINT_BYTES, (index + 1) * FINGERPRINT_BYTES))
        const held = exceptions.isAny() ? await exceptions.bucket(index) : summary.bucket(index)
        if (theirs === held && !unread.has(index)) continue
        const sums = (await sumsOf(await keptIn(index))).filter(({ sum }) => sum !== 0n)
        if (docs.length + sums.length > MAX_DOC_RECORDS) {
          await send({ type: 'docs', buckets: Uint8Array.from(indexes), docs: packDocSums(docs), last: false })
          indexes = []
          docs = []
        }
        indexes.push(index)
        docs.push(...sums)
      }
      await send({ type: 'docs', buckets: Uint8Array.from(indexes), docs: packDocSums(docs), last: true })
    },
    async answerDocs(buckets, theirs, last) {
      const sums = new Map(theirs.map(({ docTag, sum }) => [docTag, sum]))
      const mine: DocTag[] = common() === undefined ? [] : scoped()
      for (const index of new Set(buckets)) mine.push(...(await keptIn(index)))
      const { offer, end } = offering()
      for (const docTag of mine) {
        for await (const live of liveUnless(store, docTag, sums.get(docTag) ?? 0n, hasher)) await offer(live)
        receipts.knowDocument(docTag)
      }
      await end()
      for (const index of buckets) {
        listed.add(index)
        receipts.knowBucket(index)
      }
      if (last) {
        for (let index = 0; index < SUMMARY_BUCKETS && common() === undefined; index++) if (!listed.has(index)) receipts.knowBucket(index)
        listed = new Set()
        await sendHave([], true)
      }
      onKnown()
    },
    async askFor(docTags) {
      const held = await sumsOf(docTags)
      return { type: 'ask', tags: packIds(docTags), sums: concatBytes(...held.map(({ sum }) => sumBytes(sum))) }
    },
    async offerDocuments({ tags, sums = new Uint8Array() }) {
      const within = common()
      // Of a document named again the last sum counts; and one after the other, or a frame of names could bring the whole store to memory.
      const asked = new Map(unpackIds<DocTag>(tags, DOC_TAG_BYTES).map((docTag, i) => [docTag, i]))
      const { offer, end } = offering()
      for (const [docTag, i] of asked) {
        if (exceptions.has(docTag)) continue
        const theirs = sumOf(sums.subarray(i * FINGERPRINT_BYTES, (i + 1) * FINGERPRINT_BYTES))
        const isWithin = within === undefined || within.has(docTag)
        if (isWithin) for await (const live of liveUnless(store, docTag, theirs, hasher)) await offer(live)
        receipts.knowDocument(docTag)
      }
      await end()
      onKnown()
    },
  }
}

function offerOf(record: ChunkRecord): Offer {
  const { class: kind, docTag, id, sequence, byteLength } = record
  return { class: kind, docTag, id, sequence, byteLength }
}

/** Beyond this many arrivals since the cursor, comparing sums is cheaper. */
const MAX_DELTA = 100_000
/** Little enough to come twice, from two peers who were both met again. */
const MAX_GIVEN_BYTES: number = 64 * 1_024
