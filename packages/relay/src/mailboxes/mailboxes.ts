/**
 * The mailboxes that are open: each a replica without keys on its chunk store, opened when a member's link comes up, closed when none was
 * there for a while. Replication itself is core's; here are only the gate, the quota and the comings and goings.
 */
import { createReplica, isSegueError, type CloseCode, type DeviceId, type MailboxId, type Replica } from '@segue/core/sealed'
import type { ChunkStore, Clock, DeviceLink, DeviceLinkHandler, DeviceLinkHost, Hasher, Inspector, Logger, Random } from '@segue/core/ports'
import type { Admission } from '../accounts/admission.ts'
import type { Mailbox, MailboxEngine, MailboxRecord } from '../engine/mailbox-engine.ts'
import { openAcknowledged, type Acknowledged } from './acknowledged.ts'
import { bringAlong } from './bring-along.ts'
import type { Directory } from './directory.ts'
import { createShares, type Share } from './shares.ts'

export interface Mailboxes {
  readonly host: DeviceLinkHost
  openCount(): number
  /** Runs `task` with the mailbox's replica, opened for it if need be. */
  use<T>(id: MailboxId, task: (open: OpenMailbox) => Promise<T>): Promise<T>
  /** Those that somebody is linked to are in use, however long ago the link was made. */
  noteUses(): Promise<void>
  /** What is in the first and not in the second, which took its place. */
  bringAlong(from: MailboxId, to: MailboxId): Promise<number>
  /** Ends the links of devices whose connections lead elsewhere by now, so that they come again. */
  relocate(): void
  /** Ends its links and closes it, so that nobody holds it. */
  evict(id: MailboxId, code: CloseCode): Promise<void>
  close(): Promise<void>
}

export interface OpenMailbox {
  readonly replica: Replica
  readonly store: Mailbox
  readonly share: Share
  /** Only for accounts whose chunks may go once everybody has them. */
  readonly acknowledged: Acknowledged | undefined
}

export interface MailboxesOptions {
  readonly engine: MailboxEngine
  readonly directory: Directory
  readonly admission: Admission
  readonly clock: Clock
  readonly random: Random
  readonly hasher: Hasher
  readonly logger: Logger
  readonly idleMs: number
  readonly events: MailboxEvents
}

/** What the metrics count. */
export interface MailboxEvents {
  onLinks(difference: 1 | -1): void
  onFrame(bytes: number): void
  onRejected(why: 'quota'): void
  onWritten(chunks: number, bytes: number, ms: number): void
  onWriteFailed(): void
}

