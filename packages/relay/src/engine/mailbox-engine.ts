/**
 * What a relay keeps, whatever it keeps it in: accounts, the invites that make them, mailboxes with their member lists, and in each
 * mailbox sealed chunks. `describeMailboxEngine` is the contract as tests; memory and Level run it, and PostgreSQL shall.
 *
 * Promises:
 * - Every method that writes is one step: what it checks still holds when it writes, however many callers and processes there are,
 *   and it is on disk when it resolves.
 * - Arrival numbers are gapless per mailbox at the time of writing; `apply` of a mailbox checks for duplicates and charges the
 *   account in the same step as it writes.
 * - Nothing in here is readable content: ids, keys, sizes, times, and the operator's own notes.
 */
import type { Closeable, DeviceId, MailboxId, RelayQuotas, Retention, SignedMemberList } from '@segue/core/sealed'
import type { ChunkStore } from '@segue/core/ports'

export interface MailboxEngine extends Closeable {
  putInvite(invite: Invite): Promise<void>
  invites(): Promise<readonly Invite[]>
  /** False when there is none, or it was claimed: then `revoke` the account. */
  removeInvite(tokenHash: string): Promise<boolean>
  /** Makes the account of `device`. The same device may claim the same invite again. */
  claim(tokenHash: string, device: DeviceId, time: number): Promise<ClaimOutcome>

  account(id: DeviceId): Promise<Account | undefined>
  accounts(): Promise<readonly Account[]>
  /** False when there is no such account. */
  setTerms(id: DeviceId, terms: AccountTerms): Promise<boolean>
  /** From now on nobody may use its mailboxes. Their content goes with `removeMailbox`. */
  revoke(id: DeviceId, time: number): Promise<boolean>
  /** What all mailboxes of the account hold together. */
  usage(id: DeviceId): Promise<Usage>

  /** `created` also when it is there already with the same account and key. */
  createMailbox(mailbox: NewMailbox): Promise<CreateOutcome>
  mailbox(id: MailboxId): Promise<MailboxRecord | undefined>
  mailboxes(): Promise<readonly MailboxRecord[]>
  /** Compare-and-set: stale unless `version` is the one after the list in force. Gives the record as it is then. */
  replaceList(id: MailboxId, list: NewList): Promise<MailboxRecord | 'stale' | 'unknown'>
  /** Days on which somebody came, at most; for mailboxes that nobody visits any more. */
  setLastUsed(id: MailboxId, time: number): Promise<void>
  removeMailbox(id: MailboxId): Promise<void>

  /** The chunks of a mailbox that was created; throws RELAY_NOT_YOURS otherwise. Open it once at a time. */
  open(id: MailboxId): Promise<Mailbox>
  /** Writes something and rejects with STORE_FAILED when the disk does not take it. */
  probe(): Promise<void>
}

/**
 * A chunk store whose `apply` rejects with RELAY_QUOTA, whole, when the account would then hold more than it may (what makes it
 * smaller is always taken), and gives a chunk that is there already, byte for byte, neither a new arrival nor a price.
 */
export interface Mailbox extends ChunkStore {
  readonly id: MailboxId
  /** Hears the last arrival after every write that moved it, by whomever. Returns the unsubscribe function. */
  watch(listener: (lastArrival: number) => void): () => void
}

export interface Invite {
  /** SHA-256 of the token, hex: who reads the store cannot claim. */
  readonly tokenHash: string
  readonly quotas: RelayQuotas
  readonly retention: Retention
  readonly createdAt: number
  readonly expiresAt: number
  readonly claimedBy?: DeviceId | undefined
  /** The operator's, for the operator. */
  readonly note?: string | undefined
}

export type ClaimOutcome = 'unknown-token' | 'expired-token' | 'used-token' | 'revoked' | Account

export interface Account {
  readonly id: DeviceId
  readonly quotas: RelayQuotas
  readonly retention: Retention
  readonly createdAt: number
  readonly revokedAt?: number | undefined
  readonly note?: string | undefined
}

export type AccountTerms = Pick<Account, 'quotas' | 'retention'>

export interface Usage {
  readonly mailboxes: number
  readonly bytes: number
  readonly chunks: number
}

export interface NewMailbox {
  readonly id: MailboxId
  readonly account: DeviceId
  /** Signs its member lists. */
  readonly adminKey: Uint8Array
  readonly time: number
  /**
   * Takes the place of this one of the same account, beyond the quota of mailboxes; asked again, it takes it again from another. Stale when
   * another is settled there.
   */
  readonly replaces?: MailboxId
}

export type CreateOutcome = 'created' | 'no-account' | 'revoked' | 'quota' | 'other-key' | 'not-yours' | 'stale'

export interface MailboxRecord {
  readonly id: MailboxId
  readonly account: DeviceId
  readonly adminKey: Uint8Array
  readonly createdAt: number
  readonly lastUsedAt: number
  readonly list?: ListInForce | undefined
  /** Another takes its place; once that has its second list, nothing about this one changes any more. */
  readonly replaced?: { readonly by: MailboxId; readonly at: number } | undefined
}

export interface NewList {
  readonly version: number
  readonly signed: SignedMemberList
  readonly peers: readonly DeviceId[]
}

export interface ListInForce extends NewList {
  /** Lists of all mailboxes in the order they came: 1, 2, 3... */
  readonly order: number
  /** For each peer the order of the list that brought it here first. */
  readonly since: ReadonlyMap<DeviceId, number>
}

/** The group is in it: it has its second list, and nothing about the one whose place it took changes any more. */
export function isSettled(mailbox: Pick<MailboxRecord, 'list'> | undefined): boolean {
  return (mailbox?.list?.version ?? 0) >= 2
}
