/** Ends a connection: politely while the peer answers, by force after the grace. Never rejects, for there is nothing left to do. */
import type { Connection } from '@libp2p/interface'
import type { Clock } from '@segue/core/ports'
import { CLOSE_GRACE_MS } from '../limits.ts'

export async function hangUp(connection: Connection, clock: Clock): Promise<void> {
  const reason = new Error('hung up')
  // Streams first: closing a connection waits for what they have not sent, and a WebSocket can be closed but not aborted.
  for (const stream of [...connection.streams]) stream.abort(reason)
  const deadline = new AbortController()
  const cancel = clock.after(CLOSE_GRACE_MS, () => deadline.abort(reason))
  try {
    await connection.close({ signal: deadline.signal })
  } catch {
    connection.abort(reason) // the peer did not answer in time
  } finally {
    cancel()
  }
}

/** Resolves when `connection` is gone, or after `ms`. */
export function whenGone(connection: Connection, clock: Clock, ms: number): Promise<void> {
  return new Promise(resolve => {
    if (connection.status !== 'open') return resolve()
    const cancel = clock.after(ms, resolve)
    connection.addEventListener(
      'close',
      () => {
        cancel()
        resolve()
      },
      { once: true },
    )
  })
}
