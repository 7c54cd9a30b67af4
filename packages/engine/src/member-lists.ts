/**
 * Whether each relay of the group lets in exactly the group's devices, and if not, an admin's device tells it so. The list follows from
 * the group's log, so it is only written by who has all of the log that the relay has: a device that was away for long would otherwise
 * take those off who were added meanwhile. Two admins at once: the relay takes one list, the other reads it and finds nothing to do.
 *
 * An admin whom no list names yet, because the relay was told of none but one who is an admin no more, puts itself on it: it has the key.
 * One that was on it and is taken off has to take that for its removal, unless its log has that removal and it does not prevail.
 */
import {
  MINUTE_MS,
  SECOND_MS,
  admitsTheSame,
  encodeMemberList,
  idBytes,
  isOnList,
  isSegueError,
  memberListOf,
  proveListReader,
  verifyMemberList,
  createSubject,
  type Closeable,
  type DeviceId,
  type ErrorCode,
  type Group,
  type GroupRelay,
  type MailboxId,
  type MemberList,
  type Observable,
  type SignedMemberList,
} from '@segue/core'
import type { Clock, Logger, RecordStore } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import { loadWasListed, saveWasListed } from './device-records.ts'
import { nativeVerifier } from './platform/native-verifier.ts'
import { talkToRelay, type AskRelay } from './relay-client.ts'
import type { Runtime } from './runtime.ts'

export interface ListStatus {
  /** behind: the relay lets in others than the devices of the group; an admin's device puts it right. */
  readonly members: 'current' | 'behind' | 'unknown'
  /** Why the last conversation about it failed. */
  readonly problem: ErrorCode | undefined
}

export interface MemberLists extends Closeable {
  readonly statuses: Observable<ReadonlyMap<MailboxId, ListStatus>>
  /** Whom each list was last seen, or made, to name. */
  readonly admitted: Observable<ReadonlyMap<MailboxId, readonly DeviceId[]>>
  /** Something changed that the list may depend on. Asks the relay only when it does. */
  look(): void
  /** The relay does not know this device (any more). */
  onRefused(relay: DeviceId): void
}

interface Parts {
  readonly self: DeviceId
  readonly records: RecordStore
  readonly node: () => NetNode | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly runtime: () => Runtime | undefined
  /** Those in use. */
  readonly relays: () => readonly GroupRelay[]
}

