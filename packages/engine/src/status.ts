/** One look at everything: what a status line or `segue status` shows. */
import { createSubject, type Observable } from '@segue/core'
import type { Clock, SlotKind } from '@segue/core/ports'
import type { NetNode } from '@segue/net'
import type { Damage } from '@segue/storage'
import { BACKUP_FRESH_MS, isOnlyHere } from './backup/only-here.ts'
import type { RelayStatus } from './relays.ts'
import type { OwnRemoval } from './removal/own-removal.ts'
import { adviceOn } from './roles.ts'
import type { Notice } from './notices/notice.ts'
import type { Runtime } from './runtime.ts'
import type { DeviceStatus, SegueStatus } from './segue.ts'

export interface StatusWatch {
  readonly status: Observable<SegueStatus>
  follow(runtime: Runtime): void
  close(): void
}

interface Parts {
  readonly node: NetNode
  readonly keys: Observable<readonly SlotKind[]>
  readonly damaged: Observable<readonly Damage[]>
  readonly devices: Observable<readonly DeviceStatus[]>
  readonly relays: Observable<readonly RelayStatus[]>
  readonly lastBackupAt: Observable<number | undefined>
  readonly notices: Observable<readonly Notice[]>
  readonly removed: Observable<OwnRemoval | undefined>
  readonly erasedAt: Observable<number | undefined>
  readonly clock: Clock
}

export function createStatus({
  node,
  keys,
  damaged,
  devices,
  relays,
  lastBackupAt,
  removed,
  erasedAt,
  notices,
  clock,
}: Parts): StatusWatch {
  let current: Runtime | undefined
  let stops: (() => void)[] = []
  const look = (): SegueStatus => {
    const durability = current?.replica.durability.peek()
    const others = devices.peek().filter(device => !device.isThisDevice)
    const sessions = current?.index.sessions.peek().length ?? 0
    const lastAt = lastBackupAt.peek()
    const places = { devices: devices.peek(), relays: relays.peek(), lastBackupAt: lastAt, now: clock.now() }
    return {
      isOpen: current !== undefined,
      storage: { state: durability?.state ?? 'good', pending: durability?.pending ?? 0, damaged: damaged.peek().length },
      keys: keys.peek(),
      addresses: node.addresses.peek(),
      devices: {
        total: others.length,
        linked: others.filter(device => device.state === 'linked').length,
        paths: pathsOf(others),
      },
      relays: {
        total: relays.peek().length,
        linked: relays.peek().filter(relay => relay.state === 'linked').length,
        behind: relays.peek().filter(relay => relay.behind !== undefined).length,
        lost: relays.peek().filter(relay => relay.problem === 'RELAY_KEY_LOST').length,
        revoked: relays.peek().filter(relay => relay.problem === 'RELAY_REVOKED').length,
        full: relays.peek().filter(relay => relay.problem === 'RELAY_QUOTA').length,
      },
      sessions,
      notHere: current?.local.list.peek().length ?? 0,
      backup: { isOnlyHere: sessions > 0 && isOnlyHere(places), lastAt },
      advice: current === undefined ? [] : adviceOn(current.group.state.peek()),
      removed: removed.peek(),
      erasedAt: erasedAt.peek(),
      notices: { total: notices.peek().length, warnings: notices.peek().filter(({ weight }) => weight === 'warning').length },
      needsUpdate: current?.group.state.peek().needsUpdate ?? false,
    }
  }
  const subject = createSubject(look())
  const update = (): void => {
    const now = look()
    if (JSON.stringify(now) !== JSON.stringify(subject.peek())) subject.set(now)
  }
  let cancelStale = (): void => undefined
  /** A backup grows old while nothing else changes. */
  const onBackup = (): void => {
    update()
    cancelStale()
    const at = lastBackupAt.peek()
    if (at !== undefined) cancelStale = clock.after(Math.max(0, at + BACKUP_FRESH_MS - clock.now()), update)
  }
  const always = [
    node.addresses.subscribe(update),
    damaged.subscribe(update),
    devices.subscribe(update),
    relays.subscribe(update),
    notices.subscribe(update),
    lastBackupAt.subscribe(onBackup),
    removed.subscribe(update),
    erasedAt.subscribe(update),
    () => cancelStale(),
  ]
  onBackup()
  const unfollow = (): void => {
    for (const stop of stops) stop()
    stops = []
  }
  return {
    status: subject,
    follow(runtime) {
      unfollow()
      current = runtime
      stops = [
        keys.subscribe(update),
        runtime.replica.durability.subscribe(update),
        runtime.index.sessions.subscribe(update),
        runtime.local.list.subscribe(update),
        runtime.group.state.subscribe(update),
      ]
      update()
    },
    close() {
      unfollow()
      for (const stop of always) stop()
    },
  }
}

function pathsOf(others: readonly DeviceStatus[]): SegueStatus['devices']['paths'] {
  const paths = { lan: 0, direct: 0, relayed: 0, mailbox: 0 }
  for (const { path } of others) if (path !== undefined) paths[path]++
  return paths
}
