/** The group's relays as this device sees them: adding one with an invite, how each of them is, giving one up. */
import {
  MAX_RELAYS,
  RANDOM_ID_BYTES,
  SECOND_MS,
  SegueError,
  createSubject,
  decodeInvite,
  encodeMemberList,
  hexId,
  idBytes,
  isSegueError,
  memberListOf,
  signingKeysOf,
  type Closeable,
  type CloseCode,
  type DeviceId,
  type DeviceIdentity,
  type ErrorCode,
  type GroupRelay,
  type MailboxId,
  type Observable,
  type RelayInvite,
  type RelayTrouble,
  type SignedEntry,
  type TelemetryEvent,
} from '@segue/core'
import type { Clock, Logger, Random, RecordStore, TelemetrySink } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import { loadNewMailbox, saveNewMailbox, type NewMailbox } from './device-records.ts'
import { createMailboxMoves } from './mailbox-moves.ts'
import { createMemberLists, type MemberLists } from './member-lists.ts'
import { talkToRelay } from './relay-client.ts'
import type { Runtime } from './runtime.ts'

export interface Relays {
  /**
   * Uses the invite of a relay's operator: makes a mailbox for the group there and names it in the group's log, so that every device
   * goes there by itself. Only an admin's device may. Of a relay in use already it takes the addresses, and nothing else, unless its mailbox is
   * lost (RELAY_KEY_LOST) or its account revoked (RELAY_REVOKED): then it makes another one there. Rejects with
   * SegueError RELAY_*, UNREACHABLE, TIMED_OUT, GROUP_ENTRY_REFUSED; then the same invite may be used again.
   */
  add(inviteText: string): Promise<RelayStatus>
  /** Those in use, in the order in which they were added. */
  readonly list: Observable<readonly RelayStatus[]>
  /**
   * The group no longer uses it, for good: adding it again makes another mailbox. What lies there is sealed, and its operator's to erase.
   * Only an admin's device may. Rejects with SegueError GROUP_ENTRY_REFUSED, RELAY_UNKNOWN, and RELAY_MAY_HOLD_MORE where something is not kept
   * on this device, unless `force`.
   */
  remove(id: DeviceId, options?: { readonly force?: boolean }): Promise<void>
}

export interface RelayStatus {
  readonly id: DeviceId
  readonly addresses: readonly string[]
  readonly mailbox: MailboxId
  readonly state: 'linked' | 'away'
  /** `in-sync`: everything here is on its disk, and the other way round, as far as both know. */
  readonly sync: 'in-sync' | 'catching-up' | 'unknown'
  /** Chunks durable here that it has not confirmed. */
  readonly unconfirmed: number
  /** Whether it lets in exactly the group's devices. An admin's device keeps it so; `behind` until one could. */
  readonly members: 'current' | 'behind' | 'unknown'
  /** Somebody who is no admin any more knows its key; an admin's device makes a new mailbox there. */
  readonly isMoving: boolean
  /** In this run it came with less than it once had said to hold (a backup, a lost disk); what it lacks is given to it again. */
  readonly hasGoneBack: boolean
  /** It holds or shows less than it confirmed, as heartbeats of the devices show; gone when it is whole again. */
  readonly behind?: RelayTrouble
  /**
   * RELAY_KEY_LOST: the group does not get out of a mailbox that somebody who is out has the key of; a person has to add the relay again.
   * RELAY_REVOKED: it serves this group's account no more. RELAY_QUOTA: it has no room for more of this group. Else why the last
   * conversation about its member list failed.
   */
  readonly problem?: ErrorCode
}

export interface RelayKeeper extends Relays, Closeable {
  /** Whom each mailbox's list was last seen to name. */
  readonly admitted: MemberLists['admitted']
  isRelay(peer: DeviceId): boolean
  /** To keep a link to. */
  linked(): readonly GroupRelay[]
  /** We dialled it and it turned us away. */
  onRefused(relay: DeviceId, code: CloseCode): void
  /** Follow this runtime from now on. */
  follow(runtime: Runtime): void
}

interface Parts {
  readonly self: DeviceId
  readonly sealing: DeviceIdentity['sealing']
  readonly records: RecordStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly runtime: () => Runtime | undefined
  readonly node: () => NetNode | undefined
  readonly telemetry?: TelemetrySink<TelemetryEvent> | undefined
  /** As of createMailboxMoves. */
  readonly moveGraceMs?: number | undefined
  /** Other relays are to be linked to than before. */
  readonly onChanged: () => void
}

