/**
 * A new mailbox on a relay when somebody who is no admin any more knows the key of the one in use: one admin's device drains the old one,
 * lets in only itself to the new one, fills it, and names it in the group's log; then the member list lets in everybody, and the relay
 * leads them there. The first active admin in order of seniority does it, the others after a grace each, if it is still to do.
 *
 * What others bring to the old mailbox meanwhile they bring to the new one as well, when they come there.
 */
import {
  OWN_MAILBOX,
  RANDOM_ID_BYTES,
  SECOND_MS,
  SegueError,
  decodeMemberList,
  encodeMemberList,
  hexId,
  idBytes,
  isSegueError,
  outrunMailboxes,
  signMailboxMove,
  signingKeysOf,
} from '@segue/core'
import type { Closeable, DeletionTarget, DeviceId, DeviceIdentity, GroupRelay, MailboxId, OutrunMailbox, PeerSync } from '@segue/core'
import type { Clock, Logger, Random, RecordStore } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import { loadNewMailbox, saveNewMailbox, type NewMailbox } from './device-records.ts'
import { talkToRelay, type AskRelay } from './relay-client.ts'
import type { Runtime } from './runtime.ts'

export interface MailboxMoves extends Closeable {
  /** The group, or who is linked, changed. */
  look(): void
}

interface Parts {
  readonly self: DeviceId
  readonly sealing: DeviceIdentity['sealing']
  readonly records: RecordStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly node: () => NetNode | undefined
  readonly runtime: () => Runtime | undefined
  /** Those in use. */
  readonly relays: () => readonly GroupRelay[]
  /** How long each admin waits for the one before it in order. */
  readonly graceMs?: number | undefined
}

