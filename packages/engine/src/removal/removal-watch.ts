/**
 * Follows each removal until everybody who stays knows of it. A device knows when it confirmed or showed the entry, when a link that began
 * after it was stored here is in sync, when its heartbeat says that it has a log with it, or when it wrote an entry after it; a relay when it
 * has the entry on its disk and its member list names the device no more. What was seen once stays, over restarts.
 */
import {
  createErasureCarrier,
  createSubject,
  logFingerprint,
  readErasure,
  toHex,
  type CarriedErasure,
  type ChunkId,
  type DeviceId,
  type DeviceIdentity,
  type EntryId,
  type Erasure,
  type MailboxId,
  type Observable,
  type Removal,
} from '@segue/core'
import type { Clock, Logger, Random, RecordStore, SealedChunk } from '@segue/core/ports'
import { nativeHasher } from '../platform/native-hasher.ts'
import { nativeVerifier } from '../platform/native-verifier.ts'
import type { RelayStatus } from '../relays.ts'
import type { Runtime } from '../runtime.ts'
import { isFinished, type RemovalChecklist, type RemovalFacts } from './checklist.ts'
import { loadRemovals, saveRemoval } from './removal-records.ts'

export interface RemovalWatch {
  /** Of every device that was removed and is known here, by seniority. */
  readonly list: Observable<readonly RemovalChecklist[]>
  /** A removed device came and was shown the entry. */
  onTold(device: DeviceId): void
  /** It signed what it did. `frame` is what it signed. */
  onErasure(erasure: Erasure, frame: Uint8Array): void
  follow(runtime: Runtime): void
  /** Resolves when what was seen is on disk. */
  close(): Promise<void>
}

interface Parts {
  readonly identity: DeviceIdentity
  readonly records: RecordStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly relays: {
    readonly list: Observable<readonly RelayStatus[]>
    /** Whom the member list of a mailbox was last seen to name. */
    readonly admitted: Observable<ReadonlyMap<MailboxId, readonly DeviceId[]>>
  }
}

