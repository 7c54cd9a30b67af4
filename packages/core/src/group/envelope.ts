/**
 * A group entry as signed bytes, whatever it means.
 *
 *     signed   = CBOR [unsigned, signature 64]                                  at most MAX_ENTRY_BYTES
 *     unsigned = CBOR {v, group: 32, author: 32, parents: [32...], kind, body, time}
 *     id       = SHA-256(unsigned)
 *
 * The genesis has no `group` (its id is the group) and no parents; every other entry has both, its parents in ascending order.
 * These fields keep their meaning in every later version, which may add others: so an entry from the future can be verified,
 * linked, kept and forwarded by a device that does not understand it. The bytes received are verified and hashed, never
 * a re-encoding of them; the signature is no part of the id.
 */
import * as v from 'valibot'
import { SIGNATURE_BYTES, sha256, sign, verify, isAdmissibleKey, type SigningKeys } from '../crypto/index.ts'
import { compareBytes } from '../lib/bytes.ts'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { ENTRY_ID_BYTES, PUBLIC_KEY_BYTES, deviceIdOf, hexId, idBytes, publicKeyOf } from '../lib/ids.ts'
import type { DeviceId, EntryId, GroupId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_ENTRY_BYTES } from '../wire/limits.ts'

/** The version of entries this device writes, and the greatest it understands. */
export const ENTRY_VERSION = 1
/** More concurrent heads than this are merged by several entries. */
export const MAX_PARENTS = 256

export interface Envelope {
  readonly id: EntryId
  readonly version: number
  /** Of a genesis: its own id. */
  readonly group: GroupId
  readonly author: DeviceId
  readonly parents: readonly EntryId[]
  readonly kind: string
  readonly body: unknown
  /** Milliseconds since 1970 on the author's clock. Information only: nothing is decided by it. */
  readonly time: number
  /** The whole signed form, as received. */
  readonly bytes: Uint8Array
}

export interface UnsignedEntry {
  /** Undefined for a genesis. */
  readonly group: GroupId | undefined
  readonly parents: readonly EntryId[]
  readonly kind: string
  readonly body: unknown
  readonly time: number
}

/** Throws RangeError when the entry would exceed MAX_ENTRY_BYTES. */
export function signEnvelope(entry: UnsignedEntry, keys: SigningKeys): Uint8Array {
  const unsigned = encodeCbor({
    v: ENTRY_VERSION,
    ...(entry.group === undefined ? {} : { group: idBytes(entry.group) }),
    author: keys.publicKey,
    parents: [...entry.parents].sort().map(idBytes),
    kind: entry.kind,
    body: entry.body,
    time: entry.time,
  })
  const signed = encodeCbor([unsigned, sign('group-entry', unsigned, keys)])
  if (signed.length > MAX_ENTRY_BYTES) throw new RangeError(`a group entry has at most ${MAX_ENTRY_BYTES} bytes`)
  return signed
}

/** Size, shape and id; not the signature, which costs a thousand times more: see `isSigned`. */
export function openEnvelope(bytes: Uint8Array, hasher?: Hasher): Result<Envelope, string> {
  const outer = decodeCbor(OUTER, bytes, MAX_ENTRY_BYTES)
  if (!outer.ok) return failed(`entry: ${outer.error.reason}`)
  const inner = decodeCbor(INNER, outer.value[0], MAX_ENTRY_BYTES)
  if (!inner.ok) return failed(`entry: ${inner.error.reason}`)
  const { v: version, group, author, parents, kind, body, time } = inner.value
  if (version === ENTRY_VERSION && Object.keys(inner.value).some(field => !FIELDS.has(field))) return failed('entry: unknown field')
  if (parents.some((parent, i) => i > 0 && compareBytes(parents[i - 1] as Uint8Array, parent) >= 0)) {
    return failed('entry: parents not in ascending order')
  }
  if ((group === undefined) !== (kind === 'genesis')) return failed('entry: a genesis, and only it, names no group')
  if ((parents.length === 0) !== (kind === 'genesis')) return failed('entry: a genesis, and only it, has no parents')
  const id = hexId<EntryId>(sha256(outer.value[0], hasher))
  return ok({
    id,
    version,
    group: group === undefined ? (id as string as GroupId) : hexId<GroupId>(group),
    author: deviceIdOf(author),
    parents: parents.map(parent => hexId<EntryId>(parent)),
    kind,
    body,
    time,
    bytes,
  })
}

/** Whether the author signed exactly these bytes. */
export function isSigned(entry: Pick<Envelope, 'author' | 'bytes'>, verifier?: Verifier): boolean {
  const outer = decodeCbor(OUTER, entry.bytes, MAX_ENTRY_BYTES)
  const author = publicKeyOf(entry.author)
  return outer.ok && isAdmissibleKey(author) && verify('group-entry', outer.value[0], outer.value[1], author, verifier)
}

const FIELDS = new Set(['v', 'group', 'author', 'parents', 'kind', 'body', 'time'])
const OUTER = v.strictTuple([bytesUpTo(MAX_ENTRY_BYTES), bytesOf(SIGNATURE_BYTES)])
const INNER = v.looseObject({
  v: v.pipe(wholeNumber, v.minValue(1)),
  group: v.optional(bytesOf(ENTRY_ID_BYTES)),
  author: bytesOf(PUBLIC_KEY_BYTES),
  parents: v.pipe(v.array(bytesOf(ENTRY_ID_BYTES)), v.maxLength(MAX_PARENTS)),
  kind: v.pipe(v.string(), v.minLength(1), v.maxLength(32)),
  body: v.unknown(),
  time: wholeNumber,
})
