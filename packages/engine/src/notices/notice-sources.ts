/** Where notices come from: what the recorder is told, what the group says, how peers and their clocks are. */
import {
  MINUTE_MS,
  type Closeable,
  type Deletion,
  type DeviceId,
  type GroupState,
  type Observable,
  type PeerSync,
  type TelemetryEvent,
} from '@segue/core'
import type { Clock, Logger, RecordStore, TelemetrySink } from '@segue/core/ports'
import type { Runtime } from '../runtime.ts'
import { createNoticeBoard, type Notices } from './notice-board.ts'
import { loadKnownGroup, saveKnownGroup, type KnownGroup } from './notice-records.ts'

export interface NoticeWatch extends Closeable {
  readonly notices: Notices
  /** For a recorder. */
  readonly sink: TelemetrySink<TelemetryEvent>
  /** Somebody came who is not in the group. */
  onStranger(peer: DeviceId): void
  /** Two machines were linked under this key at once. */
  onTwice(peer: DeviceId): void
  /** This clock minus that of a device, where it is known. */
  onClock(device: DeviceId, offsetMs: number | undefined): void
  follow(runtime: NoticeRuntime): void
}

/** What is followed of a group. */
export interface NoticeRuntime {
  readonly group: Pick<Runtime['group'], 'id' | 'state' | 'entries'>
  readonly replica: Pick<Runtime['replica'], 'peers'>
  readonly deletions: { readonly list: Observable<readonly Pick<Deletion, 'by' | 'state' | 'why'>[]> }
}

export interface NoticeSourcesParts {
  readonly self: DeviceId
  readonly records: RecordStore
  readonly clock: Clock
  readonly logger: Logger
}

/** A clock that is off by more is told of: times in lists then mislead. */
export const CLOCK_OFF_MS: number = 5 * MINUTE_MS

