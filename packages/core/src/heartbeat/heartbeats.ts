/** This device's heartbeats and what it learns from those of others. SPEC.md has the rules (T1...). */
import type { Keyring } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import { equalBytes } from '../lib/bytes.ts'
import type { Closeable } from '../lib/closeables.ts'
import type { ChunkId, DeviceId, EntryId, GroupId, MailboxId } from '../lib/ids.ts'
import { createSubject, type Observable } from '../lib/observable.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Logger } from '../ports/logger.ts'
import type { Random } from '../ports/random.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { Verifier } from '../ports/verifier.ts'
import type { Replica } from '../replication/index.ts'
import { openHeadsBook } from './heads-book.ts'
import { createHeartbeatCarrier, logFingerprint, type Heartbeat, type RelayEvidence } from './heartbeat.ts'
import { HEARTBEAT_PACE, type HeartbeatPace } from './pace.ts'
import { createRelayWatch, type RelayTrouble, type WatchedRelay } from './relay-watch.ts'

export interface Heartbeats extends Closeable {
  /** The last heartbeat of each other device of the group. */
  readonly heard: Observable<ReadonlyMap<DeviceId, HeardOf>>
  /** Relays that hold or show less than they should. */
  readonly troubles: Observable<ReadonlyMap<MailboxId, RelayTrouble>>
  /** How often this device has looked at the whole of what it holds. */
  looks(): number
  /**
   * At its last heartbeat, `device` held exactly what this device held at its last look, and that was after `look`: then it has heard of
   * whatever was here before, and everything it held is here.
   */
  isCoveredBy(device: DeviceId, look: number): boolean
  /** The relays or the members changed. */
  refresh(): void
}

export interface HeardOf {
  readonly counter: number
  /** Milliseconds since 1970 as that device believed. */
  readonly time: number
  /** It held the same as this device at its last look. */
  readonly hasSame: boolean
  /** 32 bytes, of the heads of the group's log that it had: `logFingerprint`. */
  readonly log: Uint8Array
}

export interface HeartbeatsComponents {
  readonly identity: Pick<DeviceIdentity, 'id' | 'signing'>
  readonly group: GroupId
  readonly keyring: Keyring
  readonly replica: Pick<Replica, 'add' | 'subscribe' | 'peers' | 'holdsAll' | 'confirmations' | 'leftOut'>
  readonly chunkStore: ChunkStore
  readonly records: RecordStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly hasher?: Hasher | undefined
  readonly verifier?: Verifier | undefined
  /** Sorted hex heads of a document, whether in memory or not. */
  readonly headsOf: (documentId: Uint8Array) => Promise<readonly string[]>
  /** Resolves when every change made here before is a chunk in the store. */
  readonly flush: () => Promise<void>
  readonly logHeads: () => readonly EntryId[]
  /** The active devices, this one included. */
  readonly devices: () => readonly DeviceId[]
  /** In use by the group. */
  readonly relays: () => readonly WatchedRelay[]
  readonly pace?: HeartbeatPace | undefined
}