export function createMemberLists({ self, records, node, clock, logger, runtime, relays }: Parts): MemberLists {
  const statuses = createSubject<ReadonlyMap<MailboxId, ListStatus>>(new Map())
  const admitted = createSubject<ReadonlyMap<MailboxId, readonly DeviceId[]>>(new Map())
  const checks = new Map<MailboxId, Check>()
  const listed = new Set<MailboxId>()
  const stopped = new AbortController()
  const tasks = new Set<Promise<void>>()

  const checkOf = (mailbox: MailboxId): Check => {
    const check = checks.get(mailbox) ?? { isRunning: false, found: undefined, asked: undefined, failures: 0, cancelRetry: undefined }
    checks.set(mailbox, check)
    return check
  }
  const say = (mailbox: MailboxId, status: Partial<ListStatus>): void => {
    const before = statuses.peek().get(mailbox) ?? { members: 'unknown', problem: undefined }
    const next = { ...before, ...status }
    if (next.members !== before.members || next.problem !== before.problem) statuses.set(new Map([...statuses.peek(), [mailbox, next]]))
  }
  const note = async (mailbox: MailboxId, list: MemberList): Promise<void> => {
    const { members } = list
    if (isOnList(list, self) && !(await wasListed(mailbox))) {
      await saveWasListed(records, mailbox)
      listed.add(mailbox)
    }
    if (admitted.peek().get(mailbox)?.join() !== members.join()) admitted.set(new Map([...admitted.peek(), [mailbox, members]]))
  }
  const wasListed = async (mailbox: MailboxId): Promise<boolean> => {
    if (!listed.has(mailbox) && (await loadWasListed(records, mailbox))) listed.add(mailbox)
    return listed.has(mailbox)
  }
  const hasItsLog = (relay: DeviceId): boolean => runtime()?.replica.peers.peek().get(relay)?.state === 'in-sync'
  const membersNow = (): string => memberIds(runtime()).join()

  const run = (relay: GroupRelay): void => {
    const check = checkOf(relay.mailbox)
    const net = node()
    if (check.isRunning || net === undefined || stopped.signal.aborted) return
    check.isRunning = true
    check.cancelRetry?.()
    check.cancelRetry = undefined
    const asked = membersNow()
    check.asked = asked
    const task = talkToRelay({ node: net, clock, signal: stopped.signal }, relay, ask => keepInStep(relay, ask))
      .then(
        members => {
          check.failures = members === 'current' ? 0 : check.failures + 1
          check.found = members === 'current' ? asked : undefined
          say(relay.mailbox, { members, problem: undefined })
        },
        (error: unknown) => {
          if (stopped.signal.aborted) return
          check.failures += 1
          logger.info('member-list-not-kept', { error: String(error) })
          say(relay.mailbox, { problem: isSegueError(error) ? error.code : 'UNREACHABLE' })
        },
      )
      .finally(() => {
        tasks.delete(task)
        check.isRunning = false
        if (stopped.signal.aborted) return
        if (check.failures > 0) {
          const ms = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (check.failures - 1))
          check.cancelRetry = clock.after(ms, () => (isInUse(relay) ? run(relay) : undefined))
        } else look()
      })
    tasks.add(task)
  }
  const isInUse = ({ mailbox }: GroupRelay): boolean => relays().some(relay => relay.mailbox === mailbox)

  const keepInStep = async ({ id, mailbox, adminKey }: GroupRelay, ask: AskRelay): Promise<ListStatus['members']> => {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const { list } = await readList(mailbox, ask)
      const read = list === undefined ? undefined : verifyMemberList(list, adminKey, nativeVerifier)
      if (read?.ok === false) return 'behind' // not what an admin signed: nothing to go by
      const present = read?.value
      if (present !== undefined) await note(mailbox, present)
      const group = runtime()?.group
      if (group === undefined) return 'unknown'
      const wanted = memberListOf(group.state.peek(), mailbox, (present?.version ?? 0) + 1)
      if (present !== undefined && admitsTheSame(present, wanted)) return 'current'
      say(mailbox, { members: 'behind' })
      const keys = adminKeys(mailbox)
      const unknown = present === undefined ? [] : unknownOf(group, present)
      const isOff = present !== undefined && !isOnList(present, self)
      // The relay gives its log to whoever is on the list: who joins it takes nobody off before.
      const next = isOff ? { ...wanted, members: [...wanted.members, ...unknown] } : wanted
      if (keys === undefined || !(isOff || (unknown.length === 0 && (present === undefined || hasItsLog(id))))) return 'behind'
      try {
        await ask({ v: 1, type: 'list', ...encodeMemberList(next, keys) })
        await note(mailbox, next)
        return next === wanted || unknown.length === 0 ? 'current' : 'behind'
      } catch (error) {
        if (!isSegueError(error, 'RELAY_STALE')) throw error // another admin was faster: look again
      }
    }
    return 'behind'
  }

  /** Of the mailbox's lists, if this device may write them. */
  const adminKeys = (mailbox: MailboxId): ReturnType<Group['relayAdminKeys']> => {
    const group = runtime()?.group
    return group?.device(self)?.role === 'admin' ? group.relayAdminKeys(mailbox) : undefined
  }
  /** An admin that no list names yet reads it by the key: nobody else may be left to tell the relay of it. */
  const readList = async (id: MailboxId, ask: AskRelay): Promise<{ readonly list?: SignedMemberList | undefined }> => {
    const mailbox = idBytes(id)
    const keys = adminKeys(id)
    try {
      return await ask({ v: 1, type: 'get-list', mailbox })
    } catch (error) {
      if (keys === undefined || !isSegueError(error, 'RELAY_NOT_YOURS')) throw error
      if ((await wasListed(id)) && !stays(runtime()?.group, self)) throw error
      return ask({ v: 1, type: 'get-list', mailbox, proof: proveListReader({ mailbox, reader: self }, keys) })
    }
  }

  const look = (): void => {
    for (const relay of relays()) {
      const check = checkOf(relay.mailbox)
      if (!hasItsLog(relay.id)) check.found = undefined // it may come back as another: restored from a backup
      else if (check.found !== membersNow() && (check.cancelRetry === undefined || check.asked !== membersNow())) run(relay)
    }
  }

  const close = async (): Promise<void> => {
    stopped.abort(new Error('closing'))
    for (const check of checks.values()) check.cancelRetry?.()
    await Promise.all(tasks)
  }
  return {
    statuses,
    admitted,
    look,
    onRefused(id) {
      const relay = relays().find(each => each.id === id)
      if (relay === undefined) return
      say(relay.mailbox, { members: 'behind' })
      if (runtime()?.group.relayAdminKeys(relay.mailbox) !== undefined) return run(relay)
      // Who was let in once asks why it is not any more; who never was waits for an admin's device.
      const task = wasListed(relay.mailbox)
        .then(
          was => (was ? run(relay) : undefined),
          (error: unknown) => logger.warn('member-list-not-asked', { error: String(error) }),
        )
        .finally(() => tasks.delete(task))
      tasks.add(task)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface Check {
  isRunning: boolean
  /** The members for whom the list was found or put right. */
  found: string | undefined
  /** The members when it was last asked for. */
  asked: string | undefined
  failures: number
  cancelRetry: (() => void) | undefined
}

const MAX_TRIES = 4
const FIRST_PAUSE_MS: number = SECOND_MS
const LONGEST_PAUSE_MS: number = 5 * MINUTE_MS

function memberIds(runtime: Runtime | undefined): readonly DeviceId[] {
  const devices = runtime?.group.state.peek().devices ?? []
  const phrase = runtime?.group.state.peek().recovery?.id
  const ids = devices.filter(device => device.active).map(device => device.id)
  return [...ids.sort(), ...(phrase === undefined ? [] : [phrase])]
}

/** On the list, and in this device's log nowhere. */
function unknownOf(group: Group, { members }: MemberList): readonly DeviceId[] {
  const known = new Set(group.state.peek().devices.map(device => device.id))
  return members.filter(member => !known.has(member))
}

/** Its log has that this device was removed, and that this does not prevail. */
function stays(group: Group | undefined, self: DeviceId): boolean {
  return group?.isActive(self) === true && group.entries().some(({ content }) => content.kind === 'remove' && content.target === self)
}
