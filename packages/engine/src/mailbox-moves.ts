/**
 * A new mailbox on a relay when somebody who is no admin any more knows the key of the one in use: one admin's device drains the old one,
 * lets in only itself to the new one, fills it, and names it in the group's log; then the member list lets in everybody, and the relay
 * leads them there. The first active admin in order of seniority does it, the others after a grace each, if it is still to do.
 *
 * Where somebody who was being removed moved it and gave the new key to nobody who stays, the device that the relay has the account of makes
 * another mailbox beside that (M13). When all admins had their turn and none could, a person has to add the relay again.
 *
 * What others bring to the old mailbox meanwhile they bring to the new one as well, when they come there.
 */
import {
  OWN_MAILBOX,
  RANDOM_ID_BYTES,
  SECOND_MS,
  SegueError,
  createSubject,
  decodeMemberList,
  encodeMemberList,
  hexId,
  idBytes,
  isKeyLost,
  isSegueError,
  mayBeginAnew,
  outrunMailboxes,
  proveListReader,
  signMailboxMove,
  signingKeysOf,
} from '@segue/core'
import type {
  Closeable,
  DeletionTarget,
  DeviceId,
  DeviceIdentity,
  ErrorCode,
  GroupDevice,
  GroupRelay,
  MailboxId,
  Observable,
  OutrunMailbox,
  PeerSync,
} from '@segue/core'
import type { Clock, Logger, Random, RecordStore } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import { loadNewMailbox, saveNewMailbox, type NewMailbox } from './device-records.ts'
import { talkToRelay, type AskRelay } from './relay-client.ts'
import type { Runtime } from './runtime.ts'

export interface MailboxMoves extends Closeable {
  /** The group, or who is linked, changed. */
  look(): void
  /** Mailboxes that this device cannot get the group out of, nor another admin that was awake: RELAY_KEY_LOST. */
  readonly lost: Observable<ReadonlySet<MailboxId>>
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
  const lost = createSubject<ReadonlySet<MailboxId>>(new Set())
  /** Since when it is tried in vain. */
  const inVain = new Map<MailboxId, number>()

  const isNeeded = ({ mailbox }: GroupRelay): boolean =>
    !stopped.signal.aborted && relays().some(relay => relay.mailbox === mailbox && relay.needsMove)
  /** Before this device in the order in which admins try; undefined when it cannot. */
  const rank = ({ mailbox }: GroupRelay): number | undefined => {
    const group = runtime()?.group
    const at = admins().findIndex(({ id }) => id === self)
    const mayTry = group !== undefined && (group.relayAdminKeys(mailbox) !== undefined || isKeyLost(group, mailbox))
    return at < 0 || !mayTry ? undefined : at
  }
  const admins = (): readonly GroupDevice[] =>
    runtime()
      ?.group.state.peek()
      .devices.filter(({ active, role }) => active && role === 'admin') ?? []

