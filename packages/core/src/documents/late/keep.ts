/**
 * What a device keeps although a removed device may have written it: a signed register per (document, device), beside its claim. For each
 * removal it names the heads of what the device held when it learned of it, queued changes included; and what a person decided since.
 *
 *     body = CBOR {v: 1, kept: [[removal 32, [hash 32]]], accepted: [hash 32], discarded: [hash 32], time}
 */
import * as v from 'valibot'
import { fromHex, toHex } from '../../lib/bytes.ts'
import { bytesOf, decodeCbor, encodeCbor, wholeNumber } from '../../lib/codec.ts'
import { hexId, idBytes, type EntryId } from '../../lib/ids.ts'
import { failed, ok, type Result } from '../../lib/result.ts'
import { MAX_REGISTER_BYTES } from '../../wire/limits.ts'

export const KEEP_NAME = 'keep'

export interface Keep {
  /** By the entry that removed; hex heads. Once said they stay what they were. */
  readonly kept: ReadonlyMap<EntryId, readonly string[]>
  /** Hex hashes: taken with all they depend on, whoever wrote them. */
  readonly accepted: readonly string[]
  /** The same, not to be asked about again. Whatever anybody accepts, or builds on, is taken all the same. */
  readonly discarded: readonly string[]
  /** Milliseconds since 1970 as the device believed. Information only. */
  readonly time: number
}

export const NO_KEEP: Keep = { kept: new Map(), accepted: [], discarded: [], time: 0 }

export function encodeKeep({ kept, accepted, discarded, time }: Keep): Uint8Array {
  return encodeCbor({
    v: 1,
    kept: [...kept].map(([removal, heads]) => [idBytes(removal), heads.map(fromHex)]),
    accepted: accepted.map(fromHex),
    discarded: discarded.map(fromHex),
    time,
  })
}

/** The keep in a verified register of that name. Never throws. */
export function decodeKeep(body: Uint8Array): Result<Keep, string> {
  const decoded = decodeCbor(SHAPE, body, MAX_REGISTER_BYTES)
  if (!decoded.ok) return failed(`keep: ${decoded.error.reason}`)
  const { kept, accepted, discarded, time } = decoded.value
  return ok({
    kept: new Map(kept.map(([removal, heads]) => [hexId<EntryId>(removal), heads.map(toHex)])),
    accepted: accepted.map(toHex),
    discarded: discarded.map(toHex),
    time,
  })
}

const HASH = bytesOf(32)
const SHAPE = v.strictObject({
  v: v.literal(1),
  kept: v.array(v.strictTuple([HASH, v.array(HASH)])),
  accepted: v.array(HASH),
  discarded: v.array(HASH),
  time: wholeNumber,
})
