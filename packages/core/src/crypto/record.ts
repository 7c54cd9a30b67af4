/**
 * Small things sealed under one symmetric key: local records and the vault's slots.
 *
 *     version 1 (u8) || nonce 24 || secretbox(pad(bytes))
 *
 * The key used is derived from the given one and the purpose, so a value moved to another place does not open there.
 */
import nacl from 'tweetnacl'
import { concatBytes } from '../lib/bytes.ts'
import type { Random } from '../ports/random.ts'
import { labelledHmac } from './hash.ts'
import { pad, unpad } from './padding.ts'

/** `purpose` names the place: a record's key, a slot's kind. The same one opens it. */
export function sealRecord(key: Uint8Array, purpose: string, bytes: Uint8Array, random: Random): Uint8Array {
  const nonce = random.bytes(nacl.secretbox.nonceLength)
  return concatBytes(VERSION, nonce, nacl.secretbox(pad(bytes), nonce, recordKey(key, purpose)))
}

/** Undefined for anything that was not sealed with this key for this purpose. */
export function openRecord(key: Uint8Array, purpose: string, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < MIN_BYTES || sealed[0] !== VERSION[0]) return undefined
  const padded = nacl.secretbox.open(sealed.subarray(25), sealed.subarray(1, 25), recordKey(key, purpose))
  return padded === null ? undefined : unpad(padded)?.slice()
}

const VERSION = new Uint8Array([1])
const MIN_BYTES = 1 + nacl.secretbox.nonceLength + nacl.secretbox.overheadLength

function recordKey(key: Uint8Array, purpose: string): Uint8Array {
  return labelledHmac(key, 'record', [purpose])
}
