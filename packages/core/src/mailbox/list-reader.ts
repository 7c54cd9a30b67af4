/**
 * That a device may read a mailbox's member list because it has the key that such lists are signed with, though no list names it yet.
 *
 *     proof = Ed25519 over ["segue/list-reader/v1", CBOR [mailbox 16, reader 32]], with the mailbox's admin key
 *
 * A list is replaced by whoever knows the version in force and has the key. An admin whom no list names cannot read that version from the
 * mailbox, and where the one admin that a relay was told of is none any more, nobody else could tell it. The proof is for one reader, as
 * Noise proves it to be, so nobody else can use it; and who can make one could put itself on the list anyway.
 */
import { sign, verify, type SigningKeys } from '../crypto/index.ts'
import { encodeCbor } from '../lib/codec.ts'
import { publicKeyOf, type DeviceId } from '../lib/ids.ts'
import type { Verifier } from '../ports/verifier.ts'

export interface ListReading {
  /** 16 bytes. */
  readonly mailbox: Uint8Array
  readonly reader: DeviceId
}

export function proveListReader(reading: ListReading, adminKeys: SigningKeys): Uint8Array {
  return sign('list-reader', bytesOf(reading), adminKeys)
}

export function isListReader(reading: ListReading, proof: Uint8Array, adminKey: Uint8Array, verifier?: Verifier): boolean {
  return verify('list-reader', bytesOf(reading), proof, adminKey, verifier)
}

function bytesOf({ mailbox, reader }: ListReading): Uint8Array {
  return encodeCbor([mailbox, publicKeyOf(reader)])
}
