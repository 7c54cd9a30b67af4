/**
 * A mailbox in the place of another, when somebody whom the group no longer trusts with it knows the admin key of the first.
 *
 *     signature = Ed25519 over ["segue/mailbox-move/v1", CBOR [from 16, to 16, admin key of the new one 32]], with the old admin key
 *
 * Whoever else knows the old key could sign one as well: the relay takes the first whose list is in force, and a group that finds itself
 * outrun moves on from there (outrun.ts), or starts anew with another invite. What lies in the mailbox is sealed in any case.
 */
import { sign, verify, type SigningKeys } from '../crypto/index.ts'
import { encodeCbor } from '../lib/codec.ts'
import type { Verifier } from '../ports/verifier.ts'

export interface MailboxMove {
  /** 16 bytes each. */
  readonly from: Uint8Array
  readonly mailbox: Uint8Array
  /** Of the new mailbox. */
  readonly adminKey: Uint8Array
}

export function signMailboxMove(move: MailboxMove, oldKeys: SigningKeys): Uint8Array {
  return sign('mailbox-move', bytesOf(move), oldKeys)
}

export function isMailboxMoveSigned(move: MailboxMove, signature: Uint8Array, oldAdminKey: Uint8Array, verifier?: Verifier): boolean {
  return verify('mailbox-move', bytesOf(move), signature, oldAdminKey, verifier)
}

function bytesOf({ from, mailbox, adminKey }: MailboxMove): Uint8Array {
  return encodeCbor([from, mailbox, adminKey])
}
