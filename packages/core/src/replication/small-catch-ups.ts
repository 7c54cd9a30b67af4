/**
 * What may be asked for over a link that goes through a relay. Two devices linked so share that relay's mailbox, and what is large comes
 * from there: a circuit is for what cannot wait. So a small catch-up is asked for at once, and more only at a trickle, for the days on
 * which the mailbox has no room. A chunk larger than all of that is left to the mailbox for a minute.
 */
import type { Clock } from '../ports/clock.ts'
import type { DeviceLink } from '../ports/device-link.ts'
import { KIB, MIB, MINUTE_MS, SECOND_MS } from '../lib/units.ts'

export const SMALL_CATCH_UP_BYTES: number = MIB
export const TRICKLE_BYTES_PER_SECOND: number = 32 * KIB
export const LEFT_TO_MAILBOX_MS: number = MINUTE_MS

/**
 * Whether so many more bytes may be asked for on `link` now; then they count. If not, `onRoom` is called when it is worth asking again.
 * Infinity: how many is not known; through a relay that never may.
 */
export function boundFor(link: Pick<DeviceLink, 'path' | 'closed'>, clock: Clock, onRoom: () => void): (bytes: number) => boolean {
  if (link.path !== 'relayed') return () => true
  const began = clock.monotonic()
  let room = SMALL_CATCH_UP_BYTES
  let at = began
  let cancel: (() => void) | undefined
  link.closed.addEventListener('abort', () => cancel?.(), { once: true })

  const msUntil = (bytes: number): number => {
    const now = clock.monotonic()
    room = Math.min(SMALL_CATCH_UP_BYTES, room + ((now - at) * TRICKLE_BYTES_PER_SECOND) / SECOND_MS)
    at = now
    const wanted = Math.min(bytes, SMALL_CATCH_UP_BYTES)
    const filling = Math.ceil((Math.max(0, wanted - room) * SECOND_MS) / TRICKLE_BYTES_PER_SECOND)
    return bytes > SMALL_CATCH_UP_BYTES ? Math.max(filling, began + LEFT_TO_MAILBOX_MS - now) : filling
  }

  return bytes => {
    if (bytes === Infinity) return false
    const ms = msUntil(bytes)
    if (ms <= 0) {
      room -= bytes
      return true
    }
    cancel ??= clock.after(ms, () => {
      cancel = undefined
      if (!link.closed.aborted) onRoom()
    })
    return false
  }
}