export function createMailboxes(options: MailboxesOptions): Mailboxes {
  const { engine, directory, admission, clock, random, hasher, logger, events } = options
  const held = new Map<MailboxId, Held>()
  const shares = createShares()
  let isClosing = false

  const inspectorFor = (record: MailboxRecord, store: ChunkStore): Inspector => ({
    async inspect(chunk) {
      if (await admission.admit(record.account, chunk, store)) return { kind: 'good', level: 0, covers: [] }
      events.onRejected('quota')
      return { kind: 'bad', reason: 'quota' }
    },
    covers: async () => new Map(),
  })

  const storeFor = (record: MailboxRecord, mailbox: Mailbox): Mailbox => ({
    ...mailbox,
    async apply(batch) {
      const put = batch.put ?? []
      const began = clock.monotonic()
      try {
        await mailbox.apply(batch)
        const bytes = put.reduce((sum, chunk) => sum + chunk.bytes.length, 0)
        if (put.length > 0) events.onWritten(put.length, bytes, clock.monotonic() - began)
      } catch (error) {
        events.onWriteFailed()
        // A quota lowered meanwhile: nothing of what waits will ever be taken. The devices keep it and hear why when they come again.
        if (isSegueError(error, 'RELAY_QUOTA')) void evict(record.id, 'internal-error').catch(reportFailure)
        throw error
      } finally {
        const ids = [...put.map(chunk => chunk.id), ...(batch.remove ?? [])]
        if (ids.length > 0) admission.settle(record.account, ids)
      }
    },
  })
  const reportFailure = (error: unknown): void => logger.error('mailbox-not-closed', { error: String(error) })

  const openNow = async (id: MailboxId): Promise<OpenMailbox> => {
    const record = directory.get(id)
    if (record === undefined) throw new Error('no such mailbox')
    const store = storeFor(record, await engine.open(id))
    const account = await engine.account(record.account)
    if (account === undefined) throw new Error('no such account')
    const share = shares.of(account)
    const keepsNothing = account.retention === 'until-acknowledged'
    const inspector = inspectorFor(record, store)
    const { room } = share
    const replica = await createReplica({ store, inspector, clock, random, logger, hasher, keyless: true, keepsNothing, room })
    await noteUse(record)
    const members = (): readonly DeviceId[] => directory.get(id)?.list?.peers ?? []
    const acknowledged = keepsNothing ? await openAcknowledged({ store, replica, members, clock, logger }) : undefined
    return { replica, store, acknowledged, share }
  }
  const noteUse = async (record: MailboxRecord): Promise<void> => {
    const now = Math.max(0, Math.trunc(clock.now()))
    if (Math.abs(now - record.lastUsedAt) < NOTE_USE_EVERY_MS) return
    await engine.setLastUsed(record.id, now)
    const after = await engine.mailbox(record.id)
    if (after !== undefined) directory.put(after)
  }

  const hold = (id: MailboxId): Held => {
    let found = held.get(id)
    if (found === undefined || found.isEnding) {
      const before = found?.ended ?? Promise.resolve()
      found = {
        id,
        opened: before.then(() => openNow(id)),
        users: 0,
        links: new Set(),
        isEnding: false,
        ended: Promise.resolve(),
        cancelIdle: undefined,
      }
      held.set(id, found)
    }
    found.users++
    found.cancelIdle?.()
    found.cancelIdle = undefined
    return found
  }
  const release = (mailbox: Held): void => {
    if (--mailbox.users > 0 || mailbox.isEnding) return
    mailbox.cancelIdle = clock.after(options.idleMs, () => {
      if (mailbox.users === 0) void end(mailbox).catch(reportFailure)
    })
  }
  const end = (mailbox: Held): Promise<void> => {
    if (mailbox.isEnding) return mailbox.ended
    mailbox.isEnding = true
    mailbox.cancelIdle?.()
    mailbox.ended = (async () => {
      const open = await mailbox.opened.catch(() => undefined) // told to whoever opened it
      await open?.acknowledged?.close()
      await open?.replica.close()
      await open?.store.close()
      if (held.get(mailbox.id) === mailbox) held.delete(mailbox.id)
    })()
    return mailbox.ended
  }
  const evict = async (id: MailboxId, code: CloseCode): Promise<void> => {
    const mailbox = held.get(id)
    if (mailbox === undefined) return
    const ended = end(mailbox)
    await Promise.all([...mailbox.links].map(link => link.close(code)))
    await ended
  }

  const use = async <T>(id: MailboxId, task: (open: OpenMailbox) => Promise<T>): Promise<T> => {
    const mailbox = hold(id)
    try {
      return await task(await mailbox.opened)
    } finally {
      release(mailbox)
    }
  }

  const onLink = (link: DeviceLink): DeviceLinkHandler => {
    const record = isClosing ? undefined : directory.mailboxOf(link.peer)
    if (record === undefined) {
      void link.close(isClosing ? 'shutting-down' : 'not-a-member')
      return DEAF
    }
    const mailbox = hold(record.id)
    mailbox.links.add(link)
    events.onLinks(1)
    const session = mailbox.opened.then(({ replica, share }) => {
      if (link.closed.aborted || mailbox.isEnding) return undefined
      const counted = share.join(link)
      if (counted !== undefined) return replica.attach(counted)
      void link.close('too-many')
      return undefined
    })
    session.catch((error: unknown) => {
      logger.error('mailbox-not-opened', { error: String(error) })
      void link.close('internal-error')
    })
    return {
      async onFrame(channel, frame) {
        events.onFrame(frame.length)
        if (channel !== 'sync-live' && channel !== 'sync-bulk') return // devices say nothing else to a relay
        await (await session)?.onFrame(channel, frame)
      },
      onClosed(code) {
        events.onLinks(-1)
        mailbox.links.delete(link)
        void session.then(
          attached => attached?.onClosed(code),
          () => undefined, // logged above
        )
        release(mailbox)
      },
    }
  }

  return {
    host: { mayConnect: peer => directory.mailboxOf(peer) !== undefined, onLink },
    openCount: () => held.size,
    use,
    bringAlong: (from, to) => use(from, old => use(to, now => bringAlong(old, now))),
    async noteUses() {
      for (const { id, links } of [...held.values()]) {
        const record = links.size === 0 ? undefined : directory.get(id)
        if (record !== undefined) await noteUse(record)
      }
    },
    relocate() {
      for (const { id, links } of held.values()) {
        for (const link of links) if (directory.mailboxOf(link.peer)?.id !== id) void link.close('shutting-down')
      }
    },
    evict,
    async close() {
      isClosing = true
      await Promise.all([...held.values()].map(end))
    },
  }
}

interface Held {
  readonly id: MailboxId
  readonly opened: Promise<OpenMailbox>
  readonly links: Set<DeviceLink>
  /** Links and tasks that need it open. */
  users: number
  isEnding: boolean
  ended: Promise<void>
  cancelIdle: (() => void) | undefined
}

const DEAF: DeviceLinkHandler = { onFrame: () => undefined, onClosed: () => undefined }
const NOTE_USE_EVERY_MS = 86_400_000