export async function createNoticeWatch({ self, records, clock, logger }: NoticeSourcesParts): Promise<NoticeWatch> {
  const board = await createNoticeBoard({ records, clock, logger })
  let known = await loadKnownGroup(records)
  let group: NoticeRuntime['group'] | undefined
  let stops: (() => void)[] = []
  let saving: Promise<void> = Promise.resolve()

  const isDevice = (id: DeviceId): boolean => group?.state.peek().devices.some(device => device.id === id && device.active) === true
  const onGroup = (next: NoticeRuntime['group']): void => {
    const state = next.state.peek()
    if (state.needsUpdate) board.raise({ kind: 'update-needed', lasts: true })
    else board.end('update-needed')
    const before = known?.group === next.id ? known : undefined
    const after = knownOf(next.id, state)
    if (before !== undefined && isSame(before, after)) return
    if (before !== undefined) tellChanges(before, state)
    known = after
    saving = saving
      .then(() => board.flush()) // first: what is not told on disk is told again
      .then(() => saveKnownGroup(records, after))
      .catch((error: unknown) => logger.warn('notices-not-kept', { error: String(error) }))
  }
  const tellChanges = (before: KnownGroup, { devices }: GroupState): void => {
    for (const { id, role, addedBy, removal } of devices) {
      const was = before.devices.get(id)
      const isNew = was === undefined || (was.isRemoved && removal === undefined)
      if (removal !== undefined) {
        if (was?.isRemoved === true || id === self) continue
        board.withdraw('device-added', id)
        board.withdraw('device-promoted', id)
        board.end('same-key-twice', id)
        board.end('clock-off', id)
        board.raise({ kind: 'device-removed', subject: id, by: removal.by })
      } else if (isNew) {
        if (id !== self) board.raise({ kind: 'device-added', subject: id, by: addedBy })
      } else if (role === 'admin' && !was.isAdmin) board.raise({ kind: 'device-promoted', subject: id, by: promoterOf(id) })
    }
  }
  const promoterOf = (id: DeviceId): DeviceId | undefined =>
    group?.entries().findLast(({ content }) => content.kind === 'role' && content.target === id && content.role === 'admin')?.author
  const wentBack = (subject: DeviceId): void => {
    if (!board.isThere('same-key-twice', subject)) board.raise({ kind: 'store-went-back', subject, lasts: true })
  }
  const onPeers = (peers: ReadonlyMap<DeviceId, PeerSync>): void => {
    for (const [peer, { hasGoneBack, hasMoreOfUs }] of peers) {
      if (hasGoneBack && !toldBack.has(peer) && isDevice(peer)) {
        toldBack.add(peer)
        wentBack(peer)
      }
      if (hasMoreOfUs && !toldBack.has(self)) {
        toldBack.add(self)
        wentBack(self)
      }
    }
  }
  /** In this run: the replica says it for as long as that lasts. */
  const toldBack = new Set<DeviceId>()
  /** What the guard holds back until a person has looked. */
  const onDeletions = (deletions: readonly Pick<Deletion, 'by' | 'state' | 'why'>[]): void => {
    const waiting = new Set(deletions.flatMap(({ by, state, why }) => (state === 'waiting' && why === 'many' ? [by] : [])))
    for (const by of waiting) board.raise({ kind: 'many-deleted', subject: by, lasts: true })
    for (const { subject } of board.notices.peek().filter(({ kind }) => kind === 'many-deleted')) {
      if (subject !== undefined && !waiting.has(subject)) board.end('many-deleted', subject)
    }
  }
  const onTwice = (peer: DeviceId): void => {
    if (peer !== self && !isDevice(peer)) return
    board.withdraw('store-went-back', peer)
    board.raise({ kind: 'same-key-twice', subject: peer })
  }
  const unfollow = (): void => {
    for (const stop of stops) stop()
    stops = []
  }
  const close = async (): Promise<void> => {
    unfollow()
    await saving
    await board.close()
  }
  return {
    notices: board.notices,
    sink: {
      record(event) {
        switch (event.type) {
          case 'pairing-wrong-code':
            return board.raise({ kind: 'wrong-code' })
          case 'relay-behind':
            return board.raise({ kind: 'relay-behind', subject: event.relay, lasts: true })
          case 'relay-whole':
            return board.end('relay-behind', event.relay)
          case 'device-unlinked':
          case 'relay-unlinked':
            return event.reason === 'same-key-twice' ? onTwice(self) : undefined
          default:
            return undefined // nothing that a person has to know of
        }
      },
    },
    onStranger(peer) {
      // A device that was removed is told so when it comes; its checklist says that.
      if (group?.state.peek().devices.some(({ id }) => id === peer) !== true) board.raise({ kind: 'stranger-refused' })
    },
    onTwice,
    onClock(device, offsetMs) {
      if (offsetMs === undefined || !isDevice(device)) return
      if (Math.abs(offsetMs) > CLOCK_OFF_MS) board.raise({ kind: 'clock-off', subject: device, lasts: true })
      else board.end('clock-off', device)
    },
    follow(runtime) {
      unfollow()
      toldBack.clear()
      group = runtime.group
      stops = [
        runtime.group.state.subscribe(() => onGroup(runtime.group)),
        runtime.replica.peers.subscribe(onPeers),
        runtime.deletions.list.subscribe(onDeletions),
      ]
      onGroup(runtime.group)
      onPeers(runtime.replica.peers.peek())
      onDeletions(runtime.deletions.list.peek())
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function knownOf(group: KnownGroup['group'], { devices }: GroupState): KnownGroup {
  return {
    group,
    devices: new Map(devices.map(({ id, role, removal }) => [id, { isAdmin: role === 'admin', isRemoved: removal !== undefined }])),
  }
}

function isSame(a: KnownGroup, b: KnownGroup): boolean {
  return a.devices.size === b.devices.size && JSON.stringify([...a.devices]) === JSON.stringify([...b.devices])
}
