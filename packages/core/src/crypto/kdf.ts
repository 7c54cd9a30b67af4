/** Keys from secrets (HKDF-SHA-256, RFC 5869) and from passphrases (scrypt, RFC 7914). */
import { hkdf as nobleHkdf } from '@noble/hashes/hkdf.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { encodeCbor } from '../lib/codec.ts'
import { utf8 } from '../lib/bytes.ts'
import type { HashPart } from './hash.ts'
import { PURPOSES, type Purpose } from './purposes.ts'

/** protocols.md section 10: about 0.4 s and 128 MiB on a laptop. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, dkLen: 32 } as const

/** HKDF-SHA-256 with `info = CBOR [label, ...context]`, so that every derived key has its own label. */
export function hkdf(
  secret: Uint8Array,
  salt: Uint8Array | undefined,
  purpose: Purpose,
  length: number,
  context: readonly HashPart[] = [],
): Uint8Array {
  return nobleHkdf(nobleSha256, secret, salt, encodeCbor([PURPOSES[purpose], ...context]), length)
}

/** 32 bytes from a passphrase (NFKC, so that two keyboards type the same one) and a salt of 16 random bytes. Blocks while it runs. */
export function scryptKey(passphrase: string, salt: Uint8Array): Uint8Array {
  const stretched = scrypt(utf8(passphrase.normalize('NFKC')), salt, SCRYPT)
  return hkdf(stretched, salt, 'passphrase', 32)
}
