/**
 * Registers: small records of one device about one document (or about the group), each replacing the one before it. Chunks
 * are sealed under a key that all members share, so what a device says of itself is signed.
 *
 *     content = CBOR [unsigned, signature 64]
 *     unsigned = CBOR {v: 1, document: 16, name, device: 32, sequence, body}
 *
 * Document, name, device and sequence are inside the signature: nobody can move a register to another place or time.
 * A device starts each run above the greatest sequence it sees of its own (a restored disk would repeat one).
 */
import * as v from 'valibot'
import { bytesOf, bytesUpTo, decodeCbor, encodeCbor, wholeNumber } from '../lib/codec.ts'
import { equalBytes } from '../lib/bytes.ts'
import { deviceIdOf, publicKeyOf, type DeviceId } from '../lib/ids.ts'
import { failed, ok, type Result } from '../lib/result.ts'
import type { Verifier } from '../ports/verifier.ts'
import { MAX_REGISTER_BYTES } from '../wire/limits.ts'
import { DOCUMENT_ID_BYTES } from './seal.ts'
import { SIGNATURE_BYTES, isAdmissibleKey, sign, verify, type SigningKeys } from './sign.ts'

export interface Register {
  /** 16 raw bytes, zeros for group-wide ones. */
  readonly documentId: Uint8Array
  /** What kind of register, such as 'claim' or 'heartbeat'. At most 64 characters. */
  readonly name: string
  readonly device: DeviceId
  readonly sequence: number
  /** The caller's own CBOR. */
  readonly body: Uint8Array
}

/** Throws RangeError when the device is not the one of the keys, or the whole exceeds MAX_REGISTER_BYTES. */
export function encodeRegister(register: Register, keys: SigningKeys): Uint8Array {
  if (register.device !== deviceIdOf(keys.publicKey)) throw new RangeError('a register is signed by its own device')
  const unsigned = encodeCbor({
    v: 1,
    document: register.documentId,
    name: register.name,
    device: keys.publicKey,
    sequence: register.sequence,
    body: register.body,
  })
  const content = encodeCbor([unsigned, sign('register', unsigned, keys)])
  if (content.length > MAX_REGISTER_BYTES) throw new RangeError(`a register has at most ${MAX_REGISTER_BYTES} bytes`)
  return content
}

/** The register in an opened chunk's content, its signature verified and its place compared with where it was found. */
export function decodeRegister(
  content: Uint8Array,
  expected: { readonly sequence: number; readonly documentId: Uint8Array },
  verifier?: Verifier,
): Result<Register, string> {
  const outer = decodeCbor(OUTER, content, MAX_REGISTER_BYTES)
  if (!outer.ok) return failed(`register: ${outer.error.reason}`)
  const [unsigned, signature] = outer.value
  const inner = decodeCbor(INNER, unsigned, MAX_REGISTER_BYTES)
  if (!inner.ok) return failed(`register: ${inner.error.reason}`)
  const { document, name, device, sequence, body } = inner.value
  if (sequence !== expected.sequence) return failed('register: another sequence than its header')
  if (!equalBytes(document, expected.documentId)) return failed('register: of another document')
  if (!isAdmissibleKey(device)) return failed('register: inadmissible key')
  if (!verify('register', unsigned, signature, device, verifier)) return failed('register: bad signature')
  return ok({ documentId: document, name, device: deviceIdOf(device), sequence, body })
}

/** The content key of a register: its name and the device that writes it. */
export function registerContentKey(name: string, device: DeviceId): Uint8Array {
  return encodeCbor([name, publicKeyOf(device)])
}

const OUTER = v.strictTuple([bytesUpTo(MAX_REGISTER_BYTES), bytesOf(SIGNATURE_BYTES)])
const INNER = v.strictObject({
  v: v.literal(1),
  document: bytesOf(DOCUMENT_ID_BYTES),
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  device: bytesOf(32),
  sequence: wholeNumber,
  body: bytesUpTo(MAX_REGISTER_BYTES),
})
