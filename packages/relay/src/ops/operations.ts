/** What an operator may ask, of a relay that runs (through its socket) or of its store when it does not: the same code. */
import { randomBytes } from 'node:crypto'
import { DAY_MS, MAX_RELAY_ADDRESSES, RETENTIONS, encodeInvite, isDeviceId, wholeNumber } from '@segue/core/sealed'
import type { DeviceId, RelayQuotas, Retention } from '@segue/core/sealed'
import type { Clock } from '@segue/core/ports'
import type { Volume } from '@segue/storage/volume'
import * as v from 'valibot'
import { hashOfToken } from '../accounts/control.ts'
import type { MailboxEngine } from '../engine/mailbox-engine.ts'
import { MAX_NOTE_LENGTH } from '../engine/records.ts'
import { writeBackup, type BackupSummary } from './backup.ts'
import { checkRelay, type CheckReport } from './check.ts'
import { Refusal } from './explain.ts'

export interface Operations {
  invite(request: InviteRequest): Promise<InviteAnswer>
  accounts(request: Record<string, never>): Promise<AccountsAnswer>
  terms(request: TermsRequest): Promise<{ readonly changed: boolean }>
  revoke(request: RevokeRequest): Promise<{ readonly revoked: 'account' | 'invite' | 'nothing'; readonly erasedMailboxes: number }>
  status(request: Record<string, never>): Promise<StatusAnswer>
  backup(request: { readonly path: string }): Promise<BackupSummary>
  check(request: Record<string, never>): Promise<CheckReport>
}

export interface InviteRequest {
  readonly note?: string | undefined
  readonly days?: number | undefined
  readonly quotas?: SomeQuotas | undefined
  readonly retention?: Retention | undefined
}

export interface InviteAnswer {
  readonly invite: string
  /** Names it for `revoke`; not secret. */
  readonly id: string
  readonly expiresAt: number
}

export type SomeQuotas = { readonly [Name in keyof RelayQuotas]?: number | undefined }

/** What is not named stays as it is. */
export interface TermsRequest {
  readonly account: DeviceId
  readonly quotas: SomeQuotas
  readonly retention?: Retention | undefined
}

export interface RevokeRequest {
  /** A device id, or the start of an invite's id. */
  readonly what: string
  /** Also removes what the account's mailboxes hold. */
  readonly erase?: boolean | undefined
}

export interface AccountsAnswer {
  readonly accounts: readonly {
    readonly id: DeviceId
    readonly note?: string | undefined
    readonly createdAt: number
    readonly revokedAt?: number | undefined
    readonly retention: Retention
    readonly quotas: RelayQuotas
    readonly usage: { readonly mailboxes: number; readonly bytes: number; readonly chunks: number }
    readonly lastUsedAt?: number | undefined
  }[]
  readonly invites: readonly { readonly id: string; readonly note?: string | undefined; readonly expiresAt: number }[]
}

export interface StatusAnswer {
  readonly relay: DeviceId
  readonly addresses: readonly string[]
  readonly isRunning: boolean
  readonly isDraining: boolean
  readonly linkedDevices: number
  readonly openMailboxes: number
  readonly accounts: number
  readonly mailboxes: number
  readonly storedBytes: number
  readonly storedChunks: number
}

export interface OperationsOptions {
  readonly engine: MailboxEngine
  readonly volume: Volume
  readonly seed: string
  readonly relay: DeviceId
  readonly clock: Clock
  readonly defaults: { readonly quotas: RelayQuotas; readonly retention?: Retention }
  /** Where the engine reports to. */
  readonly damages: readonly unknown[]
  readonly addresses: () => readonly string[]
  readonly running: () => Pick<StatusAnswer, 'isRunning' | 'isDraining' | 'linkedDevices' | 'openMailboxes'>
  /** The account may do nothing any more: its links end. */
  readonly onRevoked: (account: DeviceId) => Promise<void>
  /** Its quotas, or how long its chunks are kept, are others now. */
  readonly onTerms: (account: DeviceId, isRetentionNew: boolean) => Promise<void>
  /** Closes the mailbox and forgets it, before its content goes. */
  readonly onErase: (mailbox: Parameters<MailboxEngine['removeMailbox']>[0]) => Promise<void>
}

