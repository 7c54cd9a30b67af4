/**
 * Replication between any two replicas, `/segue/sync/1` (live) and `/segue/sync-bulk/1`. Frames are CBOR maps with a `type`;
 * lists of ids are packed into one byte string of fixed-size records. Who speaks when:
 *
 * 1. `hello`, both at once. 2. If the logs differ: `have` of log chunks, `want`, `chunks`, then `ready`. 3. If the roots differ,
 * each offers what the other may lack: `have` of what arrived since the other's cursor; or `summary` (256 buckets), answered by
 * `docs` (the sums of the documents in buckets that differ), answered by `have`. 4. Whoever lacks something says `want` and gets
 * `chunks` or `part`s, or `refused`. 5. `root`, when caught up; answered by `root` when equal. From `ready` on, new chunks come
 * unasked on the live channel, and `stored` goes back once they are checked and on disk. 6. To a peer without keys: `retire`, naming
 * what it need not keep and the fragments that contain it; it believes this only while it holds those fragments. And `drop`, whenever it
 * offers something of a document that the group deleted. A peer without keys says in turn what it dropped (`dropped`), since a device's
 * cursor or when the device offers something of it; whoever knows of no deletion takes it back (`undrop`). Names prove nothing of a peer without keys: it is
 * asked for the hashes (`prove`, `holds`) of what it neither gave nor was given. 7. A device that is to let go of
 * documents which others keep asks by `leave` who has all of them and stays with them (`kept`), and then says by `except` what it leaves
 * out, always all of it.
 *
 * A frame that does not parse closes the link with `malformed-frame`, one over MAX_FRAME_BYTES with `frame-too-large`.
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber, type DecodeFailure } from '../lib/codec.ts'
import { CHUNK_ID_BYTES, DOC_TAG_BYTES } from '../lib/ids.ts'
import type { Result } from '../lib/result.ts'
import { FINGERPRINT_BYTES, helloEntries, logSummarySchema, MAX_EXCEPT_TAGS, recordsOf, type Hello, type LogSummary } from './hello.ts'
import { MAX_CHUNK_BYTES, MAX_FRAME_BYTES, PART_BYTES } from './limits.ts'

export const SUMMARY_BUCKETS = 256
/** docTag 16, class u8, id 32, sequence u64, byteLength u32. */
export const HAVE_RECORD_BYTES: number = DOC_TAG_BYTES + 1 + CHUNK_ID_BYTES + 8 + 4
export const MAX_HAVE_RECORDS = 8_192
export const MAX_WANT_IDS = 4_096
export const MAX_STORED_IDS = 8_192
export const MAX_RETIRE_IDS = 8_192
export const MAX_DROP_TAGS = 8_192
export const MAX_PROVE_IDS = 4_096
/** SHA-256. */
export const HASH_BYTES = 32
export const MAX_LEAVE_TAGS = 4_096
/** Fragments of one document that together contain what is retired. */
export const MAX_KEEP_IDS = 4_096
/** docTag, sum. */
export const DOC_RECORD_BYTES: number = DOC_TAG_BYTES + FINGERPRINT_BYTES
export const MAX_DOC_RECORDS = 16_384
export const MAX_CHUNKS_PER_FRAME = 16_384
export const MAX_PARTS: number = Math.ceil(MAX_CHUNK_BYTES / PART_BYTES)