  const look = (): void => {
    const left = [...lost.peek()].filter(mailbox => relays().some(relay => relay.mailbox === mailbox && relay.needsMove))
    if (left.length < lost.peek().size) lost.set(new Set(left))
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
          wait(relay, isLost(relay, error) ? LOST_RETRY_MS : RETRY_MS)
        })
        .finally(() => underway.delete(relay.mailbox))
      underway.set(relay.mailbox, task)
    })
    waiting.set(relay.mailbox, cancel)
  }
  /** Once every admin had its turn: one of them may have the account. */
  const isLost = ({ mailbox }: GroupRelay, error: unknown): boolean => {
    if (!isSegueError(error, 'RELAY_KEY_LOST')) {
      inVain.delete(mailbox)
      return false
    }
    const since = inVain.get(mailbox) ?? clock.monotonic()
    inVain.set(mailbox, since)
    if (clock.monotonic() - since < (admins().length - 1) * graceMs) return false
    if (!lost.peek().has(mailbox)) lost.set(new Set([...lost.peek(), mailbox]))
    return true
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
    if (net === undefined) return
    const talk = <Outcome>(talking: (ask: AskRelay) => Promise<Outcome>): Promise<Outcome> =>
      talkToRelay({ node: net, clock, signal: stopped.signal }, relay, talking)
    await keepAll(present())
    const keys = present().group.relayAdminKeys(relay.mailbox)
    if ((await talk(whereLinksLead)) !== undefined) await whenPeer(relay.id, () => true) // drained: what is on the relay is here
    else if (keys !== undefined && (await talk(ask => isOpenByKey(ask, relay.mailbox, self, keys)))) throw new SegueError('RELAY_NOT_YOURS') // M11 comes first
    const before = clock.monotonic()
    const { made, wasThere } = await talk(ask => settle(ask, relay, keys))
    await whenPeer(relay.id, peer => (wasThere || (peer.linkedAt ?? 0) > before) && present().replica.holdsAll(relay.id))
    // Somebody else may have taken the place meanwhile: then this device filled another one, and its own may be gone.
    if ((await talk(whereLinksLead)) !== made.mailbox) throw new SegueError('RELAY_STALE')
    if (!isNeeded(relay)) return
    const { group, keeper } = present()
    const { id, addresses } = relay
    const time = clock.now()
    await keeper.keep(group.addRelay({ relay: id, addresses, mailbox: made.mailbox, adminSeed: made.adminSeed, time }))
    await keeper.keep(group.retireRelay(relay.mailbox, time))
    await saveNewMailbox(records, id, undefined)
  }
  /** A mailbox on the relay that lets in this device alone; whether it did so since an earlier try. */
  const settle = async (ask: AskRelay, relay: GroupRelay, keys: OutrunMailbox['keys'] | undefined): Promise<Settled> => {
    const { group } = present()
    let made = await newMailbox(relay.id)
    const wasThere = (await whereLinksLead(ask)) === made.mailbox
    // What somebody moved who was being removed is where the relay has the group by now.
    const outrun = outrunMailboxes(group, relay.id, { id: self, sealing })
    const places = keys === undefined ? outrun : [{ mailbox: relay.mailbox, keys }, ...outrun]
    if (!(await takePlace(ask, places, { mailbox: made.mailbox, keys: signingKeysOf(made.adminSeed) }))) {
      if (!mayBeginAnew(group, relay.mailbox, self)) throw new SegueError('RELAY_KEY_LOST')
      if (!wasThere) await saveNewMailbox(records, relay.id, undefined) // what was to take a place may be on a list that is older than another's
      made = await newMailbox(relay.id)
      await createBeside(ask, made)
    }
    const list = encodeMemberList({ mailbox: made.mailbox, version: 1, members: [self] }, signingKeysOf(made.adminSeed))
    try {
      await ask({ v: 1, type: 'list', ...list })
    } catch (error) {
      if (!isSegueError(error, 'RELAY_STALE')) throw error // set in an earlier try
    }
    return { made, wasThere }
  }

  const close = async (): Promise<void> => {
    stopped.abort(new Error('closing'))
    for (const cancel of waiting.values()) cancel()
    await Promise.all(underway.values())
  }
  return { look, lost, close, [Symbol.asyncDispose]: close }
}

const SEED_BYTES = 32
const GRACE_MS: number = 60 * SECOND_MS
const RETRY_MS: number = 30 * SECOND_MS
/** Somebody may come who can do what this device cannot. */
const LOST_RETRY_MS: number = 600 * SECOND_MS
/** Filling a large mailbox takes its time; then it is tried again from there. */
const PATIENCE_MS: number = 600 * SECOND_MS

interface Settled {
  readonly made: NewMailbox
  readonly wasThere: boolean
}

/** The mailbox that this device comes to on the relay it talks to. */
async function whereLinksLead(ask: AskRelay): Promise<MailboxId | undefined> {
  const { list } = await ask({ v: 1, type: 'get-list', mailbox: OWN_MAILBOX }).catch((error: unknown) => {
    if (isSegueError(error, 'RELAY_NOT_YOURS')) return { list: undefined }
    throw error
  })
  const read = list && decodeMemberList(list.record)
  return read?.ok === true ? read.value.mailbox : undefined
}

/** False when of none of these the relay lets it take the place. */
async function takePlace(ask: AskRelay, places: readonly OutrunMailbox[], { mailbox, keys }: OutrunMailbox): Promise<boolean> {
  for (const from of places) {
    const order = { from: idBytes(from.mailbox), mailbox: idBytes(mailbox), adminKey: keys.publicKey }
    try {
      await ask({ v: 1, type: 'move', ...order, signature: signMailboxMove(order, from.keys) })
      return true
    } catch (error) {
      if (!['RELAY_STALE', 'RELAY_NOT_YOURS', 'RELAY_REFUSED'].some(code => isSegueError(error, code as ErrorCode))) throw error
    }
  }
  return false
}

/** Only for the account of this very device, and while that may have another mailbox. */
async function createBeside(ask: AskRelay, { mailbox, adminSeed }: NewMailbox): Promise<void> {
  try {
    await ask({ v: 1, type: 'create', mailbox: idBytes(mailbox), adminKey: signingKeysOf(adminSeed).publicKey })
  } catch (error) {
    if (!isSegueError(error, 'RELAY_NOT_YOURS') && !isSegueError(error, 'RELAY_QUOTA')) throw error
    throw new SegueError('RELAY_KEY_LOST', {}, { cause: error })
  }
}

/** Whether its lists are still signed with this key: then an admin whom none names puts itself on it (member-lists.ts). */
async function isOpenByKey(ask: AskRelay, id: MailboxId, reader: DeviceId, keys: OutrunMailbox['keys']): Promise<boolean> {
  const mailbox = idBytes(id)
  try {
    await ask({ v: 1, type: 'get-list', mailbox, proof: proveListReader({ mailbox, reader }, keys) })
    return true
  } catch (error) {
    if (!isSegueError(error, 'RELAY_NOT_YOURS')) throw error
    return false
  }
}