export function createOperations(options: OperationsOptions): Operations {
  const { engine, volume, clock } = options
  const now = (): number => Math.max(0, Math.trunc(clock.now()))
  return {
    async invite({ note, days = DEFAULT_INVITE_DAYS, quotas = {}, retention = options.defaults.retention ?? 'keep' }) {
      const token = new Uint8Array(randomBytes(32))
      // The key says who it is; without the id behind each address the QR code is half the size.
      const addresses = options.addresses().map(address => address.replace(/\/p2p\/[^/]+$/, ''))
      // An invite that leads nowhere is not made.
      if (addresses.length === 0) throw new Refusal('Start the relay first, or say with --announce where devices reach it.')
      const invite = encodeInvite({ relay: options.relay, addresses: addresses.slice(0, MAX_RELAY_ADDRESSES), token })
      const [id, expiresAt] = [hashOfToken(token), now() + days * DAY_MS]
      const all = { ...options.defaults.quotas, ...defined(quotas) }
      await engine.putInvite({ tokenHash: id, quotas: all, retention, createdAt: now(), expiresAt, note })
      return { invite, id: id.slice(0, INVITE_ID_LENGTH), expiresAt }
    },
    async accounts() {
      const [accounts, invites, mailboxes] = await Promise.all([engine.accounts(), engine.invites(), engine.mailboxes()])
      const lastUsed = new Map<DeviceId, number>()
      for (const { account, lastUsedAt } of mailboxes) lastUsed.set(account, Math.max(lastUsed.get(account) ?? 0, lastUsedAt))
      const listed = accounts.map(async account => ({
        ...account,
        usage: await engine.usage(account.id),
        lastUsedAt: lastUsed.get(account.id),
      }))
      const open = invites.filter(invite => invite.claimedBy === undefined)
      return {
        accounts: await Promise.all(listed),
        invites: open.map(({ tokenHash, note, expiresAt }) => ({ id: tokenHash.slice(0, INVITE_ID_LENGTH), note, expiresAt })),
      }
    },
    async terms({ account, quotas, retention }) {
      const present = await engine.account(account)
      if (present === undefined) return { changed: false }
      const terms = { quotas: { ...present.quotas, ...defined(quotas) }, retention: retention ?? present.retention }
      const changed = await engine.setTerms(account, terms)
      if (changed) await options.onTerms(account, terms.retention !== present.retention)
      return { changed }
    },
    async revoke({ what, erase = false }) {
      if (!isDeviceId(what)) {
        const invite = (await engine.invites()).find(({ tokenHash }) => what.length >= INVITE_ID_LENGTH && tokenHash.startsWith(what))
        const isGone = invite !== undefined && (await engine.removeInvite(invite.tokenHash))
        return { revoked: isGone ? 'invite' : 'nothing', erasedMailboxes: 0 }
      }
      if (!(await engine.revoke(what, now()))) return { revoked: 'nothing', erasedMailboxes: 0 }
      await options.onRevoked(what)
      const mailboxes = erase ? (await engine.mailboxes()).filter(mailbox => mailbox.account === what) : []
      for (const { id } of mailboxes) {
        await options.onErase(id)
        await engine.removeMailbox(id)
      }
      return { revoked: 'account', erasedMailboxes: mailboxes.length }
    },
    async status() {
      const accounts = await engine.accounts()
      const usages = await Promise.all(accounts.map(account => engine.usage(account.id)))
      return {
        relay: options.relay,
        addresses: options.addresses(),
        ...options.running(),
        accounts: accounts.length,
        mailboxes: (await engine.mailboxes()).length,
        storedBytes: usages.reduce((sum, usage) => sum + usage.bytes, 0),
        storedChunks: usages.reduce((sum, usage) => sum + usage.chunks, 0),
      }
    },
    backup: ({ path }) => writeBackup(volume, options.seed, path),
    check: () => checkRelay(engine, volume, options.damages),
  }
}

export const DEFAULT_INVITE_DAYS = 7
export const MAX_INVITE_DAYS = 3_650
const INVITE_ID_LENGTH = 12

const someQuotas = v.strictObject({
  mailboxes: v.optional(wholeNumber),
  bytes: v.optional(wholeNumber),
  chunks: v.optional(wholeNumber),
  bytesPerMinute: v.optional(wholeNumber),
})
const deviceId = v.pipe(
  v.string(),
  v.check(text => isDeviceId(text), 'not an account'),
  v.transform(text => text as DeviceId),
)

/** What each operation takes, for what comes through the socket. */
export const OPERATION_REQUESTS: { readonly [Name in keyof Operations]: v.GenericSchema<unknown, Parameters<Operations[Name]>[0]> } = {
  invite: v.strictObject({
    note: v.optional(v.pipe(v.string(), v.maxLength(MAX_NOTE_LENGTH))),
    days: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_INVITE_DAYS))),
    quotas: v.optional(someQuotas),
    retention: v.optional(v.picklist(RETENTIONS)),
  }),
  accounts: v.strictObject({}),
  terms: v.strictObject({ account: deviceId, quotas: someQuotas, retention: v.optional(v.picklist(RETENTIONS)) }),
  revoke: v.strictObject({ what: v.string(), erase: v.optional(v.boolean()) }),
  status: v.strictObject({}),
  backup: v.strictObject({ path: v.pipe(v.string(), v.startsWith('/')) }),
  check: v.strictObject({}),
}

function defined(quotas: SomeQuotas): Partial<RelayQuotas> {
  return Object.fromEntries(Object.entries(quotas).filter(([, value]) => value !== undefined))
}
