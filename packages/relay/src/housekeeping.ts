/** What goes by itself: what was retired long enough ago, what everybody has where the account says so, mailboxes nobody came to for long, invites that expired. */
import { DAY_MS, HOUR_MS, RETIRED_KEPT_MS, type MailboxId } from '@segue/core/sealed'
import type { Clock, Logger } from '@segue/core/ports'
import type { MailboxEngine } from './engine/mailbox-engine.ts'
import type { OpenMailbox } from './mailboxes/mailboxes.ts'

export interface HousekeepingOptions {
  readonly engine: MailboxEngine
  readonly clock: Clock
  readonly logger: Logger
  /** A mailbox that no member came to for this long goes; 0: never. */
  readonly idleMailboxDays: number
  /** Of accounts that keep until all have it: what everybody had for this long may go. */
  readonly acknowledgedDays: number
  readonly use: <T>(id: MailboxId, task: (open: OpenMailbox) => Promise<T>) => Promise<T>
  readonly bringAlong: (from: MailboxId, to: MailboxId) => Promise<number>
  readonly noteUses: () => Promise<void>
  readonly onErase: (id: MailboxId) => Promise<void>
}

export interface Housekeeping {
  /** Once through everything. */
  run(): Promise<Done>
  close(): Promise<void>
}

export interface Done {
  readonly removedMailboxes: number
  readonly removedInvites: number
  /** Chunks of which only the head is left, because everybody has them. */
  readonly emptiedChunks: number
}

/** Runs every hour from the first hour on, one mailbox after the other; what was retired, once a day. */
export function createHousekeeping(options: HousekeepingOptions): Housekeeping {
  const { engine, clock, logger } = options
  let running: Promise<unknown> = Promise.resolve()
  let isClosed = false
  let retiredDroppedAt = Number.NEGATIVE_INFINITY

  const sweep = async (): Promise<Done> => {
    const now = clock.now()
    const dropsRetired = Math.abs(now - retiredDroppedAt) >= DAY_MS
    if (dropsRetired) retiredDroppedAt = now
    let [removedMailboxes, removedInvites, emptiedChunks] = [0, 0, 0]
    for (const invite of await engine.invites()) {
      const isOver = invite.claimedBy === undefined && invite.expiresAt < now - INVITES_KEPT_MS
      if (isOver && (await engine.removeInvite(invite.tokenHash))) removedInvites++
    }
    await options.noteUses()
    for (const mailbox of await engine.mailboxes()) {
      if (isClosed) break
      const isIdle = options.idleMailboxDays > 0 && mailbox.lastUsedAt < now - options.idleMailboxDays * DAY_MS
      const by = mailbox.replaced && (await engine.mailbox(mailbox.replaced.by))
      const isReplaced = mailbox.replaced !== undefined && (by?.list?.version ?? 0) >= 2 && mailbox.replaced.at < now - REPLACED_KEPT_MS
      if (isIdle || isReplaced) {
        if (isReplaced && by !== undefined) await options.bringAlong(mailbox.id, by.id)
        await options.onErase(mailbox.id)
        await engine.removeMailbox(mailbox.id)
        removedMailboxes++
        continue
      }
      if (dropsRetired) await options.use(mailbox.id, ({ replica }) => replica.dropRetired(now - RETIRED_KEPT_MS))
      if ((await engine.account(mailbox.account))?.retention !== 'until-acknowledged') continue
      const heldMs = options.acknowledgedDays * DAY_MS
      emptiedChunks += await options.use(mailbox.id, async ({ acknowledged }) => (await acknowledged?.letGo(heldMs)) ?? 0)
    }
    return { removedMailboxes, removedInvites, emptiedChunks }
  }
  const run = (): ReturnType<Housekeeping['run']> => {
    const done = running.then(sweep)
    running = done.catch(() => undefined) // told to whoever asked
    return done
  }
  let cancel = (): void => undefined
  const schedule = (): void => {
    cancel = clock.after(HOUR_MS, () => {
      run()
        .then(done => logger.info('housekeeping-done', { ...done }))
        .catch((error: unknown) => logger.error('housekeeping-failed', { error: String(error) }))
        .finally(() => (isClosed ? undefined : schedule()))
    })
  }
  schedule()
  return {
    run,
    async close() {
      isClosed = true
      cancel()
      await running
    },
  }
}

/** Of a mailbox that another took the place of. */
const REPLACED_KEPT_MS: number = 7 * DAY_MS
/** An expired invite is still told apart from an unknown one for a while. */
const INVITES_KEPT_MS: number = 7 * DAY_MS