export type SyncMessage =
  | Hello
  /** This side has the whole log the other offered; other chunks may move. */
  | { readonly type: 'ready' }
  /** `isAnswer`: the other side began this comparison. */
  | { readonly type: 'summary'; readonly buckets: Uint8Array; readonly isAnswer: boolean }
  /** Sums of the sender's documents in `buckets` (one byte each); `buckets` empty: of the documents in scope. */
  | { readonly type: 'docs'; readonly buckets: Uint8Array; readonly docs: Uint8Array; readonly last: boolean }
  /** `fresh`: just stored, not part of an offer. `last`: the offer ends here. `given`: as in `stored`. */
  | { readonly type: 'have'; readonly items: Uint8Array; readonly fresh: boolean; readonly last: boolean; readonly given?: boolean }
  | { readonly type: 'want'; readonly ids: Uint8Array }
  | { readonly type: 'chunks'; readonly chunks: Uint8Array[] }
  /** Parts of one thing follow each other without another thing's between them. `of` a snapshot: `id` is the docTag. */
  | {
      readonly type: 'part'
      readonly of: PartOf
      readonly id: Uint8Array
      readonly index: number
      readonly count: number
      readonly bytes: Uint8Array
    }
  /** Checked and on disk. `given` (version 7, without keys): just the bytes that the receiver sent; else what is held has that name. */
  | { readonly type: 'stored'; readonly ids: Uint8Array; readonly given?: boolean }
  | { readonly type: 'refused'; readonly ids: Uint8Array; readonly why: RefusalReason }
  /** The variant with this SHA-256 is not what its id says. */
  | { readonly type: 'reject'; readonly id: Uint8Array; readonly bytesHash: Uint8Array; readonly why: string }
  | {
      readonly type: 'root'
      readonly root: Uint8Array
      readonly log: LogSummary
      readonly unchecked: number
      readonly arrival: number
      readonly isAnswer: boolean
    }
  /** Offer these documents now, but those of which the receiver holds the same: `sums` (version 3) are the sender's, in the same order. */
  | { readonly type: 'ask'; readonly tags: Uint8Array; readonly sums?: Uint8Array }
  | { readonly type: 'ask-snapshot'; readonly tag: Uint8Array }
  | { readonly type: 'no-snapshot'; readonly tag: Uint8Array }
  /** Commits and lesser fragments of one document that the fragments `keep` contain. Only to a peer that says `isKeyless`. */
  | { readonly type: 'retire'; readonly tag: Uint8Array; readonly ids: Uint8Array; readonly keep: Uint8Array }
  /** The group deleted these documents: nothing of them is to be kept, nor taken again. Only to a peer that says `isKeyless` and version 4. */
  | { readonly type: 'drop'; readonly tags: Uint8Array }
  /** As in the hello, from now on (version 5). */
  | { readonly type: 'except'; readonly tags: Uint8Array }
  /** The sender would let go of these; the receiver says of which it has what it confirmed, and does not let go itself (version 5). */
  | { readonly type: 'leave'; readonly number: number; readonly tags: Uint8Array }
  /** Answers the `leave` of that number. */
  | { readonly type: 'kept'; readonly number: number; readonly tags: Uint8Array }
  /** The sender, without keys, was told that these were deleted, and keeps nothing of them (version 6). */
  | { readonly type: 'dropped'; readonly tags: Uint8Array }
  /** The sender knows of no such deletion: they are to be kept. Only to a peer that says `isKeyless` and version 6. */
  | { readonly type: 'undrop'; readonly tags: Uint8Array }
  /** Which bytes the receiver holds under these names. Only to a peer that says `isKeyless` and version 7. */
  | { readonly type: 'prove'; readonly ids: Uint8Array }
  /** Answers it: id and SHA-256 of each that is held, all zero for what was let go because everybody had it. */
  | { readonly type: 'holds'; readonly items: Uint8Array }

export type PartOf = 'chunk' | 'snapshot'
/** The `why` of a reject that says nothing of the chunk: the peer, a relay, has no room for it. */
export const REJECTED_AS_FULL = 'quota'
/** Another such: the peer was told, or knows, that the document was deleted. */
export const REJECTED_AS_DROPPED = 'dropped'
/** absent: not held (any more). covered: contained in a fragment held, which was offered. */
export type RefusalReason = 'absent' | 'covered' | 'out-of-scope'

