/**
 * Does what the group says has to be done sometime by somebody: keys for a device that lacks them, a fresh epoch where none is valid. Who
 * is first does it at once; the others after a grace each, by seniority, if it is still to do.
 */
import { SECOND_MS, type DeviceId, type Group } from '@segue/core'
import type { Clock, Logger } from '@segue/core/ports'

export interface Duties {
  close(): void
}

interface Parts {
  readonly self: DeviceId
  readonly group: Pick<Group, 'state' | 'duties' | 'fulfil'>
  readonly clock: Clock
  readonly logger: Logger
  readonly graceMs?: number | undefined
}

/** What is written is stored by whoever follows the group's entries. */
export function createDuties({ self, group, clock, logger, graceMs = GRACE_MS }: Parts): Duties {
  let cancel: (() => void) | undefined
  let isClosed = false
  let isDue = false

  const rank = (): number =>
    group.state
      .peek()
      .devices.filter(device => device.active)
      .findIndex(({ id }) => id === self)
  const fulfil = (all: boolean): void => {
    try {
      group.fulfil({ time: clock.now() }, { all })
    } catch (error) {
      logger.info('duties-not-done', { error: String(error) }) // frozen, or out meanwhile
    }
  }
  const look = (): void => {
    isDue = false
    if (isClosed) return
    const mine = group.duties()
    // Several that rotate at once make several epochs, so that one goes ahead; whoever has to seal rotates by itself.
    const mayBegin = rank() === 0 || mine.every(({ kind }) => kind !== 'rotate')
    if (mayBegin && mine.some(duty => duty.kind === 'rotate' || duty.isFirst)) fulfil(false)
    const isLeft = group.duties().length > 0
    if (!isLeft) {
      cancel?.()
      cancel = undefined
    } else
      cancel ??= clock.after(Math.max(1, rank()) * graceMs, () => {
        cancel = undefined
        if (isClosed) return
        fulfil(true)
        if (group.duties().length > 0) lookSoon()
      })
  }
  /** Not in the turn in which entries arrive. */
  const lookSoon = (): void => {
    if (isDue) return
    isDue = true
    queueMicrotask(look)
  }
  const stop = group.state.subscribe(lookSoon)
  lookSoon()
  return {
    close() {
      isClosed = true
      stop()
      cancel?.()
    },
  }
}

const GRACE_MS: number = 10 * SECOND_MS