export function createMailboxMoves(parts: Parts): MailboxMoves {
  const { self, sealing, records, clock, random, logger, node, runtime, relays, graceMs = GRACE_MS } = parts
  const stopped = new AbortController()
  const underway = new Map<MailboxId, Promise<void>>()
  const waiting = new Map<MailboxId, () => void>()

  const isNeeded = ({ mailbox }: GroupRelay): boolean =>
    !stopped.signal.aborted && relays().some(relay => relay.mailbox === mailbox && relay.needsMove)
  /** Before this device in the order in which admins try; undefined when it cannot. */
  const rank = ({ mailbox }: GroupRelay): number | undefined => {
    const group = runtime()?.group
    const admins = group?.state.peek().devices.filter(({ active, role }) => active && role === 'admin')
    const at = admins?.findIndex(({ id }) => id === self) ?? -1
    return at < 0 || group?.relayAdminKeys(mailbox) === undefined ? undefined : at
  }

  const look = (): void => {
    for (const relay of relays()) {
      const at = relay.needsMove ? rank(relay) : undefined
      if (at === undefined || waiting.has(relay.mailbox) || underway.has(relay.mailbox)) continue
      wait(relay, at * graceMs)
    }
  }
  const wait = (relay: GroupRelay, ms: number): void => {
    const cancel = clock.after(ms, () => {
      waiting.delete(relay.mailbox)
      if (!isNeeded(relay) || rank(relay) === undefined) return
      const task = move(relay)
        .catch((error: unknown) => {
          if (stopped.signal.aborted) return
          logger.info('mailbox-not-moved', { error: String(error) })
          wait(relay, RETRY_MS)
        })
        .finally(() => underway.delete(relay.mailbox))
      underway.set(relay.mailbox, task)
    })
    waiting.set(relay.mailbox, cancel)
  }
  const whenPeer = async (id: DeviceId, holds: (peer: PeerSync) => boolean): Promise<void> => {
    const late = new AbortController()
    const cancel = clock.after(PATIENCE_MS, () => late.abort(new SegueError('TIMED_OUT')))
    const isSo = (peers: ReadonlyMap<DeviceId, PeerSync>): boolean => {
      const peer = peers.get(id)
      return peer !== undefined && peer.state === 'in-sync' && peer.behind === 0 && holds(peer)
    }
    try {
      await present().replica.peers.when(isSo, { signal: AbortSignal.any([stopped.signal, late.signal]) })
    } finally {
      cancel()
    }
  }
  const present = (): Runtime => {
    const current = runtime()
    if (current === undefined) throw new SegueError('CLOSED') // between two groups
    return current
  }
  const newMailbox = async (relay: DeviceId): Promise<NewMailbox> => {
    const before = await loadNewMailbox(records, relay)
    if (before !== undefined) return before
    const made = { mailbox: hexId<MailboxId>(random.bytes(RANDOM_ID_BYTES)), adminSeed: random.bytes(SEED_BYTES) }
    await saveNewMailbox(records, relay, made)
    return made
  }

  /** The new mailbox gets what is here: what was deleted on this device only may be nowhere else than in the old one. */
  const keepAll = async ({ local }: Runtime): Promise<void> => {
    const away = local.list.peek()
    if (away.length === 0) return
    logger.info('brought-back-for-mailbox', { count: away.length })
    await local.keepAgain(
      away.flatMap(({ session, document }): DeletionTarget[] =>
        session !== undefined ? [{ session }] : document !== undefined ? [{ document }] : [],
      ),
    )
  }
  /** Every step may be repeated, in a later run too. */
  const move = async (relay: GroupRelay): Promise<void> => {
    const net = node()
    const oldKeys = runtime()?.group.relayAdminKeys(relay.mailbox)
    if (net === undefined || oldKeys === undefined) return
    await keepAll(present())
    await whenPeer(relay.id, () => true) // drained: what is on the relay is here
    const made = await newMailbox(relay.id)
    const keys = signingKeysOf(made.adminSeed)
    // What somebody moved who was being removed is where the relay has the group by now.
    const outrun = outrunMailboxes(present().group, relay.id, { id: self, sealing })
    const before = clock.monotonic()
    const wasThere = await talkToRelay({ node: net, clock, signal: stopped.signal }, relay, async ask => {
      const ledThere = (await whereLinksLead(ask)) === made.mailbox // since an earlier try
      await takePlace(ask, [{ mailbox: relay.mailbox, keys: oldKeys }, ...outrun], { mailbox: made.mailbox, keys })
      const list = encodeMemberList({ mailbox: made.mailbox, version: 1, members: [self] }, keys)
      try {
        await ask({ v: 1, type: 'list', ...list })
      } catch (error) {
        if (!isSegueError(error, 'RELAY_STALE')) throw error // set in an earlier try
      }
      return ledThere
    })
    await whenPeer(relay.id, peer => (wasThere || (peer.linkedAt ?? 0) > before) && present().replica.holdsAll(relay.id))
    // Somebody else may have taken the place meanwhile: then this device filled another one, and its own may be gone.
    const led = await talkToRelay({ node: net, clock, signal: stopped.signal }, relay, whereLinksLead)
    if (led !== made.mailbox) throw new SegueError('RELAY_STALE')
    if (!isNeeded(relay)) return
    const { group, keeper } = present()
    const { id, addresses } = relay
    const time = clock.now()
    await keeper.keep(group.addRelay({ relay: id, addresses, mailbox: made.mailbox, adminSeed: made.adminSeed, time }))
    await keeper.keep(group.retireRelay(relay.mailbox, time))
    await saveNewMailbox(records, id, undefined)
  }

  const close = async (): Promise<void> => {
    stopped.abort(new Error('closing'))
    for (const cancel of waiting.values()) cancel()
    await Promise.all(underway.values())
  }
  return { look, close, [Symbol.asyncDispose]: close }
}

const SEED_BYTES = 32
const GRACE_MS: number = 60 * SECOND_MS
const RETRY_MS: number = 30 * SECOND_MS
/** Filling a large mailbox takes its time; then it is tried again from there. */
const PATIENCE_MS: number = 600 * SECOND_MS

/** The mailbox that this device comes to on the relay it talks to. */
async function whereLinksLead(ask: AskRelay): Promise<MailboxId | undefined> {
  const { list } = await ask({ v: 1, type: 'get-list', mailbox: OWN_MAILBOX }).catch((error: unknown) => {
    if (isSegueError(error, 'RELAY_NOT_YOURS')) return { list: undefined }
    throw error
  })
  const read = list && decodeMemberList(list.record)
  return read?.ok === true ? read.value.mailbox : undefined
}

/** Of the first of these whose place the relay lets it take. */
async function takePlace(ask: AskRelay, places: readonly OutrunMailbox[], { mailbox, keys }: OutrunMailbox): Promise<void> {
  for (const [i, from] of places.entries()) {
    const order = { from: idBytes(from.mailbox), mailbox: idBytes(mailbox), adminKey: keys.publicKey }
    try {
      await ask({ v: 1, type: 'move', ...order, signature: signMailboxMove(order, from.keys) })
      return
    } catch (error) {
      const isElsewhere =
        isSegueError(error, 'RELAY_STALE') || isSegueError(error, 'RELAY_NOT_YOURS') || isSegueError(error, 'RELAY_REFUSED')
      if (!isElsewhere || i === places.length - 1) throw error
    }
  }
}