/** Reads what was heard before. Looks for the first time a little later. */
export async function createHeartbeats(components: HeartbeatsComponents): Promise<Heartbeats> {
  const { identity, replica, chunkStore, clock, logger, devices, relays, pace = HEARTBEAT_PACE } = components
  const self = identity.id
  const carrier = createHeartbeatCarrier(components)
  const book = await openHeadsBook(components)
  book.note([...replica.leftOut]) // the last run may have ended before they were counted again
  const onListenerError = (error: unknown): void => logger.error('listener-failed', { error: String(error) })
  const isActive = (device: DeviceId): boolean => devices().includes(device)
  const watch = createRelayWatch({ self, replica, clock, pace, relays, isActive, onListenerError })
  const heard = createSubject<ReadonlyMap<DeviceId, HeardOf>>(new Map(), onListenerError)
  const heartbeats = new Map<DeviceId, Heartbeat>()
  const deviceByChunk = new Map<ChunkId, DeviceId>()
  const carriers = new Map<DeviceId, ChunkId>()
  const confirmed = new Map<MailboxId, Confirmation[]>()
  const ending = new AbortController()
  let state: State | undefined
  let looks = 0
  /** Of this run, monotonic. */
  let writtenAt = Number.NEGATIVE_INFINITY
  let cancel: () => void = () => undefined
  let running: Promise<void> = Promise.resolve()

  const deviceOf = (id: ChunkId): DeviceId | undefined => {
    for (const device of devices()) {
      if (carriers.has(device)) continue
      const chunkId = carrier.chunkIdOf(device)
      carriers.set(device, chunkId)
      deviceByChunk.set(chunkId, device)
    }
    return deviceByChunk.get(id)
  }
  const publish = (): void => {
    const next = new Map<DeviceId, HeardOf>()
    for (const [device, { counter, time, ...said }] of heartbeats) {
      if (device !== self && isActive(device))
        next.set(device, { counter, time, log: said.log, hasSame: state !== undefined && isSame(state, said) })
    }
    heard.set(next)
  }
  const take = (device: DeviceId, heartbeat: Heartbeat, from: DeviceId | undefined): void => {
    if ((heartbeats.get(device)?.counter ?? 0) >= heartbeat.counter) return
    watch.onHeartbeat(device, heartbeat, from)
    heartbeats.set(device, heartbeat)
  }

  /** From when a relay had everything, counted from the moment it said so. */
  const noteConfirmed = (): void => {
    const mine = heartbeats.get(self)
    for (const { id, mailbox } of mine === undefined ? [] : relays()) {
      if (replica.peers.peek().get(id)?.state !== 'in-sync' || !replica.holdsAll(id)) continue
      const before = confirmed.get(mailbox) ?? []
      if ((before.at(-1)?.counter ?? 0) < (mine?.counter ?? 0))
        confirmed.set(mailbox, [...before.slice(-MAX_PENDING), { counter: mine?.counter ?? 0, at: clock.monotonic() }])
    }
  }
  /** What a relay said once stays true while it is in use: of the last heartbeat, or confirmed since and held for long enough. */
  const evidence = (): readonly RelayEvidence[] =>
    relays().flatMap(({ mailbox }) => {
      const said = heartbeats.get(self)?.relays.find(each => each.mailbox === mailbox)?.counter ?? 0
      const held = (confirmed.get(mailbox) ?? []).findLast(({ at }) => at + pace.heldMs <= clock.monotonic())?.counter ?? 0
      const counter = Math.max(said, held)
      return counter === 0 ? [] : [{ mailbox, counter }]
    })

  const write = async (now: State): Promise<void> => {
    const last = heartbeats.get(self)
    const isNew = last === undefined || !isSame(last, now)
    const said = evidence()
    const since = last?.since ?? 0
    // Of a relay only this is news: that by now it has what is held here. That it has this heartbeat too is no reason for another.
    const isConfirmed = said.some(
      ({ mailbox, counter }) => counter >= since && (last?.relays.find(each => each.mailbox === mailbox)?.counter ?? 0) < since,
    )
    if (!isNew && !isConfirmed) return
    const stored = await chunkStore.get(carrier.chunkIdOf(self))
    // What is not signed by this device is not its own to count on from: whoever put it there chose its sequence.
    const read = stored && carrier.read(stored)
    const counter = 1 + Math.max(last?.counter ?? 0, read?.ok === true ? read.value.heartbeat.counter : 0)
    const time = Math.max(0, Math.trunc(clock.now()))
    const heartbeat: Heartbeat = { counter, ...now, since: isNew ? counter : since, time, relays: said }
    writtenAt = clock.monotonic()
    await replica.add([carrier.seal(heartbeat)])
    take(self, heartbeat, undefined)
  }
  const look = async (): Promise<void> => {
    const heads = await book.look(ending.signal)
    if (heads === undefined || ending.signal.aborted) return
    state = { log: logFingerprint(components.keyring, components.logHeads(), components.hasher), heads }
    looks++
    noteConfirmed()
    watch.look()
    if (clock.monotonic() - writtenAt >= pace.everyMs) await write(state)
    publish()
  }
  const schedule = (ms: number): void => {
    if (ending.signal.aborted) return
    cancel = clock.after(ms, () => {
      running = look()
        .catch((error: unknown) => {
          if (!ending.signal.aborted) logger.warn('heartbeat-failed', { error: String(error) })
        })
        .finally(() => schedule(pace.everyMs))
    })
  }

  const stored = await chunkStore.getMany(devices().map(carrier.chunkIdOf))
  for (const chunk of stored) {
    const read = carrier.read(chunk)
    if (read.ok) take(read.value.device, read.value.heartbeat, undefined)
  }
  const stops = [
    replica.subscribe({
      onArrived(chunks, from) {
        for (const chunk of chunks) {
          if (chunk.class !== 'register' || deviceOf(chunk.id) === undefined) continue
          const read = carrier.read(chunk)
          if (read.ok && read.value.device === deviceOf(chunk.id)) take(read.value.device, read.value.heartbeat, from)
        }
        const commits = chunks.filter(chunk => chunk.class === 'commit').map(({ id }) => id)
        if (from === undefined) book.note(chunks.map(({ docTag }) => docTag))
        else watch.onCommits(commits, from)
        publish()
      },
      onTakenOut: docTags => book.note(docTags),
      onShown: (from, shown, isWhole) => watch.onShown(from, shown, isWhole, deviceOf),
    }),
    replica.peers.subscribe(() => {
      noteConfirmed()
      watch.look()
    }),
  ]
  // One that restarts often says no more than one that runs on.
  const agoMs = clock.now() - (heartbeats.get(self)?.time ?? Number.NEGATIVE_INFINITY)
  schedule(agoMs >= 0 && agoMs < pace.everyMs ? Math.max(pace.firstMs, pace.everyMs - agoMs) : pace.firstMs)
  publish()

  const close = async (): Promise<void> => {
    ending.abort()
    cancel()
    for (const stop of stops) stop()
    watch.close()
    await running
  }
  return {
    heard,
    troubles: watch.troubles,
    looks: () => looks,
    isCoveredBy(device, after) {
      const said = heartbeats.get(device)
      return said !== undefined && state !== undefined && looks > after && isSame(state, said)
    },
    refresh() {
      watch.look()
      publish()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

interface State {
  readonly log: Uint8Array
  readonly heads: Uint8Array
}

interface Confirmation {
  readonly counter: number
  /** Monotonic. */
  readonly at: number
}

/** Heartbeats that a relay confirmed and that are not old enough to be told of. */
const MAX_PENDING = 16

function isSame(a: State, b: State): boolean {
  return equalBytes(a.heads, b.heads) && equalBytes(a.log, b.log)
}
