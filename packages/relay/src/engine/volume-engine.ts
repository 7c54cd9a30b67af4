/**
 * The engine on a volume: Level for a relay that runs, memory for tests and simulations, the same code for both. All mailboxes are
 * parts of one volume, so that writes of many groups share an fsync, and a mailbox's write and its account's usage are one commit.
 */
import { SegueError } from '@segue/core/sealed'
import type { DeviceId, MailboxId } from '@segue/core/sealed'
import { createChunkStore, keysUnder, partOf, sizeIn, transactionIn } from '@segue/storage/volume'
import type { OnDamaged, Volume, VolumeTransaction } from '@segue/storage/volume'
import { createCharging } from './charging.ts'
import { ACCOUNTS, INVITES, LIST_COUNT, MAILBOXES, PROBE, accountKey, chunksPrefix, inviteKey, mailboxKey, usageKey } from './keys.ts'
import { isSettled } from './mailbox-engine.ts'
import type { Account, CreateOutcome, Invite, Mailbox, MailboxEngine, MailboxRecord, Usage } from './mailbox-engine.ts'
import { decodeAccount, decodeInvite, decodeMailbox, decodeNumber, decodeUsage } from './records.ts'
import { encodeAccount, encodeInvite, encodeMailbox, encodeNumber, encodeUsage } from './records.ts'

export interface VolumeEngineOptions {
  readonly onDamaged?: OnDamaged
}

