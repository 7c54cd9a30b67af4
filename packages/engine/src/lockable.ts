/**
 * A device that can be locked: Segue is closed and its keys leave memory, until somebody unlocks it. While locked it neither
 * synchronises nor answers. JavaScript promises nothing about copies of what was in memory: the keys at the root of everything are
 * overwritten, and a process that wants to be sure of the rest ends after `lock`, as the daemon of `segue` does.
 */
import { createSubject, SegueError, type Closeable, type Observable } from '@segue/core'
import type { Clock, SlotKind } from '@segue/core/ports'
import { readSlots, type Unlock } from '@segue/storage'
import { openSegueOn, type OpenSegueOptions } from './open-segue.ts'
import { silentLogger } from './platform/loggers.ts'
import { createSystemClock } from './platform/system-clock.ts'
import type { Segue } from './segue.ts'

export interface LockableOptions extends OpenSegueOptions {
  /** Locks by itself when nobody held it for so long. Default: never. */
  readonly autoLockAfterMs?: number | undefined
  /** Opens nothing yet. Default false. */
  readonly startLocked?: boolean
}

export type LockState =
  | { readonly kind: 'open'; readonly segue: Segue }
  /** `at`: milliseconds since 1970 on this device. */
  | { readonly kind: 'locked'; readonly by: 'person' | 'idle' | 'start'; readonly at: number }
  | { readonly kind: 'locking' }
  | { readonly kind: 'unlocking' }

export interface LockableSegue extends Closeable {
  /** The `segue` of an open one is closed by locking; a later one is another object. */
  readonly state: Observable<LockState>
  /**
   * Resolves when everything acknowledged is on disk and the keys are gone. Rejects with STORE_FAILED, and stays open, while the disk takes
   * nothing: what is typed would be lost.
   */
  lock(): Promise<void>
  /** Rejects as `openSegue` does, and stays locked. Of one that is open: the same as doing nothing. */
  unlock(unlock?: Unlock | readonly Unlock[]): Promise<Segue>
  /** Somebody is at work: it does not lock by itself until released; then the idle time starts anew. Releasing is idempotent. */
  hold(): () => void
  /** Undefined: never. The idle time starts anew. */
  autoLockAfter(ms: number | undefined): void
  /** How the keys are kept, locked or not. */
  slots(): Promise<readonly SlotKind[]>
}

/** Rejects as `openSegue` does. */
export function openLockable(options: LockableOptions): Promise<LockableSegue> {
  return openLockableOn(createSystemClock(), options)
}

/** The same by another clock. */
export async function openLockableOn(
  clock: Clock,
  { autoLockAfterMs, startLocked = false, ...options }: LockableOptions,
  open: (options: OpenSegueOptions) => Promise<Segue> = opened => openSegueOn(clock, opened),
): Promise<LockableSegue> {
  const { directory, unlock: firstUnlock, logger = silentLogger, ...others } = options
  const openWith = (unlock: Unlock | readonly Unlock[] | undefined): Promise<Segue> =>
    open({ ...others, directory, logger, ...(unlock === undefined ? {} : { unlock }) })

  const initial: LockState = startLocked
    ? { kind: 'locked', by: 'start', at: clock.now() }
    : { kind: 'open', segue: await openWith(firstUnlock) }
  const state = createSubject<LockState>(initial)
  let idleMs = autoLockAfterMs
  let holders = 0
  let usedAt = { monotonic: clock.monotonic(), now: clock.now() }
  let cancelLook: (() => void) | undefined
  let last: Promise<unknown> = Promise.resolve()
  let closing: Promise<void> | undefined

  /** One after the other: locking waits for an unlocking under way, and the other way round. */
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const done = last.then(() => {
      if (closing !== undefined) throw new SegueError('CLOSED')
      return task()
    })
    last = done.catch(() => undefined)
    return done
  }
  const lockNow = async (by: 'person' | 'idle'): Promise<void> => {
    const before = state.peek()
    if (before.kind !== 'open') return
    if (by === 'idle' && !isIdle()) return
    const { segue } = before
    if (segue.status.peek().storage.state === 'failing') throw new SegueError('STORE_FAILED')
    state.set({ kind: 'locking' })
    await segue.flush().catch((error: unknown) => logger.warn('flush-before-lock-failed', { error: String(error) }))
    await segue.close().catch((error: unknown) => logger.error('close-to-lock-failed', { error: String(error) }))
    state.set({ kind: 'locked', by, at: clock.now() })
  }

  /** By the time of day as well: a machine that slept was idle, though its monotonic clock may have stood still. */
  const idleFor = (): number => Math.max(clock.monotonic() - usedAt.monotonic, clock.now() - usedAt.now)
  const isIdle = (): boolean => holders === 0 && idleMs !== undefined && idleFor() >= idleMs
  const use = (): void => {
    usedAt = { monotonic: clock.monotonic(), now: clock.now() }
  }
  const look = (): void => {
    cancelLook?.()
    cancelLook = undefined
    if (idleMs === undefined || closing !== undefined || state.peek().kind !== 'open') return
    const leftMs = holders > 0 ? idleMs : idleMs - idleFor()
    if (leftMs <= 0) inTurn(() => lockNow('idle')).catch((error: unknown) => logger.warn('auto-lock-failed', { error: String(error) }))
    cancelLook = clock.after(leftMs <= 0 ? LOOK_MS : Math.min(LOOK_MS, leftMs), look)
  }
  state.subscribe(look)
  look()

  const close = (): Promise<void> =>
    (closing ??= (async () => {
      cancelLook?.()
      await last
      const now = state.peek()
      if (now.kind === 'open') await now.segue.close()
    })())

  return {
    state,
    lock: () => inTurn(() => lockNow('person')),
    unlock: unlock =>
      inTurn(async () => {
        const before = state.peek()
        if (before.kind === 'open') return before.segue
        state.set({ kind: 'unlocking' })
        try {
          const segue = await openWith(unlock)
          use()
          state.set({ kind: 'open', segue })
          return segue
        } catch (error) {
          state.set(before)
          throw error
        }
      }),
    hold() {
      holders++
      use()
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        holders--
        use()
      }
    },
    autoLockAfter(ms) {
      idleMs = ms
      use()
      look()
    },
    async slots() {
      const now = state.peek()
      return now.kind === 'open' ? now.segue.keys.slots.peek() : ((await readSlots(directory)) ?? [])
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** How often it is looked whether the time of day jumped, or what failed works now. */
const LOOK_MS = 15_000