export function createRelays(parts: Parts): RelayKeeper {
  const { self, records, clock, random, logger, runtime, node } = parts
  const list = createSubject<readonly RelayStatus[]>([])
  /** Retired, but to be told so before the link ends. */
  const leaving = new Set<MailboxId>()
  /** The mailbox in use on each relay, and the relays on which it is another than at first: an empty one is no loss there. */
  const mailboxes = new Map<DeviceId, MailboxId>()
  const moved = new Set<DeviceId>()
  const stopped = new AbortController()
  let stops: (() => void)[] = []
  let adding: Promise<unknown> = Promise.resolve()

  const inUse = (): readonly GroupRelay[] =>
    runtime()
      ?.group.state.peek()
      .relays.filter(relay => !relay.retired) ?? []
  const linked = (): readonly GroupRelay[] =>
    runtime()
      ?.group.state.peek()
      .relays.filter(relay => !relay.retired || leaving.has(relay.mailbox)) ?? []
  const moves = createMailboxMoves({ ...parts, relays: inUse, graceMs: parts.moveGraceMs })
  const lists: MemberLists = createMemberLists({ self, records, node, clock, logger, runtime, relays: inUse })

  const statusOf = ({ id, addresses, mailbox, needsMove }: GroupRelay): RelayStatus => {
    const isLinked = node()?.links.peek().has(id) === true
    const peer = runtime()?.replica.peers.peek().get(id)
    const { members = 'unknown', problem: about } = lists.statuses.peek().get(mailbox) ?? {}
    // To a link that is just ending it says "full", too.
    const isFull = peer?.isFull === true && about !== 'RELAY_REVOKED'
    const problem = moves.lost.peek().has(mailbox) ? 'RELAY_KEY_LOST' : isFull ? 'RELAY_QUOTA' : about
    const behind = runtime()?.heartbeats.troubles.peek().get(mailbox)
    return {
      id,
      addresses,
      mailbox,
      state: isLinked ? 'linked' : 'away',
      sync: !isLinked || peer === undefined ? 'unknown' : peer.state === 'in-sync' ? 'in-sync' : 'catching-up',
      unconfirmed: peer?.unconfirmed ?? 0,
      members,
      isMoving: needsMove,
      hasGoneBack: peer?.hasGoneBack === true && !moved.has(id),
      ...(behind === undefined ? {} : { behind }),
      ...(problem === undefined ? {} : { problem }),
    }
  }
  const isRevoked = (mailbox: MailboxId): boolean => lists.statuses.peek().get(mailbox)?.problem === 'RELAY_REVOKED'
  const update = (): void => {
    const now = inUse().map(statusOf)
    for (const relay of now) tellTrouble(relay)
    if (JSON.stringify(now) !== JSON.stringify(list.peek())) list.set(now)
  }
  const tellTrouble = ({ id, mailbox, behind }: RelayStatus): void => {
    const before = list.peek().find(each => each.mailbox === mailbox)?.behind
    if (behind !== undefined && before === undefined)
      parts.telemetry?.record({ type: 'relay-behind', relay: id, kind: behind.kind, time: clock.now() })
    if (behind === undefined && before !== undefined) parts.telemetry?.record({ type: 'relay-whole', relay: id, time: clock.now() })
  }
  const onGroup = (): void => {
    update()
    for (const { id, mailbox } of inUse()) {
      if (mailboxes.get(id) !== undefined && mailboxes.get(id) !== mailbox) moved.add(id)
      mailboxes.set(id, mailbox)
    }
    lists.look()
    moves.look()
    shareKeys().catch((error: unknown) => logger.warn('relay-keys-not-shared', { error: String(error) }))
  }
  /** For admins promoted where the key was not at hand. Not in the turn in which entries arrive: what is written then is not stored. */
  const shareKeys = async (): Promise<void> => {
    await Promise.resolve()
    const current = runtime()
    if (current === undefined || stopped.signal.aborted) return
    for (const entry of current.group.shareRelayKeys(clock.now())) await current.keeper.keep(entry)
  }

  const present = (): Runtime => {
    const current = runtime()
    if (current === undefined) throw new SegueError('CLOSED')
    return current
  }
  /** Asked before an invite is used up; the group asks again. */
  const assertAdmin = ({ group }: Runtime): void => {
    if (group.device(self)?.role !== 'admin') throw new SegueError('NEEDS_ADMIN')
  }

  const addNow = async (invite: RelayInvite): Promise<RelayStatus> => {
    const current = present()
    const { group, keeper } = current
    assertAdmin(current)
    const known = inUse().find(relay => relay.id === invite.relay)
    const isLost = known !== undefined && (moves.lost.peek().has(known.mailbox) || isRevoked(known.mailbox))
    if (known !== undefined && !isLost) {
      if (known.addresses.join() !== invite.addresses.join())
        await keeper.keep(group.moveRelay(known.mailbox, invite.addresses, clock.now()))
      return statusOf({ ...known, addresses: invite.addresses })
    }
    if (inUse().length >= MAX_RELAYS) throw new SegueError('GROUP_ENTRY_REFUSED', { rule: 'relaysHaveRoom' })
    if (isLost) await saveNewMailbox(records, invite.relay, undefined) // another account may have it
    const made = await newMailbox(invite.relay)
    await makeOnRelay(invite, made, current)
    const { mailbox, adminSeed } = made
    const entry = group.addRelay({ relay: invite.relay, addresses: invite.addresses, mailbox, adminSeed, time: clock.now() })
    await keeper.keep(entry)
    if (isLost) await keeper.keep(group.retireRelay(known.mailbox, clock.now()))
    await saveNewMailbox(records, invite.relay, undefined)
    const added = inUse().find(relay => relay.mailbox === mailbox)
    if (added === undefined) throw new SegueError('CLOSED') // this device changed groups meanwhile
    return statusOf(added)
  }
  const newMailbox = async (relay: DeviceId): Promise<NewMailbox> => {
    const before = await loadNewMailbox(records, relay)
    if (before !== undefined) return before
    const made = { mailbox: hexId<MailboxId>(random.bytes(RANDOM_ID_BYTES)), adminSeed: random.bytes(SEED_BYTES) }
    await saveNewMailbox(records, relay, made)
    return made
  }
  const makeOnRelay = async (invite: RelayInvite, { mailbox, adminSeed }: NewMailbox, { group }: Runtime): Promise<void> => {
    const net = node()
    if (net === undefined) throw new SegueError('CLOSED')
    const keys = signingKeysOf(adminSeed)
    const place = { id: invite.relay, addresses: invite.addresses }
    await talkToRelay({ node: net, clock, signal: stopped.signal }, place, async ask => {
      await ask({ v: 1, type: 'claim', token: invite.token })
      await ask({ v: 1, type: 'create', mailbox: idBytes(mailbox), adminKey: keys.publicKey })
      try {
        await ask({ v: 1, type: 'list', ...encodeMemberList(memberListOf(group.state.peek(), mailbox, 1), keys) })
      } catch (error) {
        if (!isSegueError(error, 'RELAY_STALE')) throw error // set before something interrupted us; it is brought into step later
      }
    })
  }

  /** Until the relay has the entry on its disk, or time is up: devices that meet only there would hear of it nowhere else. */
  const tellBeforeLeaving = async ({ group, replica, keeper }: Runtime, { id }: GroupRelay, entry: SignedEntry): Promise<void> => {
    const chunk = group.toChunk(entry).id
    const isTold = createSubject(node()?.links.peek().has(id) !== true)
    const unsubscribe = replica.subscribe({
      onArrived: () => undefined,
      onStored: (from, ids) => void (from === id && ids.includes(chunk) && isTold.set(true)),
    })
    const late = new AbortController()
    const cancel = clock.after(LEAVE_PATIENCE_MS, () => late.abort())
    try {
      await keeper.keep(entry)
      await isTold.when(told => told, { signal: AbortSignal.any([late.signal, stopped.signal]) }).catch(() => undefined) // it is left all the same
    } finally {
      unsubscribe()
      cancel()
    }
  }

  const unfollow = (): void => {
    for (const stop of stops) stop()
    stops = []
  }
  const close = async (): Promise<void> => {
    stopped.abort(new SegueError('CLOSED'))
    unfollow()
    await moves.close()
    await lists.close()
  }

  return {
    list,
    admitted: lists.admitted,
    isRelay: peer => linked().some(relay => relay.id === peer),
    linked,
    async add(inviteText) {
      const invite = decodeInvite(inviteText)
      if (!invite.ok) throw new SegueError(invite.error)
      const mine = adding.then(() => addNow(invite.value))
      adding = mine.catch(() => undefined) // told to its caller
      return mine
    },
    async remove(id, { force = false } = {}) {
      const current = present()
      assertAdmin(current)
      const relay = inUse().find(each => each.id === id)
      if (relay === undefined) throw new SegueError('RELAY_UNKNOWN')
      const { length: count } = current.local.list.peek()
      if (count > 0 && !force) throw new SegueError('RELAY_MAY_HOLD_MORE', { count })
      leaving.add(relay.mailbox)
      try {
        await tellBeforeLeaving(current, relay, current.group.retireRelay(relay.mailbox, clock.now()))
      } finally {
        leaving.delete(relay.mailbox)
        parts.onChanged()
      }
    },
    onRefused(relay, code) {
      if (code === 'not-a-member') lists.onRefused(relay)
    },
    follow(next) {
      unfollow()
      const net = node()
      stops = [
        next.group.state.subscribe(onGroup),
        next.replica.peers.subscribe(() => {
          update()
          lists.look()
        }),
        lists.statuses.subscribe(update),
        moves.lost.subscribe(update),
        next.heartbeats.troubles.subscribe(update),
        ...(net === undefined ? [] : [net.links.subscribe(update)]),
      ]
      onGroup()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

const SEED_BYTES = 32
/** That a relay is given up is said there as well, for devices that meet only there. */
const LEAVE_PATIENCE_MS: number = 5 * SECOND_MS
