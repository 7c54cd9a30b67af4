/**
 * The additive fingerprint of the live chunks: sum mod 2^256 of their values, in 256 buckets by the first byte of the docTag.
 * Adding and removing are O(1), order does not matter, and equal sums mean equal sets for all practical purposes (the ids are
 * HMACs; only a member of the group could aim for a collision). The log is counted apart.
 *
 * Records of the chunk store, written in the same batches as the chunks, so that opening costs a few reads whatever the store holds:
 *
 *     summary/buckets         round u32 || all 256 sums, 32 bytes each
 *     summary/recent/<place>  round u32 || (index u8 || sum 32) for each that a batch changed, if the round is that of the buckets
 *     summary/log             count u32 || sum 32
 *     summary/bucket/<index>  as earlier versions wrote each bucket; gone with the first `summary/buckets`
 *
 * A batch takes the next of RECENT_PLACES places; with all taken a new round begins. So ten changed buckets cost one small value, not ten.
 */
import { concatBytes } from '../lib/bytes.ts'
import { idBytes, type ChunkId, type DocTag } from '../lib/ids.ts'
import type { ChunkRecord, ChunkStore } from '../ports/chunk-store.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { ChunkHeader } from '../ports/sealed-chunk.ts'
import { FINGERPRINT_BYTES, type LogSummary } from '../wire/hello.ts'
import { SUMMARY_BUCKETS } from '../wire/sync-messages.ts'
import { sumBytes, sumOf } from './sync-records.ts'

export interface Summary {
  root(): bigint
  bucket(index: number): bigint
  /** All buckets, 32 bytes each. */
  buckets(): Uint8Array
  log(): LogSummary
  /** Takes a durable batch's delta in. */
  commit(delta: SummaryDelta): void
}

/** What a batch changes, gathered while it is put together and taken in when it is durable. */
export interface SummaryDelta {
  add(header: Counted): void
  remove(header: Counted): void
  addLog(id: ChunkId): void
  removeLog(id: ChunkId): void
  /** Whatever it takes to bring the summary to what is on disk. */
  recount(store: ChunkStore): Promise<void>
  /** Records for the batch. */
  records(): ReadonlyMap<string, Uint8Array | undefined>
  readonly changes: ReadonlyMap<number, bigint>
  /** Where the next one writes. */
  readonly next: Place
  readonly log: { readonly count: number; readonly sum: bigint }
}

export type Counted = Pick<ChunkHeader, 'class' | 'docTag' | 'id' | 'sequence'>

export async function openSummary(store: ChunkStore): Promise<Summary & { delta(hasher: Hasher): SummaryDelta }> {
  const buckets = Array.from<bigint>({ length: SUMMARY_BUCKETS }).fill(0n)
  let root = 0n
  let logCount = 0
  let logSum = 0n
  let former: string[] = []
  for await (const [key, value] of store.listRecords(FORMER_PREFIX)) {
    buckets[Number.parseInt(key.slice(FORMER_PREFIX.length), 16)] = sumOf(value)
    former.push(key)
  }
  let next = await readInto(buckets, store)
  for (const sum of buckets) root = wrap(root + sum)
  const logRecord = await store.getRecord(LOG_KEY)
  if (logRecord !== undefined) {
    logCount = new DataView(logRecord.buffer, logRecord.byteOffset).getUint32(0)
    logSum = sumOf(logRecord.subarray(4))
  }

  const delta = (hasher: Hasher): SummaryDelta => {
    const changes = new Map<number, bigint>()
    const log = { count: 0, sum: 0n }
    let after = next
    const change = (header: Counted, sign: 1n | -1n): void => {
      const index = bucketOf(header.docTag)
      changes.set(index, (changes.get(index) ?? 0n) + sign * valueOf(header, hasher))
    }
    return {
      changes,
      log,
      get next() {
        return after
      },
      add: header => change(header, 1n),
      remove: header => change(header, -1n),
      addLog(id) {
        log.count++
        log.sum += idValue(id)
      },
      removeLog(id) {
        log.count--
        log.sum -= idValue(id)
      },
      async recount(from) {
        for await (const docTag of from.docTags()) {
          for await (const record of from.document(docTag)) {
            if (record.class === 'log') this.addLog(record.id)
            else if (record.live) change(record, 1n)
          }
        }
        for (const [index, sum] of buckets.entries()) {
          const by = (changes.get(index) ?? 0n) - sum
          if (wrap(by) === 0n) changes.delete(index)
          else changes.set(index, by)
        }
        log.count -= logCount
        log.sum -= logSum
      },
      records() {
        const records = new Map<string, Uint8Array | undefined>()
        if (changes.size > 0) {
          const changed = new Map([...changes].map(([index, by]) => [index, sumBytes(wrap((buckets[index] as bigint) + by))]))
          const isFull = next.place >= RECENT_PLACES || changed.size > MAX_RECENT
          after = isFull ? { round: next.round + 1, place: 0 } : { round: next.round, place: next.place + 1 }
          if (isFull) {
            records.set(
              BUCKETS_KEY,
              concatBytes(roundBytes(after.round), ...buckets.map((sum, index) => changed.get(index) ?? sumBytes(sum))),
            )
            for (const key of former) records.set(key, undefined)
          } else {
            const sums = [...changed].flatMap(([index, sum]) => [Uint8Array.of(index), sum])
            records.set(recentKey(next.place), concatBytes(roundBytes(next.round), ...sums))
          }
        }
        if (log.count !== 0 || log.sum !== 0n) records.set(LOG_KEY, logBytes(logCount + log.count, wrap(logSum + log.sum)))
        return records
      },
    }
  }

  return {
    root: () => root,
    bucket: index => buckets[index] as bigint,
    buckets: () => concatBytes(...buckets.map(sumBytes)),
    log: () => ({ count: logCount, fingerprint: sumBytes(logSum) }),
    delta,
    commit({ changes, log, next: after }) {
      if (after.round !== next.round) former = []
      next = after
      for (const [index, by] of changes) {
        buckets[index] = wrap((buckets[index] as bigint) + by)
        root = wrap(root + by)
      }
      logCount += log.count
      logSum = wrap(logSum + log.sum)
    },
  }
}