export const syncMessageSchema: v.GenericSchema<unknown, SyncMessage> = v.variant('type', [
  v.object(helloEntries),
  v.object({ type: v.literal('ready') }),
  v.object({ type: v.literal('summary'), buckets: bytesOf(SUMMARY_BUCKETS * FINGERPRINT_BYTES), isAnswer: v.boolean() }),
  v.object({
    type: v.literal('docs'),
    buckets: bytesUpTo(SUMMARY_BUCKETS),
    docs: recordsOf(DOC_RECORD_BYTES, MAX_DOC_RECORDS),
    last: v.boolean(),
  }),
  v.object({
    type: v.literal('have'),
    items: recordsOf(HAVE_RECORD_BYTES, MAX_HAVE_RECORDS),
    fresh: v.boolean(),
    last: v.boolean(),
    given: v.exactOptional(v.boolean()),
  }),
  v.object({ type: v.literal('want'), ids: recordsOf(CHUNK_ID_BYTES, MAX_WANT_IDS) }),
  v.object({ type: v.literal('chunks'), chunks: v.pipe(v.array(bytesUpTo(PART_BYTES)), v.maxLength(MAX_CHUNKS_PER_FRAME)) }),
  v.object({
    type: v.literal('part'),
    of: v.picklist(['chunk', 'snapshot']),
    id: bytesUpTo(CHUNK_ID_BYTES),
    index: wholeNumber,
    count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_PARTS)),
    bytes: bytesUpTo(PART_BYTES),
  }),
  v.object({ type: v.literal('stored'), ids: recordsOf(CHUNK_ID_BYTES, MAX_STORED_IDS), given: v.exactOptional(v.boolean()) }),
  v.object({
    type: v.literal('refused'),
    ids: recordsOf(CHUNK_ID_BYTES, MAX_WANT_IDS),
    why: v.picklist(['absent', 'covered', 'out-of-scope']),
  }),
  v.object({ type: v.literal('reject'), id: bytesOf(CHUNK_ID_BYTES), bytesHash: bytesOf(32), why: v.pipe(v.string(), v.maxLength(100)) }),
  v.object({
    type: v.literal('root'),
    root: bytesOf(FINGERPRINT_BYTES),
    log: logSummarySchema,
    unchecked: wholeNumber,
    arrival: wholeNumber,
    isAnswer: v.boolean(),
  }),
  v.object({
    type: v.literal('ask'),
    tags: recordsOf(DOC_TAG_BYTES, MAX_WANT_IDS),
    sums: v.exactOptional(recordsOf(FINGERPRINT_BYTES, MAX_WANT_IDS)),
  }),
  v.object({ type: v.literal('ask-snapshot'), tag: bytesOf(DOC_TAG_BYTES) }),
  v.object({ type: v.literal('no-snapshot'), tag: bytesOf(DOC_TAG_BYTES) }),
  v.object({
    type: v.literal('retire'),
    tag: bytesOf(DOC_TAG_BYTES),
    ids: recordsOf(CHUNK_ID_BYTES, MAX_RETIRE_IDS),
    keep: recordsOf(CHUNK_ID_BYTES, MAX_KEEP_IDS),
  }),
  v.object({ type: v.literal('drop'), tags: recordsOf(DOC_TAG_BYTES, MAX_DROP_TAGS) }),
  v.object({ type: v.literal('except'), tags: recordsOf(DOC_TAG_BYTES, MAX_EXCEPT_TAGS) }),
  v.object({ type: v.literal('leave'), number: wholeNumber, tags: recordsOf(DOC_TAG_BYTES, MAX_LEAVE_TAGS) }),
  v.object({ type: v.literal('kept'), number: wholeNumber, tags: recordsOf(DOC_TAG_BYTES, MAX_LEAVE_TAGS) }),
  v.object({ type: v.literal('dropped'), tags: recordsOf(DOC_TAG_BYTES, MAX_DROP_TAGS) }),
  v.object({ type: v.literal('undrop'), tags: recordsOf(DOC_TAG_BYTES, MAX_DROP_TAGS) }),
  v.object({ type: v.literal('prove'), ids: recordsOf(CHUNK_ID_BYTES, MAX_PROVE_IDS) }),
  v.object({ type: v.literal('holds'), items: recordsOf(CHUNK_ID_BYTES + HASH_BYTES, MAX_PROVE_IDS) }),
])

export function encodeSyncMessage(message: SyncMessage): Uint8Array {
  return encodeCbor(message)
}

export function decodeSyncMessage(frame: Uint8Array): Result<SyncMessage, DecodeFailure> {
  return decodeCbor(syncMessageSchema, frame, MAX_FRAME_BYTES)
}
