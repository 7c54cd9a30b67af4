/**
 * Members that leave: what they say is heard wherever it comes from, and an admin's device takes them out. The most senior does it at once,
 * the others after a grace each, if it is still to do.
 */
import { createLeaveCarrier, SECOND_MS, type ChunkId, type DeviceId } from '@segue/core'
import type { ChunkStore, Clock, Logger, SealedChunk } from '@segue/core/ports'
import type { Runtime } from '../runtime.ts'

export interface Leaving {
  /** This device says that it leaves. Durable, and on its way, when it resolves. */
  say(): Promise<void>
  onArrived(chunks: readonly SealedChunk[]): void
  /** What came in an earlier run. */
  readStored(): Promise<void>
  close(): void
}

type Components = Parameters<typeof createLeaveCarrier>[0] & Pick<Runtime, 'group' | 'keeper' | 'replica'>

interface Parts extends Components {
  readonly chunkStore: Pick<ChunkStore, 'getMany'>
  readonly clock: Clock
  readonly logger: Logger
  readonly graceMs?: number | undefined
}

export function createLeaving({ group, keeper, replica, chunkStore, clock, logger, graceMs = GRACE_MS, ...registers }: Parts): Leaving {
  const self = registers.identity.id
  const carrier = createLeaveCarrier(registers)
  const going = new Set<DeviceId>()
  /** Where the words of those who belong would lie. */
  const places = new Map<ChunkId, DeviceId>()
  let cancel: (() => void) | undefined
  let isClosed = false

  const placeAll = (): void => {
    const active = group.state.peek().devices.filter(device => device.active)
    if (active.length === places.size && active.every(({ id }) => places.has(carrier.idOf(id)))) return
    places.clear()
    for (const { id } of active) places.set(carrier.idOf(id), id)
  }
  const hear = (chunk: SealedChunk): void => {
    const device = carrier.read(chunk)
    if (device !== undefined) going.add(device)
  }
  const toRemove = (): readonly DeviceId[] => [...going].filter(id => id !== self && group.isActive(id))
  /** -1: this device may not. */
  const rank = (): number => {
    const admins = group.state.peek().devices.filter(({ id, active, role }) => active && role === 'admin' && !going.has(id))
    return admins.findIndex(({ id }) => id === self)
  }
  const remove = (id: DeviceId): void => {
    try {
      const kept = keeper.keep(group.remove(id, { time: clock.now() }))
      kept.catch((error: unknown) => logger.warn('leaving-not-kept', { error: String(error) }))
    } catch (error) {
      logger.info('leaving-not-possible', { error: String(error) })
      going.delete(id) // until it is heard again, in the next run
    }
  }
  const look = (): void => {
    if (isClosed) return
    placeAll()
    const before = rank()
    if (before < 0 || toRemove().length === 0) return
    if (before > 0) {
      cancel ??= clock.after(before * graceMs, () => {
        cancel = undefined
        for (const id of rank() < 0 ? [] : toRemove()) remove(id)
      })
    } else for (const id of toRemove()) remove(id)
  }
  /** Not in the turn in which entries arrive. */
  const lookSoon = (): void => queueMicrotask(look)
  const stop = group.state.subscribe(lookSoon)
  placeAll()

  return {
    async say() {
      await replica.add([carrier.seal(clock.now())])
    },
    onArrived(chunks) {
      const words = chunks.filter(({ id }) => places.has(id))
      for (const chunk of words) hear(chunk)
      if (words.length > 0) lookSoon()
    },
    async readStored() {
      for (const chunk of await chunkStore.getMany([...places.keys()])) hear(chunk)
      lookSoon()
    },
    close() {
      isClosed = true
      stop()
      cancel?.()
    },
  }
}

const GRACE_MS: number = 10 * SECOND_MS