/** Closing the engine closes the volume. */
export function createVolumeEngine(volume: Volume, { onDamaged = () => undefined }: VolumeEngineOptions = {}): MailboxEngine {
  const watchers = new Map<MailboxId, Set<(lastArrival: number) => void>>()
  const charge = createCharging()

  /** One step: what `task` reads is what is there when it writes. */
  const commit = async <T>(task: (records: Records) => T): Promise<T> => {
    let result: { readonly value: T } | undefined
    await volume.commit(transaction => {
      result = { value: task(recordsIn(transaction)) }
    })
    return (result as { readonly value: T }).value
  }
  const read = async <T>(key: Uint8Array, decode: (stored: Uint8Array) => T | undefined): Promise<T | undefined> => {
    const stored = await volume.value(key)
    return stored && decode(stored)
  }
  const list = async <T>(prefix: Uint8Array, decode: (stored: Uint8Array) => T | undefined): Promise<readonly T[]> => {
    const entries = await volume.read(view => view.entries(keysUnder(prefix)))
    return entries.flatMap(([key, stored]) => {
      const value = decode(stored)
      if (value === undefined) onDamaged({ area: 'record', key: Buffer.from(key).toString('hex') })
      return value === undefined ? [] : [value]
    })
  }

  const openMailbox = async (id: MailboxId): Promise<Mailbox> => {
    const record = await read(mailboxKey(id), decodeMailbox)
    if (record === undefined) throw new SegueError('RELAY_NOT_YOURS')
    const [prefix, key] = [chunksPrefix(id), mailboxKey(id)]
    const part: Volume = {
      ...partOf(volume, prefix),
      commit: prepare =>
        volume.commit(transaction => {
          // It may go while somebody has it open: what is written then would be nobody's, and charged for ever.
          if (transaction.get(key) === undefined) throw new SegueError('RELAY_NOT_YOURS')
          const inside = transactionIn(transaction, prefix)
          const before = sizeIn(inside)
          prepare(inside)
          charge(transaction, record.account, before, sizeIn(inside))
        }),
    }
    const store = await createChunkStore(part, onDamaged, { keepsDuplicates: true })
    return {
      ...store,
      id,
      async apply(batch) {
        const before = store.lastArrival()
        await store.apply(batch)
        const after = store.lastArrival()
        if (after !== before) for (const listener of watchers.get(id) ?? []) listener(after)
      },
      watch(listener) {
        const listeners = watchers.get(id) ?? new Set()
        watchers.set(id, listeners.add(listener))
        return () => {
          listeners.delete(listener)
          if (listeners.size === 0) watchers.delete(id)
        }
      },
    }
  }

  const clear = async (id: MailboxId): Promise<void> => {
    for (;;) {
      const keys = await volume.read(view => view.keys(keysUnder(chunksPrefix(id)), REMOVE_AT_ONCE))
      if (keys.length === 0) return
      await volume.commit(transaction => {
        for (const key of keys) transaction.remove(key)
      })
    }
  }

  return {
    putInvite: invite => commit(records => records.putInvite(invite)),
    invites: () => list(INVITES, decodeInvite),
    removeInvite: tokenHash =>
      commit(records => {
        const invite = records.invite(tokenHash)
        if (invite === undefined || invite.claimedBy !== undefined) return false
        records.remove(inviteKey(tokenHash))
        return true
      }),
    claim: (tokenHash, device, time) =>
      commit(records => {
        const invite = records.invite(tokenHash)
        if (invite === undefined) return 'unknown-token'
        const present = records.account(device)
        if (present?.revokedAt !== undefined) return 'revoked'
        if (invite.claimedBy !== undefined) return invite.claimedBy === device && present !== undefined ? present : 'used-token'
        if (invite.expiresAt <= time) return 'expired-token'
        const { quotas, retention, note } = invite
        const account: Account = { id: device, quotas, retention, createdAt: present?.createdAt ?? time, note }
        records.putAccount(account)
        records.putInvite({ ...invite, claimedBy: device })
        return account
      }),

    account: id => read(accountKey(id), decodeAccount),
    accounts: () => list(ACCOUNTS, decodeAccount),
    setTerms: (id, { quotas, retention }) =>
      commit(records => {
        const account = records.account(id)
        if (account !== undefined) records.putAccount({ ...account, quotas, retention })
        return account !== undefined
      }),
    revoke: (id, time) =>
      commit(records => {
        const account = records.account(id)
        if (account !== undefined) records.putAccount({ ...account, revokedAt: account.revokedAt ?? time })
        return account !== undefined
      }),
    usage: async id => (await read(usageKey(id), decodeUsage)) ?? NO_USAGE,

    async createMailbox({ id, account: holder, adminKey, time, replaces }) {
      let rival: MailboxId | undefined
      const outcome = await commit((records): CreateOutcome => {
        rival = undefined
        const account = records.account(holder)
        if (account === undefined) return 'no-account'
        if (account.revokedAt !== undefined) return 'revoked'
        const old = replaces === undefined ? undefined : records.mailbox(replaces)
        if (replaces !== undefined && old?.account !== holder) return 'not-yours'
        if (old?.replaced !== undefined && old.replaced.by !== id && isSettled(records.mailbox(old.replaced.by))) return 'stale'
        const present = records.mailbox(id)
        if (present !== undefined) {
          if (present.account !== holder) return 'not-yours'
          if (Buffer.compare(present.adminKey, adminKey) !== 0) return 'other-key'
          const isTaken = old !== undefined && old.id !== id && old.replaced?.by !== id && !isSettled(present)
          if (isTaken) records.putMailbox({ ...old, replaced: { by: id, at: time } }) // by another meanwhile
          return 'created'
        }
        const usage = records.usage(holder)
        const more = old === undefined ? 0 : MAX_REPLACING
        if (usage.mailboxes >= account.quotas.mailboxes + more) return 'quota'
        records.putUsage(holder, { ...usage, mailboxes: usage.mailboxes + 1 })
        records.putMailbox({ id, account: holder, adminKey, createdAt: time, lastUsedAt: time })
        if (old === undefined) return 'created'
        records.putMailbox({ ...old, replaced: { by: id, at: time } })
        rival = old.replaced?.by
        const size = rival === undefined ? undefined : sizeIn(records.inside(chunksPrefix(rival)))
        if (rival === undefined || records.mailbox(rival) === undefined || (size?.chunks ?? 0) > 0) rival = undefined
        else {
          records.remove(mailboxKey(rival))
          records.putUsage(holder, usage)
        }
        return 'created'
      })
      if (rival !== undefined) await clear(rival)
      return outcome
    },
    mailbox: id => read(mailboxKey(id), decodeMailbox),
    mailboxes: () => list(MAILBOXES, decodeMailbox),
    replaceList: (id, next) =>
      commit(records => {
        const present = records.mailbox(id)
        if (present === undefined) return 'unknown'
        if (present.replaced !== undefined && isSettled(records.mailbox(present.replaced.by))) return 'stale'
        if (next.version !== (present.list?.version ?? 0) + 1) return 'stale'
        const order = records.nextOrder()
        const since = new Map(next.peers.map(peer => [peer, present.list?.since.get(peer) ?? order]))
        const record: MailboxRecord = { ...present, list: { ...next, order, since } }
        records.putMailbox(record)
        return record
      }),
    setLastUsed: (id, time) =>
      commit(records => {
        const present = records.mailbox(id)
        if (present !== undefined) records.putMailbox({ ...present, lastUsedAt: time })
      }),
    async removeMailbox(id) {
      // First it is no longer there; then its content goes, in pieces. What a crash leaves behind, `check` finds.
      await commit(records => {
        const present = records.mailbox(id)
        if (present === undefined) return
        records.remove(mailboxKey(id))
        const { mailboxes, bytes, chunks } = records.usage(present.account)
        const size = sizeIn(records.inside(chunksPrefix(id))) ?? { bytes: 0, chunks: 0 }
        records.putUsage(present.account, { mailboxes: mailboxes - 1, bytes: bytes - size.bytes, chunks: chunks - size.chunks })
      })
      await clear(id)
    },
    open: openMailbox,
    probe: () => volume.commit(transaction => transaction.put(PROBE, encodeNumber(0))),
    close: () => volume.close(),
    [Symbol.asyncDispose]: () => volume.close(),
  }
}

