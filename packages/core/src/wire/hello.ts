/**
 * The first frame on a sync link, both ways at once: who speaks, which versions, and what the replica holds, in a few hundred
 * bytes whatever the store's size. Two equal summaries end the matter there.
 *
 * Version 1 (2026): first.
 * Version 2 (2026): a relay says `isKeyless`; to it `retire` may be sent.
 * Version 3 (2026): `ask` carries sums; without them everything asked for is offered.
 * Version 4 (2026): to a relay `drop` may be sent.
 * Version 5 (2026): a device says which documents it leaves out, here and by `except`; before that it asks by `leave` who keeps them.
 * Version 6 (2026): a relay says what it dropped, and to it `undrop` may be sent.
 * Version 7 (2026): a relay says whether it stored what it was given, and answers `prove`.
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, wholeNumber } from '../lib/codec.ts'
import { DOC_TAG_BYTES, RANDOM_ID_BYTES } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'

export const SYNC_VERSION = 7
/** Versions N-1 to N+1 of each other work together. */
export const SYNC_VERSION_MIN = 1
/** Tags in a scope. */
export const MAX_SCOPE_TAGS = 4_096
/** Documents that one device leaves out. */
export const MAX_EXCEPT_TAGS = 16_384
export const FINGERPRINT_BYTES = 32

export interface VersionWindow {
  readonly min: number
  readonly current: number
}

export interface LogSummary {
  readonly count: number
  /** Sum of the log's chunk ids, mod 2^256. */
  readonly fingerprint: Uint8Array
}

export interface Hello {
  readonly type: 'hello'
  readonly versions: VersionWindow
  readonly replica: Uint8Array
  readonly incarnation: Uint8Array
  /** DocTags, joined; absent: everything. */
  readonly scope?: Uint8Array
  /** DocTags, joined, of documents that the sender does not keep; absent: none. Both leave them out of what they compare. */
  readonly except?: Uint8Array
  readonly log: LogSummary
  readonly root: Uint8Array
  /** Chunks held but not readable yet: with any, equal roots are no receipt. */
  readonly unchecked: number
  /** The sender's last arrival number, for the receiver's cursor. */
  readonly arrival: number
  /** How far the sender had taken everything from the receiver, in which incarnation of the receiver. */
  readonly cursor?: { readonly incarnation: Uint8Array; readonly arrival: number }
  /** A relay: it cannot see what a fragment contains and has to be told what it need not keep. */
  readonly isKeyless?: boolean
}

/** `bytes` is a whole number of records of `size` bytes. */
export function recordsOf(size: number, max: number): v.GenericSchema<Uint8Array> {
  return v.pipe(
    bytesUpTo(size * max),
    v.check(bytes => bytes.length % size === 0, `expected records of ${size} bytes`),
  )
}

const versionSchema: v.GenericSchema<VersionWindow> = v.object({ min: wholeNumber, current: wholeNumber })

export const logSummarySchema: v.GenericSchema<LogSummary> = v.object({ count: wholeNumber, fingerprint: bytesOf(FINGERPRINT_BYTES) })

// Not annotated with GenericSchema: v.variant needs to see the entries.
export const helloEntries: {
  readonly type: v.LiteralSchema<'hello', undefined>
  readonly versions: v.GenericSchema<VersionWindow>
  readonly replica: v.GenericSchema<Uint8Array>
  readonly incarnation: v.GenericSchema<Uint8Array>
  readonly scope: v.ExactOptionalSchema<v.GenericSchema<Uint8Array>, undefined>
  readonly except: v.ExactOptionalSchema<v.GenericSchema<Uint8Array>, undefined>
  readonly log: v.GenericSchema<LogSummary>
  readonly root: v.GenericSchema<Uint8Array>
  readonly unchecked: v.GenericSchema<number>
  readonly arrival: v.GenericSchema<number>
  readonly cursor: v.ExactOptionalSchema<v.GenericSchema<{ incarnation: Uint8Array; arrival: number }>, undefined>
  readonly isKeyless: v.ExactOptionalSchema<v.GenericSchema<boolean>, undefined>
} = {
  type: v.literal('hello'),
  versions: versionSchema,
  replica: bytesOf(RANDOM_ID_BYTES),
  incarnation: bytesOf(RANDOM_ID_BYTES),
  scope: v.exactOptional(recordsOf(DOC_TAG_BYTES, MAX_SCOPE_TAGS)),
  except: v.exactOptional(recordsOf(DOC_TAG_BYTES, MAX_EXCEPT_TAGS)),
  log: logSummarySchema,
  root: bytesOf(FINGERPRINT_BYTES),
  unchecked: wholeNumber,
  arrival: wholeNumber,
  cursor: v.exactOptional(v.object({ incarnation: bytesOf(RANDOM_ID_BYTES), arrival: wholeNumber })),
  isKeyless: v.exactOptional(v.boolean()),
}

/** The version both speak: the smaller `current`, if neither is too old for the other. */
export function negotiateVersion(ours: VersionWindow, theirs: VersionWindow): Result<number, 'version-unsupported'> {
  const version = Math.min(ours.current, theirs.current)
  return version >= ours.min && version >= theirs.min ? ok(version) : failed('version-unsupported')
}
