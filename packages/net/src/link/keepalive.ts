/**
 * Whether the peer is alive, at one message per 30 s and link (I7): the two sides hand a token to and fro. Whoever gets it keeps it
 * for KEEPALIVE_MS, then gives it back; whoever gave it away expects it back in that time and a grace. So both sides notice a dead
 * peer within 75 s, without TCP's help, which may take a quarter of an hour.
 */
import type { Clock } from '@segue/core/ports'
import { KEEPALIVE_GRACE_MS, KEEPALIVE_MS } from '../limits.ts'

export interface Keepalive {
  /** The token came. */
  received(): void
  /** Something else came: the peer is alive although its token may be queued behind a large transfer. */
  heard(): void
  stop(): void
}

export function createKeepalive(options: { clock: Clock; holdsToken: boolean; send: () => void; onDead: () => void }): Keepalive {
  const { clock } = options
  let cancel: () => void = () => undefined
  let hasHeard = false
  let isStopped = false

  const hold = (): void => {
    cancel = clock.after(KEEPALIVE_MS, () => {
      options.send()
      hasHeard = false
      expect()
    })
  }
  const expect = (): void => {
    cancel = clock.after(KEEPALIVE_MS + KEEPALIVE_GRACE_MS, () => {
      if (!hasHeard) return options.onDead()
      hasHeard = false
      expect()
    })
  }

  if (options.holdsToken) hold()
  else expect()
  return {
    received() {
      if (isStopped) return
      cancel()
      hold()
    },
    heard() {
      hasHeard = true
    },
    stop() {
      isStopped = true
      cancel()
    },
  }
}