/** Its first list names only whoever fills it. */
const NO_USAGE: Usage = { mailboxes: 0, bytes: 0, chunks: 0 }
const REMOVE_AT_ONCE = 1_000
/** Beyond the quota, of one account: what was replaced stays for a week, and what is to take a place stays once it holds something. */
const MAX_REPLACING = 64

type Records = ReturnType<typeof recordsIn>

/** The engine's records within a transaction. */
function recordsIn(transaction: VolumeTransaction) {
  const get = <T>(key: Uint8Array, decode: (stored: Uint8Array) => T | undefined): T | undefined => {
    const stored = transaction.get(key)
    return stored && decode(stored)
  }
  return {
    remove: transaction.remove,
    inside: (prefix: Uint8Array) => transactionIn(transaction, prefix),
    invite: (tokenHash: string) => get(inviteKey(tokenHash), decodeInvite),
    putInvite: (invite: Invite) => transaction.put(inviteKey(invite.tokenHash), encodeInvite(invite)),
    account: (id: DeviceId) => get(accountKey(id), decodeAccount),
    putAccount: (account: Account) => transaction.put(accountKey(account.id), encodeAccount(account)),
    usage: (id: DeviceId) => get(usageKey(id), decodeUsage) ?? NO_USAGE,
    putUsage: (id: DeviceId, usage: Usage) => transaction.put(usageKey(id), encodeUsage(usage)),
    mailbox: (id: MailboxId) => get(mailboxKey(id), decodeMailbox),
    putMailbox: (mailbox: MailboxRecord) => transaction.put(mailboxKey(mailbox.id), encodeMailbox(mailbox)),
    nextOrder(): number {
      const next = (get(LIST_COUNT, decodeNumber) ?? 0) + 1
      transaction.put(LIST_COUNT, encodeNumber(next))
      return next
    },
  }
}
