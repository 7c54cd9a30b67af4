/**
 * Every key of a relay's volume. The first byte says what follows.
 *
 * | first | rest | value |
 * |---|---|---|
 * | `i` | SHA-256 of an invite's token (32) | the invite |
 * | `a` | account, its public key (32) | the account |
 * | `u` | account, its public key (32) | what its mailboxes hold together |
 * | `m` | mailbox (16) | the mailbox with its member list |
 * | `n` | | how many lists there were |
 * | `p` | | written by the probe |
 * | `c` | mailbox (16), then the keys of a chunk store | its chunks |
 */
import { concatBytes, fromHex, publicKeyOf, utf8, type DeviceId, type MailboxId } from '@segue/core/sealed'

export const INVITES: Uint8Array = utf8('i')
export const ACCOUNTS: Uint8Array = utf8('a')
export const MAILBOXES: Uint8Array = utf8('m')
export const LIST_COUNT: Uint8Array = utf8('n')
export const PROBE: Uint8Array = utf8('p')

export function inviteKey(tokenHash: string): Uint8Array {
  return concatBytes(INVITES, fromHex(tokenHash))
}

export function accountKey(id: DeviceId): Uint8Array {
  return concatBytes(ACCOUNTS, publicKeyOf(id))
}

export function usageKey(id: DeviceId): Uint8Array {
  return concatBytes(utf8('u'), publicKeyOf(id))
}

export function mailboxKey(id: MailboxId): Uint8Array {
  return concatBytes(MAILBOXES, fromHex(id))
}

/** Everything of the mailbox's chunk store begins so. */
export function chunksPrefix(id: MailboxId): Uint8Array {
  return concatBytes(utf8('c'), fromHex(id))
}