export async function createRemovalWatch({ identity, records, clock, random, logger, relays }: Parts): Promise<RemovalWatch> {
  const known = await loadRemovals(records)
  const list = createSubject<readonly RemovalChecklist[]>([])
  /** Entries that are in this store for sure: before, nobody can have confirmed them. */
  const stored = new Map<EntryId, Stored>()
  /** Which peers said that they have a chunk of the log; the newest few. */
  const holders = new Map<ChunkId, Set<DeviceId>>()
  const prints: Print[] = []
  let current: Runtime | undefined
  let stops: (() => void)[] = []
  let saving: Promise<void> = Promise.resolve()
  let isDue = false

  const save = (facts: RemovalFacts): void => {
    saving = saving
      .then(() => saveRemoval(records, facts))
      .catch((error: unknown) => logger.warn('removal-not-noted', { error: String(error) }))
  }
  const factsOf = ({ group }: Runtime, { entry }: Removal): RemovalFacts => {
    const before = known.get(entry)
    if (before !== undefined) return before
    const made: RemovalFacts = {
      group: group.id,
      entry,
      learnedAt: wholeNow(clock),
      devices: new Map(),
      relays: new Map(),
      toldAt: undefined,
      word: undefined,
      finishedAt: undefined,
    }
    known.set(entry, made)
    save(made)
    return made
  }
  const whenStored = (runtime: Runtime, id: EntryId): void => {
    const entry = runtime.group.entry(id)
    if (entry === undefined || stored.has(id)) return
    const chunk = runtime.group.toChunk(entry).id
    if (!holders.has(chunk)) holders.set(chunk, new Set()) // receipts may be faster than this disk
    // not in the turn in which it arrives: then it is known to be stored already
    Promise.resolve()
      .then(() => runtime.keeper.keep(entry))
      .then(
        () => {
          stored.set(id, { chunk, since: clock.monotonic() })
          lookSoon()
        },
        () => undefined, // closed meanwhile
      )
  }

  const hold = (chunk: ChunkId, device: DeviceId): void => {
    const known = holders.get(chunk) ?? new Set()
    if (known.has(device)) return
    holders.set(chunk, known.add(device))
    const [oldest] = holders.keys()
    if (holders.size > MAX_HOLDERS && oldest !== undefined) holders.delete(oldest)
    lookSoon()
  }
  const hasEntry = ({ replica }: Runtime, peer: DeviceId, entry: EntryId): boolean => {
    const own = stored.get(entry)
    const sync = replica.peers.peek().get(peer)
    if (own === undefined) return false
    return holders.get(own.chunk)?.has(peer) === true || (sync?.state === 'in-sync' && (sync.linkedAt ?? 0) > own.since)
  }

  const notePrint = ({ group }: Runtime): void => {
    const { heads } = group.state.peek()
    const key = heads.toSorted().join()
    if (prints.some(print => print.key === key)) return
    prints.push({ key, heads, print: toHex(logFingerprint(group.keyring, heads, nativeHasher)) })
    if (prints.length > MAX_PRINTS) prints.shift()
  }
  const knows = (runtime: Runtime, device: DeviceId, entry: EntryId): boolean => {
    const { group, heartbeats } = runtime
    if (hasEntry(runtime, device, entry)) return true
    const said = heartbeats.heard.peek().get(device)
    const heads = said && prints.find(({ print }) => print === toHex(said.log))?.heads
    if (heads !== undefined && group.knows(heads, entry)) return true
    const added = group.entryThatAdded(device)
    const wrote = group.entries().findLast(({ author }) => author === device)
    return [added, wrote].some(each => each !== undefined && group.knows([each.id], entry))
  }
  const relayKnows = (runtime: Runtime, { id, mailbox, isMoving }: RelayStatus, removed: DeviceId, entry: EntryId): boolean => {
    const members = relays.admitted.peek().get(mailbox)
    return !isMoving && members?.includes(removed) === false && hasEntry(runtime, id, entry)
  }

  const lookAt = (runtime: Runtime, removed: DeviceId, removal: Removal): RemovalChecklist => {
    const { group } = runtime
    const facts = factsOf(runtime, removal)
    const active = group.state.peek().devices.filter(device => device.active)
    const inUse = relays.list.peek()
    let isNew = false
    if (stored.has(removal.entry)) {
      for (const { id } of active) {
        if (facts.devices.has(id) || !(id === identity.id || knows(runtime, id, removal.entry))) continue
        facts.devices.set(id, id === identity.id ? facts.learnedAt : wholeNow(clock))
        isNew = true
      }
      for (const relay of inUse) {
        if (facts.relays.has(relay.mailbox) || !relayKnows(runtime, relay, removed, removal.entry)) continue
        facts.relays.set(relay.mailbox, wholeNow(clock))
        isNew = true
      }
    } else whenStored(runtime, removal.entry)
    const progress = {
      devices: active.map(({ id, name }) => ({ id, name, isThisDevice: id === identity.id, knowsAt: facts.devices.get(id) })),
      relays: inUse.map(({ id, mailbox }) => ({ id, mailbox, knowsAt: facts.relays.get(mailbox) })),
    }
    if (facts.finishedAt === undefined && isFinished(progress)) {
      facts.finishedAt = wholeNow(clock)
      isNew = true
    }
    if (isNew) save(facts)
    const word = facts.word && readErasure(facts.word.receipt, nativeVerifier)
    return {
      id: removed,
      name: group.device(removed)?.name ?? '',
      entry: removal.entry,
      by: { id: removal.by, name: group.device(removal.by)?.name },
      at: removal.at,
      cutOffAt: facts.learnedAt,
      ...progress,
      toldAt: facts.toldAt,
      erasure: facts.word && word && { erased: word.erased, at: word.time, ...facts.word },
      finishedAt: facts.finishedAt,
    }
  }
  const look = (): void => {
    if (current === undefined) return
    const runtime = current
    notePrint(runtime)
    const next = runtime.group.state.peek().devices.flatMap(({ id, removal }) => {
      return removal === undefined || id === identity.id ? [] : [lookAt(runtime, id, removal)]
    })
    if (JSON.stringify(next) !== JSON.stringify(list.peek())) list.set(next)
  }
  /** Confirmations come in bursts. */
  const lookSoon = (): void => {
    if (isDue) return
    isDue = true
    queueMicrotask(() => {
      isDue = false
      look()
    })
  }
  const isOpen = (): boolean =>
    list.peek().some(({ finishedAt, devices, relays: all }) => finishedAt === undefined || !isFinished({ devices, relays: all }))

  const carrierOf = ({ group }: Runtime): ReturnType<typeof createErasureCarrier> =>
    createErasureCarrier({ identity, keyring: group.keyring, random, hasher: nativeHasher, verifier: nativeVerifier })
  /** What says more takes the place of what says less: that it erased, after that it was told. */
  const take = ({ erasure, frame }: CarriedErasure): boolean => {
    const runtime = current
    const removal = runtime?.group.removalOf(erasure.device)
    if (runtime === undefined || removal === undefined || removal.entry !== erasure.removal || runtime.group.id !== erasure.group)
      return false
    const facts = factsOf(runtime, removal)
    const before = facts.word && readErasure(facts.word.receipt, nativeVerifier)
    if (before !== undefined && (before.erased || !erasure.erased)) return false
    facts.word = { receipt: frame, heardAt: wholeNow(clock) }
    save(facts)
    lookSoon()
    return true
  }
  const hear = (runtime: Runtime, chunks: readonly SealedChunk[]): void => {
    if (!list.peek().some(({ erasure }) => erasure?.erased !== true)) return
    for (const chunk of chunks) {
      const carried = carrierOf(runtime).read(chunk)
      if (carried !== undefined) take(carried)
    }
  }

  const unfollow = (): void => {
    for (const stop of stops) stop()
    stops = []
  }
  return {
    list,
    onTold(device) {
      const removal = current?.group.removalOf(device)
      if (current === undefined || removal === undefined) return
      const facts = factsOf(current, removal)
      if (facts.toldAt !== undefined) return
      facts.toldAt = wholeNow(clock)
      save(facts)
      look()
    },
    onErasure(erasure, frame) {
      const runtime = current
      if (runtime === undefined || !take({ erasure, frame })) return
      const chunk = carrierOf(runtime).seal({ erasure, frame })
      runtime.replica.add([chunk]).catch((error: unknown) => logger.warn('erasure-not-carried', { error: String(error) }))
    },
    follow(runtime) {
      unfollow()
      current = runtime
      prints.length = 0
      stored.clear()
      holders.clear()
      const ifOpen = (): void => (isOpen() ? lookSoon() : undefined)
      stops = [
        runtime.group.state.subscribe(look),
        runtime.replica.peers.subscribe(ifOpen),
        runtime.heartbeats.heard.subscribe(ifOpen),
        relays.list.subscribe(lookSoon),
        relays.admitted.subscribe(ifOpen),
        runtime.replica.subscribe({
          onArrived: chunks => hear(runtime, chunks),
          onStored(from, ids) {
            for (const id of ids) if (holders.has(id)) hold(id, from)
          },
          onShown(from, shown) {
            for (const { class: kind, id } of shown) if (kind === 'log') hold(id, from)
          },
        }),
      ]
      look()
    },
    async close() {
      unfollow()
      current = undefined
      await saving
    },
  }
}

interface Stored {
  readonly chunk: ChunkId
  /** By the monotonic clock: in this run known to be in the store. */
  readonly since: number
}

/** One of the log's heads that this device saw. */
interface Print {
  readonly key: string
  readonly heads: readonly EntryId[]
  readonly print: string
}

const MAX_PRINTS = 64
const MAX_HOLDERS = 512

function wholeNow(clock: Clock): number {
  return Math.max(0, Math.trunc(clock.now()))
}
