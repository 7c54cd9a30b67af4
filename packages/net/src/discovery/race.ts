/**
 * Dials one device at all its addresses at once; the first connection wins, the others are given up. libp2p's own dial queue tries one
 * address after the other, so that a stale one costs seconds. TCP goes first: the others start when it failed or after 300 ms, those
 * through a relay when all of these failed or after 1.5 s.
 */
import type { Connection } from '@libp2p/interface'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { SegueError } from '@segue/core/sealed'
import type { DeviceId } from '@segue/core/sealed'
import type { Clock } from '@segue/core/ports'
import { CIRCUIT_AFTER_MS, DIAL_DEADLINE_MS, SECOND_CHOICE_MS } from '../limits.ts'
import { hangUp } from '../link/hang-up.ts'

export type DialOne = (address: Multiaddr, options: { signal: AbortSignal }) => Promise<Connection>

/** Rejects with SegueError UNREACHABLE when no address answers in time, with the signal's reason when it aborts. */
export async function raceAddresses(
  device: DeviceId,
  addresses: readonly string[],
  options: { dial: DialOne; clock: Clock; signal?: AbortSignal | undefined },
): Promise<Connection> {
  const { dial, clock } = options
  options.signal?.throwIfAborted()
  const attempts = new Map<string, AbortController>()
  const over = new AbortController()
  const giveUp = (reason: unknown): void => {
    over.abort(reason)
    for (const attempt of attempts.values()) attempt.abort(reason)
  }
  const cancelDeadline = clock.after(DIAL_DEADLINE_MS, () => giveUp(new SegueError('UNREACHABLE')))
  const onAbort = (): void => giveUp(options.signal?.reason)
  options.signal?.addEventListener('abort', onAbort, { once: true })
  let hasWinner = false

  const attempt = async (address: string): Promise<Connection> => {
    over.signal.throwIfAborted()
    const controller = new AbortController()
    attempts.set(address, controller)
    const connection = await dial(multiaddr(address).encapsulate(`/p2p/${device}`), { signal: controller.signal })
    if (hasWinner || over.signal.aborted) {
      void hangUp(connection, clock)
      throw new Error('another address was faster')
    }
    hasWinner = true
    // Node keeps the signal of a dial bound to its socket: aborting the winner's would destroy the connection.
    attempts.delete(address)
    return connection
  }

  const after = (before: readonly Promise<unknown>[], ms: number, choice: readonly string[]): readonly Promise<Connection>[] => {
    const failed = Promise.allSettled(before)
    return choice.map(async address => {
      await Promise.race([failed, clock.sleep(ms, { signal: over.signal })])
      return attempt(address)
    })
  }
  const through = addresses.filter(address => address.includes('/p2p-circuit'))
  const direct = addresses.filter(address => !through.includes(address))
  const isTcp = (address: string): boolean => /\/tcp\/\d+$/.test(address)
  const first = direct.filter(isTcp).map(attempt)
  const second = after(
    first,
    SECOND_CHOICE_MS,
    direct.filter(address => !isTcp(address)),
  )
  const third = after([...first, ...second], CIRCUIT_AFTER_MS, through)
  try {
    return await Promise.any([...first, ...second, ...third])
  } catch (error) {
    options.signal?.throwIfAborted()
    throw new SegueError('UNREACHABLE', { addresses: addresses.length }, { cause: error })
  } finally {
    cancelDeadline()
    options.signal?.removeEventListener('abort', onAbort)
    giveUp(new Error('the dial is over'))
  }
}
