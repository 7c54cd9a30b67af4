/**
 * Which relays hold less than they confirmed, or do not show what others left with them. Everything starts from what a device's
 * heartbeat says: "this mailbox has had, for a while already, all that I held at number N". A relay is found out in three ways:
 *
 * - *lost*: in a conversation begun after that was known, it shows a heartbeat of that device with a number below N; or it comes with
 *   less than it once said to hold.
 * - *withheld heartbeat*: it is in sync here and had never shown N, when somebody else brings the news.
 * - *withheld content*: it is in sync here, somebody else brings an edit, and the device goes on to say that the relay has all its edits.
 *
 * None of it at once: a device that just woke may hear a neighbour before it hears what the relay sent long ago. So the relay gets a
 * grace on the same link to bring what is missing; what it brings then, or a link that turns out to be dead, ends the suspicion.
 */
import type { ChunkId, DeviceId, MailboxId } from '../lib/ids.ts'
import { createSubject, type Observable } from '../lib/observable.ts'
import type { Clock } from '../ports/clock.ts'
import type { Replica, Shown } from '../replication/index.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { HeartbeatPace } from './pace.ts'

export interface RelayTrouble {
  /** lost: it has less than it had confirmed. withholds: it does not show what another device left with it. */
  readonly kind: 'lost' | 'withholds'
  /** Milliseconds since 1970 here: when it was noticed. */
  readonly since: number
  /** Whose work it does not show; empty when it is not known whose it lost. */
  readonly devices: readonly DeviceId[]
}

export interface WatchedRelay {
  readonly id: DeviceId
  readonly mailbox: MailboxId
}

export interface RelayWatch {
  /** Those in trouble now. */
  readonly troubles: Observable<ReadonlyMap<MailboxId, RelayTrouble>>
  /** A heartbeat that is new here; `from` is undefined for one that was here already. */
  onHeartbeat(device: DeviceId, heartbeat: Heartbeat, from: DeviceId | undefined): void
  /** New edits, checked and stored. */
  onCommits(ids: readonly ChunkId[], from: DeviceId): void
  /** As a replica's listener. `deviceOf` says whose heartbeat a chunk is. */
  onShown(from: DeviceId, shown: readonly Shown[], isWhole: boolean, deviceOf: (id: ChunkId) => DeviceId | undefined): void
  /** The peers, the relays or the members changed. */
  look(): void
  close(): void
}

export interface RelayWatchComponents {
  readonly self: DeviceId
  readonly replica: Pick<Replica, 'peers' | 'holdsAll'>
  readonly clock: Clock
  readonly pace: Pick<HeartbeatPace, 'everyMs' | 'graceMs'>
  readonly relays: () => readonly WatchedRelay[]
  readonly isActive: (device: DeviceId) => boolean
  readonly onListenerError?: (error: unknown) => void
}