export function bucketOf(docTag: DocTag): number {
  return Number.parseInt(docTag.slice(0, 2), 16)
}

/** A register counts by (id, sequence), everything else by its id. */
export function valueOf(header: Counted, hasher: Hasher): bigint {
  if (header.class !== 'register') return idValue(header.id)
  const input = new Uint8Array(40)
  input.set(idBytes(header.id))
  new DataView(input.buffer).setBigUint64(32, BigInt(header.sequence))
  return sumOf(hasher.sha256(input))
}

/** The sum of the live ones among a document's chunks. */
export function sumOfRecords(records: readonly ChunkRecord[], hasher: Hasher): bigint {
  const total = addUp(hasher)
  for (const record of records) if (record.live) total.add(record)
  return total.sum()
}

export function addUp(hasher: Hasher): { add(header: Counted): void; sum(): bigint } {
  let sum = 0n
  return {
    add: header => void (sum += valueOf(header, hasher)),
    sum: () => wrap(sum),
  }
}

/** The docTags of one bucket. */
export async function tagsOfBucket(store: ChunkStore, index: number): Promise<readonly DocTag[]> {
  const prefix = index.toString(16).padStart(2, '0')
  const tags: DocTag[] = []
  for await (const docTag of store.docTags({ from: prefix.padEnd(32, '0') as DocTag })) {
    if (!docTag.startsWith(prefix)) break
    tags.push(docTag)
  }
  return tags
}

interface Place {
  readonly round: number
  readonly place: number
}

const BUCKETS_KEY = 'summary/buckets'
const RECENT_PREFIX = 'summary/recent/'
const FORMER_PREFIX = 'summary/bucket/'
const LOG_KEY = 'summary/log'
/** Reads at opening, at most; and by how much the 8 KiB of all buckets are spread out. */
const RECENT_PLACES = 64
/** What changes more writes all. */
const MAX_RECENT = 64
const ROUND_BYTES = 4
const SUM_BYTES = FINGERPRINT_BYTES

function recentKey(place: number): string {
  return RECENT_PREFIX + place.toString(16).padStart(2, '0')
}

function roundBytes(round: number): Uint8Array {
  const bytes = new Uint8Array(ROUND_BYTES)
  new DataView(bytes.buffer).setUint32(0, round)
  return bytes
}

function roundOf(record: Uint8Array): number {
  return record.length < ROUND_BYTES ? 0 : new DataView(record.buffer, record.byteOffset).getUint32(0)
}

/** Gives where the next batch writes. Without the buckets of their round the recent ones count nothing, and a round after theirs begins. */
async function readInto(buckets: bigint[], store: ChunkStore): Promise<Place> {
  const whole = await store.getRecord(BUCKETS_KEY)
  const round = whole === undefined ? 0 : roundOf(whole)
  for (const index of buckets.keys()) {
    const at = ROUND_BYTES + index * SUM_BYTES
    if (whole !== undefined) buckets[index] = sumOf(whole.subarray(at, at + SUM_BYTES))
  }
  const recent: (readonly [place: number, record: Uint8Array])[] = []
  for await (const [key, record] of store.listRecords(RECENT_PREFIX))
    recent.push([Number.parseInt(key.slice(RECENT_PREFIX.length), 16), record])
  const last = Math.max(round, ...recent.map(([, record]) => roundOf(record)))
  if (last > round) return { round: last, place: RECENT_PLACES }
  let next = 0
  for (const [place, record] of recent) {
    if (roundOf(record) !== round) continue
    next = place + 1
    for (let at = ROUND_BYTES; at + SUM_BYTES < record.length; at += 1 + SUM_BYTES) {
      buckets[record[at] as number] = sumOf(record.subarray(at + 1, at + 1 + SUM_BYTES))
    }
  }
  return { round, place: next }
}

function logBytes(count: number, sum: bigint): Uint8Array {
  const head = new Uint8Array(4)
  new DataView(head.buffer).setUint32(0, count)
  return concatBytes(head, sumBytes(sum))
}

function idValue(id: ChunkId): bigint {
  return BigInt(`0x${id}`)
}

function wrap(sum: bigint): bigint {
  return BigInt.asUintN(256, sum)
}
