/**
 * The fingerprint of the heads of all documents: the sum (mod 2^256) of one HMAC per document, so that a document that changed costs
 * one count and ten thousand others nothing. What was counted is kept between runs; after it only documents are looked at of which
 * chunks arrived since.
 *
 *     heartbeat/<group>/heads/<first byte of the docTags>   (docTag 16, value 32) each
 *     heartbeat/<group>/arrival                             u64: up to which arrival number the values are right
 */
import { labelledHmac, openChunk, type Keyring } from '../crypto/index.ts'
import { concatBytes, fromHex, toHex } from '../lib/bytes.ts'
import { DOC_TAG_BYTES, GROUP_DOC_TAG, hexId, type ChunkId, type DocTag, type GroupId } from '../lib/ids.ts'
import { MINUTE_MS, SECOND_MS } from '../lib/units.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { RecordStore } from '../ports/record-store.ts'

export interface HeadsBook {
  /**
   * Counts what changed. Gives the fingerprint, 32 bytes, or undefined when something has to wait for its turn: a long history, or a
   * first synchronisation that is going on. Ends early when the signal aborts.
   */
  look(signal?: AbortSignal): Promise<Uint8Array | undefined>
  /** These are to be counted again, although nothing arrived: a key did. */
  note(docTags: readonly DocTag[]): void
}

export interface HeadsBookComponents {
  readonly group: GroupId
  readonly keyring: Keyring
  readonly chunkStore: ChunkStore
  readonly records: RecordStore
  readonly clock: Clock
  readonly hasher?: Hasher | undefined
  /** Sorted hex heads; of a document that is not in memory, too. */
  readonly headsOf: (documentId: Uint8Array) => Promise<readonly string[]>
  /** Resolves when every change made here before is a chunk in the store. */
  readonly flush: () => Promise<void>
}

export async function openHeadsBook(components: HeadsBookComponents): Promise<HeadsBook> {
  const { group, keyring, chunkStore, records, clock, hasher, headsOf, flush } = components
  const prefix = `heartbeat/${group}/`
  const values = new Map<DocTag, bigint>()
  const due = new Set<DocTag>()
  /** Monotonic: a document that takes long to count is not counted again before. */
  const notBefore = new Map<DocTag, number>()
  const changed = new Set<string>()
  let sum = 0n
  let arrival = 0

  const setValue = (docTag: DocTag, value: bigint): void => {
    const before = values.get(docTag) ?? 0n
    if (before === value) return
    sum = BigInt.asUintN(256, sum + value - before)
    if (value === 0n) values.delete(docTag)
    else values.set(docTag, value)
    changed.add(docTag.slice(0, 2))
  }
  for await (const [key, value] of records.list(`${prefix}heads/`)) {
    if (value.length % ENTRY_BYTES !== 0) continue
    for (let at = 0; at < value.length; at += ENTRY_BYTES) {
      const docTag = hexId<DocTag>(value.subarray(at, at + DOC_TAG_BYTES))
      if (key.endsWith(`/${docTag.slice(0, 2)}`)) setValue(docTag, numberOf(value.subarray(at + DOC_TAG_BYTES, at + ENTRY_BYTES)))
    }
  }
  changed.clear()
  const kept = await records.get(`${prefix}arrival`)
  if (kept?.length === 8) arrival = Number(numberOf(kept))
  // A store that was put back to an earlier state gives the same numbers to other chunks.
  if (arrival > chunkStore.lastArrival()) arrival = 0

  const documentIdIn = async (ids: readonly ChunkId[]): Promise<Uint8Array | undefined> => {
    for (const id of ids) {
      const chunk = await chunkStore.get(id)
      const secret = chunk && keyring.secretOf(chunk.epoch)
      const opened = chunk && secret && openChunk(chunk, secret)
      if (opened?.ok === true) return opened.value.documentId
    }
    return undefined
  }
  const count = async (docTag: DocTag): Promise<void> => {
    const content = (await chunkStore.listDocument(docTag)).filter(record => isContent(record) && record.live)
    const documentId = await documentIdIn(content.slice(0, TRIED_CHUNKS).map(({ id }) => id))
    const began = clock.monotonic()
    const heads = documentId === undefined ? [] : await headsOf(documentId)
    const tookMs = clock.monotonic() - began
    if (tookMs > CHEAP_MS) notBefore.set(docTag, clock.monotonic() + Math.min(PAUSE_FACTOR * tookMs, LONGEST_PAUSE_MS))
    else notBefore.delete(docTag)
    const isEmpty = documentId === undefined || heads.length === 0
    setValue(docTag, isEmpty ? 0n : numberOf(labelledHmac(keyring.idKey, 'heads', [documentId, ...heads.map(fromHex)], hasher)))
  }
  const save = async (upTo: number): Promise<void> => {
    const writes = new Map<string, Uint8Array | undefined>()
    for (const bucket of changed) {
      const inside = [...values].filter(([docTag]) => docTag.startsWith(bucket))
      const entries = inside.map(([docTag, value]) => concatBytes(fromHex(docTag), bytesOf(value, 32)))
      writes.set(`${prefix}heads/${bucket}`, entries.length === 0 ? undefined : concatBytes(...entries))
    }
    writes.set(`${prefix}arrival`, bytesOf(BigInt(upTo), 8))
    changed.clear()
    await records.write(writes)
  }

  return {
    note(docTags) {
      for (const docTag of docTags) if (docTag !== GROUP_DOC_TAG) due.add(docTag)
    },
    async look(signal) {
      await flush()
      const upTo = chunkStore.lastArrival()
      const hasNews = upTo !== arrival
      if (hasNews) for await (const record of chunkStore.since(arrival)) if (isContent(record)) due.add(record.docTag)
      arrival = upTo
      if (due.size > MANY_DOCUMENTS) {
        await clock.sleep(SECOND_MS, { signal })
        if (chunkStore.lastArrival() !== upTo) return undefined // a first synchronisation has the machine for itself
      }
      for (const docTag of due) {
        if (signal?.aborted === true) return undefined
        if ((notBefore.get(docTag) ?? 0) > clock.monotonic()) continue
        await count(docTag)
        due.delete(docTag)
        await clock.sleep(0) // whoever types comes between
      }
      if (due.size > 0) return undefined
      if (hasNews || changed.size > 0) await save(upTo)
      return bytesOf(sum, 32)
    },
  }
}

const ENTRY_BYTES: number = DOC_TAG_BYTES + 32
/** One that opens is enough; the first may be of an epoch not held. */
const TRIED_CHUNKS = 8
/**
 * A closed document of long history takes most of a second to read: it waits a while before it is read again, so that a twentieth of the time
 * goes to it at most. On a busy machine any document takes tens of milliseconds; those are not kept waiting.
 */
const CHEAP_MS = 100
const PAUSE_FACTOR = 20
const MANY_DOCUMENTS = 64
const LONGEST_PAUSE_MS: number = MINUTE_MS

function isContent({ class: kind }: { readonly class: string }): boolean {
  return kind === 'commit' || kind === 'fragment'
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`)
}

function bytesOf(value: bigint, length: number): Uint8Array {
  return fromHex(value.toString(16).padStart(2 * length, '0'))
}
