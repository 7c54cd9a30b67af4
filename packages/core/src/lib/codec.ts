/**
 * Deterministic CBOR (RFC 8949 section 4.2) for everything that is signed, hashed, stored or sent, and the one way to take
 * bytes from outside: bounded in size before parsing, checked by a schema, never throwing.
 */
import { decode, encode } from 'cborg'
import * as v from 'valibot'
import { failed, ok, type Result } from './result.ts'

export type DecodeFailure = { readonly reason: 'too-large' | 'not-cbor' | 'wrong-shape'; readonly detail: string }

/** Map keys sorted, shortest integers: equal values give equal bytes. `undefined` members must be left out by the caller. */
export function encodeCbor(value: unknown): Uint8Array {
  return encode(value)
}

export function decodeCbor<Schema extends v.GenericSchema<unknown, unknown>>(
  schema: Schema,
  bytes: Uint8Array,
  maxBytes: number,
): Result<v.InferOutput<Schema>, DecodeFailure> {
  if (bytes.length > maxBytes) return failed({ reason: 'too-large', detail: `${bytes.length} > ${maxBytes} bytes` })
  let value: unknown
  try {
    value = decode(bytes, { strict: true, allowIndefinite: false, allowUndefined: false, rejectDuplicateMapKeys: true })
  } catch (error) {
    return failed({ reason: 'not-cbor', detail: error instanceof Error ? error.message : String(error) })
  }
  // Only the first thing that is wrong: a small frame can hold a quarter of a million wrong elements, each an issue of its own.
  const parsed = v.safeParse(schema, value, { abortEarly: true })
  if (!parsed.success) {
    const [issue] = parsed.issues
    return failed({ reason: 'wrong-shape', detail: v.getDotPath(issue) ?? issue.message })
  }
  return ok(parsed.output)
}

/** Exactly `length` bytes. */
export function bytesOf(length: number): v.GenericSchema<Uint8Array> {
  return v.pipe(
    v.instance(Uint8Array),
    v.check(bytes => bytes.length === length, `expected ${length} bytes`),
  )
}

/** At most `max` bytes. */
export function bytesUpTo(max: number): v.GenericSchema<Uint8Array> {
  return v.pipe(
    v.instance(Uint8Array),
    v.check(bytes => bytes.length <= max, `expected at most ${max} bytes`),
  )
}

/** A non-negative safe integer: counters, sequences, sizes, milliseconds since 1970. */
export const wholeNumber: v.GenericSchema<number> = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
