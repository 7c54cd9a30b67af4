/** Deleting as apps see it, for good or on this device only: core's deletions, and what relays were told. */
import {
  createCloseables,
  createSubject,
  type Closeable,
  type Deletion,
  type Deletions,
  type DeviceId,
  type Group,
  type LocalDeletionOptions,
  type LocalDeletions,
  type NotHere,
  type Observable,
  type Replica,
} from '@segue/core'
import type { Clock } from '@segue/core/ports'
import type { DiskCleaner } from './disk-cleaner.ts'

export interface SegueDeletion extends Deletion {
  /** Relays of the group. */
  readonly relays: readonly DeletionAtRelay[]
}

export interface DeletionAtRelay {
  readonly relay: DeviceId
  /**
   * gone: at its last meeting it counted as little of it as this device. told: the word is on its way on the present link. waiting: it is
   * told when it is met. A relay keeps what it dropped for 30 days, sealed, and offers it to nobody.
   */
  readonly state: 'gone' | 'told' | 'waiting'
}

export interface SegueDeletions extends Omit<Deletions, 'list' | 'delete' | 'version' | 'isDeleted' | 'settled' | keyof Closeable> {
  /** Newest first. */
  readonly list: Observable<readonly SegueDeletion[]>
  /** As of core. */
  delete(...parameters: Parameters<Deletions['delete']>): Promise<readonly SegueDeletion[]>
  /** What is not kept on this device while others keep it, newest first. */
  readonly notHere: Observable<readonly NotHere[]>
  /** What `deleteHere` would take away. */
  readonly planHere: LocalDeletions['plan']
  /**
   * On this device only, until it is brought back. Rejects with DELETION_LARGE unless `confirmed`, and with KEPT_NOWHERE_ELSE unless another
   * device or relay that is linked now has all of it and says that it keeps it; `force` does it all the same. Then nothing was deleted.
   */
  deleteHere(targets: Parameters<LocalDeletions['delete']>[0], options?: LocalDeletionOptions): Promise<readonly NotHere[]>
  /**
   * Kept here again: resolves when all that was here before is here. What is on its way goes on coming when the signal aborts, and in later
   * runs. A handoff to this device does the same when it is accepted.
   */
  readonly bringBack: LocalDeletions['bringBack']
  /**
   * Resolves when nothing that was deleted before the call is in any file of this device. It happens by itself a little later; asking for
   * it rewrites the database's files now.
   */
  erased(): Promise<void>
}

interface Parts {
  readonly deletions: Deletions
  readonly local: LocalDeletions
  readonly disk: Pick<DiskCleaner, 'clean'>
  readonly group: Pick<Group, 'state'>
  readonly replica: Pick<Replica, 'peers'>
  readonly clock: Clock
}

export function createDeletionFace({ deletions, local, disk, group, replica, clock }: Parts): SegueDeletions & Closeable {
  const opened = createCloseables()
  /** When each was followed in this run; those from before it stand for all meetings of this run. */
  const goneAt = new Map<string, number>()
  const note = (at: number): void => {
    for (const { id, state } of deletions.list.peek()) if (state === 'gone' && !goneAt.has(id)) goneAt.set(id, at)
  }
  const atRelay = (id: string, relay: DeviceId): DeletionAtRelay['state'] => {
    const peer = replica.peers.peek().get(relay)
    if (peer?.linkedAt === undefined || !goneAt.has(id)) return 'waiting'
    return peer.state === 'in-sync' && peer.linkedAt > (goneAt.get(id) ?? 0) ? 'gone' : 'told'
  }
  const look = (): readonly SegueDeletion[] => {
    const relays = group.state.peek().relays.filter(relay => !relay.retired)
    return deletions.list.peek().map(each => ({ ...each, relays: relays.map(({ id }) => ({ relay: id, state: atRelay(each.id, id) })) }))
  }
  note(Number.NEGATIVE_INFINITY)
  const list = createSubject(look())
  const update = (): void => {
    note(clock.monotonic())
    const now = look()
    if (JSON.stringify(now) !== JSON.stringify(list.peek())) list.set(now)
  }
  for (const source of [deletions.list, replica.peers, group.state] as const) opened.add(source.subscribe(update))
  return {
    list,
    edits: deletions.edits,
    plan: deletions.plan,
    async delete(targets, options) {
      const ids = new Set((await deletions.delete(targets, options)).map(({ id }) => id))
      return list.peek().filter(({ id }) => ids.has(id))
    },
    notHere: local.list,
    planHere: local.plan,
    deleteHere: local.delete,
    bringBack: local.bringBack,
    goOn: deletions.goOn,
    keep: deletions.keep,
    keepEdits: deletions.keepEdits,
    discardEdits: deletions.discardEdits,
    async erased() {
      await deletions.settled()
      await local.settled()
      await disk.clean()
    },
    close: opened.close,
    [Symbol.asyncDispose]: opened.close,
  }
}