export function createRelayWatch(components: RelayWatchComponents): RelayWatch {
  const { self, replica, clock, pace, relays, isActive } = components
  const troubles = createSubject<ReadonlyMap<MailboxId, RelayTrouble>>(new Map(), components.onListenerError)
  const heard = new Map<DeviceId, Heartbeat>()
  const watched = new Map<MailboxId, Watched>()

  const stateOf = (mailbox: MailboxId): Watched => {
    const state = watched.get(mailbox) ?? {
      floors: new Map(),
      shown: new Map(),
      suspects: new Map(),
      withholds: new Map(),
      lost: undefined,
      timesGoneBack: 0,
    }
    watched.set(mailbox, state)
    return state
  }
  const peerOf = (id: DeviceId): PeerState | undefined => replica.peers.peek().get(id)
  const publish = (): void => {
    const next = new Map<MailboxId, RelayTrouble>()
    for (const { mailbox } of relays()) {
      const { lost, withholds } = stateOf(mailbox)
      if (lost !== undefined) next.set(mailbox, { kind: 'lost', since: lost.since, devices: [...lost.devices] })
      else if (withholds.size > 0) {
        const since = Math.min(...[...withholds.values()].map(each => each.since))
        next.set(mailbox, { kind: 'withholds', since, devices: [...withholds.keys()] })
      }
    }
    if (JSON.stringify([...next]) !== JSON.stringify([...troubles.peek()])) troubles.set(next)
  }
  const raiseShown = (state: Watched, device: DeviceId, counter: number): void => {
    if (counter > (state.shown.get(device) ?? 0)) state.shown.set(device, counter)
  }
  const noteLoss = (state: Watched, device: DeviceId | undefined): void => {
    state.lost ??= { since: clock.now(), devices: new Set() }
    if (device !== undefined) state.lost.devices.add(device)
  }
  const drop = (state: Watched, device: DeviceId): void => {
    state.suspects.get(device)?.cancel()
    state.suspects.delete(device)
  }

  /** Judged after the grace, if the relay's link is still the one it was. `holds`: what was suspected is still so. */
  const suspect = ({ id, mailbox }: WatchedRelay, device: DeviceId, suspicion: Suspicion): void => {
    const state = stateOf(mailbox)
    if (state.suspects.has(device) || state.withholds.has(device)) return
    const { linkedAt } = peerOf(id) ?? {}
    const cancel = clock.after(suspicion.graceMs, () => {
      state.suspects.delete(device)
      const now = peerOf(id)
      const isSameLink = now !== undefined && now.state !== 'away' && now.linkedAt === linkedAt
      if (!isSameLink || !suspicion.holds()) return
      state.withholds.set(device, { since: clock.now(), counter: heard.get(device)?.counter ?? 0 })
      publish()
    })
    state.suspects.set(device, { cancel, ...suspicion })
  }

  const look = (): void => {
    const inUse = relays()
    for (const mailbox of [...watched.keys()]) if (!inUse.some(relay => relay.mailbox === mailbox)) forget(mailbox)
    for (const { id, mailbox } of inUse) {
      const state = stateOf(mailbox)
      const peer = peerOf(id)
      for (const device of [...state.withholds.keys()]) if (!isActive(device)) state.withholds.delete(device)
      if (peer === undefined) continue
      if (peer.timesGoneBack > state.timesGoneBack) {
        state.timesGoneBack = peer.timesGoneBack
        // A new mailbox has nothing yet, and nobody said that it had.
        if (state.floors.size > 0) noteLoss(state, undefined)
        publish()
      }
      if (peer.state !== 'in-sync' || !replica.holdsAll(id)) continue
      // It holds what is held here, heartbeats included.
      for (const [device, { counter }] of heard) raiseShown(state, device, counter)
      state.lost = undefined
    }
    publish()
  }
  const forget = (mailbox: MailboxId): void => {
    for (const { cancel } of watched.get(mailbox)?.suspects.values() ?? []) cancel()
    watched.delete(mailbox)
  }

  return {
    troubles,
    onHeartbeat(device, heartbeat, from) {
      const before = heard.get(device)
      if (before !== undefined && before.counter >= heartbeat.counter) return
      for (const relay of relays()) {
        const state = stateOf(relay.mailbox)
        const counter = heartbeat.relays.find(each => each.mailbox === relay.mailbox)?.counter ?? 0
        if (from === relay.id) raiseShown(state, device, heartbeat.counter)
        if (counter <= (state.floors.get(device)?.counter ?? 0)) continue
        state.floors.set(device, { counter, knownAt: clock.monotonic() })
        const isNews = device !== self && from !== undefined && from !== relay.id
        if (!isNews || peerOf(relay.id)?.state !== 'in-sync' || (state.shown.get(device) ?? 0) >= counter) continue
        suspect(relay, device, { graceMs: pace.graceMs, counter, missing: undefined, holds: () => true })
      }
      heard.set(device, heartbeat)
    },
    onCommits(ids, from) {
      const said = heard.get(from)
      if (said === undefined || ids.length === 0) return
      for (const relay of relays()) {
        const state = stateOf(relay.mailbox)
        const has = (): boolean => (state.floors.get(from)?.counter ?? 0) >= (heard.get(from)?.since ?? Infinity)
        if (relay.id === from || !has() || peerOf(relay.id)?.state !== 'in-sync') continue
        const missing = new Set(ids)
        const linkedAt = peerOf(from)?.linkedAt
        suspect(relay, from, {
          // By then the device has said so if it has made or got anything that the relay may not have had.
          graceMs: 3 * pace.everyMs + pace.graceMs,
          counter: Infinity,
          missing,
          holds: () => missing.size > 0 && has() && heard.get(from)?.since === said.since && peerOf(from)?.linkedAt === linkedAt,
        })
      }
    },
    onShown(from, shown, isWhole, deviceOf) {
      const relay = relays().find(each => each.id === from)
      if (relay === undefined) return
      const state = stateOf(relay.mailbox)
      for (const { missing } of state.suspects.values()) for (const { id } of missing === undefined ? [] : shown) missing?.delete(id)
      let isChanged = false
      for (const { class: kind, id, sequence } of shown) {
        const device = kind === 'register' ? deviceOf(id) : undefined
        if (device === undefined) continue
        const floor = state.floors.get(device)
        if (floor !== undefined && sequence < floor.counter && floor.knownAt < (peerOf(from)?.linkedAt ?? 0)) {
          noteLoss(state, device)
          isChanged = true
        }
        raiseShown(state, device, sequence)
        if (!isWhole) continue // an answer to what was said here, perhaps
        if (sequence >= (state.suspects.get(device)?.counter ?? Infinity)) drop(state, device)
        if (sequence > (state.withholds.get(device)?.counter ?? Infinity)) isChanged = state.withholds.delete(device)
      }
      if (isChanged) publish()
    },
    look,
    close() {
      for (const mailbox of [...watched.keys()]) forget(mailbox)
    },
  }
}

type PeerState = NonNullable<ReturnType<ReturnType<Replica['peers']['peek']>['get']>>

interface Suspicion {
  readonly graceMs: number
  /** A heartbeat of this number or later, sent by the relay itself, ends it. */
  readonly counter: number
  /** Edits that the relay did not show. */
  readonly missing: Set<ChunkId> | undefined
  readonly holds: () => boolean
}

interface Watched {
  /** What devices said that it has had for a while; monotonic. */
  readonly floors: Map<DeviceId, { readonly counter: number; readonly knownAt: number }>
  /** The greatest heartbeat it has shown, of each device. */
  readonly shown: Map<DeviceId, number>
  readonly suspects: Map<DeviceId, Suspicion & { readonly cancel: () => void }>
  readonly withholds: Map<DeviceId, { readonly since: number; readonly counter: number }>
  lost: { readonly since: number; readonly devices: Set<DeviceId> } | undefined
  timesGoneBack: number
}
