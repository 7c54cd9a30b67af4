/**
 * Which mailbox a peer's connection leads to: asked for every connection before anything of it is read, so it is kept in memory.
 *
 * A device is in one group, and its group in one account; when an admin was removed the group moves to a new mailbox, and for a while
 * the device is on two lists. Then the one that takes the other's place counts, else the newest. But somebody else's account could put a stranger's key on a list of its own
 * and so draw its connections away: between accounts the one whose mailbox the peer itself asked for by name last, in this run, has it; of
 * a peer that asked for none, who listed it first. Every device asks for its own when it comes, so who listed a stranger first gains nothing.
 */
import type { DeviceId, MailboxId } from '@segue/core/sealed'
import type { Account, MailboxRecord } from '../engine/mailbox-engine.ts'

export interface Directory {
  get(id: MailboxId): MailboxRecord | undefined
  /** Undefined for who is on no list, or only on those of revoked accounts. */
  mailboxOf(peer: DeviceId): MailboxRecord | undefined
  /** Whether both come to one mailbox: then they may reach each other through the relay. */
  areTogether(a: DeviceId, b: DeviceId): boolean
  isRevoked(account: DeviceId): boolean
  /** The peer itself, as Noise proved it to be, named a mailbox of this account, and is on its list. True when that is another than before. */
  choose(peer: DeviceId, account: DeviceId): boolean
  all(): readonly MailboxRecord[]
  put(record: MailboxRecord): void
  remove(id: MailboxId): void
  revoke(account: DeviceId): void
}

export function createDirectory(mailboxes: readonly MailboxRecord[], accounts: readonly Account[]): Directory {
  const byId = new Map<MailboxId, MailboxRecord>()
  const byPeer = new Map<DeviceId, Set<MailboxId>>()
  const chosen = new Map<DeviceId, DeviceId>()
  const revoked = new Set(accounts.filter(account => account.revokedAt !== undefined).map(account => account.id))

  const remove = (id: MailboxId): void => {
    for (const peer of byId.get(id)?.list?.peers ?? []) {
      const listed = byPeer.get(peer)
      listed?.delete(id)
      if (listed?.size === 0) byPeer.delete(peer)
    }
    byId.delete(id)
  }
  const forgetChoices = (peers: readonly DeviceId[] = []): void => {
    for (const peer of peers) if (!byPeer.has(peer)) chosen.delete(peer)
  }
  const put = (record: MailboxRecord): void => {
    const before = byId.get(record.id)?.list?.peers
    remove(record.id)
    byId.set(record.id, record)
    for (const peer of record.list?.peers ?? []) {
      const listed = byPeer.get(peer)
      if (listed === undefined) byPeer.set(peer, new Set([record.id]))
      else listed.add(record.id)
    }
    forgetChoices(before)
  }
  for (const record of mailboxes) put(record)

  const mailboxOf = (peer: DeviceId): MailboxRecord | undefined => {
    const ids = byPeer.get(peer)
    if (ids === undefined) return undefined
    const listed = [...ids].flatMap(id => byId.get(id) ?? []).filter(record => !revoked.has(record.account))
    const own = listed.find(({ account }) => account === chosen.get(peer))
    const first = own ?? least(listed, record => record.list?.since.get(peer) ?? Infinity)
    return least(
      listed.filter(({ account, replaced }) => account === first?.account && !(replaced !== undefined && ids.has(replaced.by))),
      record => -(record.list?.order ?? 0),
    )
  }

  return {
    get: id => byId.get(id),
    mailboxOf,
    areTogether(a, b) {
      const mailbox = mailboxOf(a)
      return mailbox !== undefined && mailbox.id === mailboxOf(b)?.id
    },
    isRevoked: account => revoked.has(account),
    all: () => [...byId.values()],
    put,
    choose(peer, account) {
      const isNew = chosen.get(peer) !== account
      chosen.set(peer, account)
      return isNew
    },
    remove(id) {
      const peers = byId.get(id)?.list?.peers
      remove(id)
      forgetChoices(peers)
    },
    revoke: account => void revoked.add(account),
  }
}

function least<T>(items: readonly T[], by: (item: T) => number): T | undefined {
  return items.reduce<T | undefined>((best, item) => (best === undefined || by(item) < by(best) ? item : best), undefined)
}
