/**
 * What an account may still bring, asked before a chunk goes to the journal: the engine keeps the quota too, but a write that it refuses
 * would hold up the writes behind it. So what is on its way to disk counts already here, and a chunk too many is rejected by name, which
 * its sender hears. Who brings too fast is not refused but waits, and its link with it.
 */
import { MINUTE_MS } from '@segue/core/sealed'
import type { ChunkId, DeviceId } from '@segue/core/sealed'
import type { ChunkStore, Clock, SealedChunk } from '@segue/core/ports'
import type { Account, MailboxEngine, Usage } from '../engine/mailbox-engine.ts'

export interface Admission {
  /** Resolves, perhaps after a wait, with whether there is room; then it counts as on its way. */
  admit(account: DeviceId, chunk: SealedChunk, store: Pick<ChunkStore, 'head'>): Promise<boolean>
  /** These were written, or will not be. */
  settle(account: DeviceId, ids: readonly ChunkId[]): void
  /** Its quotas changed. */
  forget(account: DeviceId): void
}

export interface AdmissionOptions {
  readonly engine: Pick<MailboxEngine, 'account' | 'usage'>
  readonly clock: Clock
  /** Ends the waits. */
  readonly signal: AbortSignal
  /** Milliseconds that somebody has to wait. */
  readonly onSlowed?: (ms: number) => void
}

export function createAdmission({ engine, clock, signal, onSlowed }: AdmissionOptions): Admission {
  const states = new Map<DeviceId, Promise<State | undefined>>()

  const load = async (id: DeviceId): Promise<State | undefined> => {
    const account = await engine.account(id)
    if (account === undefined || account.revokedAt !== undefined) return undefined
    const { bytesPerMinute } = account.quotas
    return { account, usage: undefined, onTheWay: new Map(), waiting: 0, tokens: bytesPerMinute, refilledAt: clock.monotonic() }
  }
  const stateOf = (id: DeviceId): Promise<State | undefined> => {
    const known = states.get(id) ?? load(id)
    states.set(id, known)
    known.catch(() => states.delete(id)) // the next one asks again
    return known
  }
  const usageOf = (state: State): Promise<Usage> => {
    if (state.usage !== undefined) return state.usage
    const usage = engine.usage(state.account.id)
    state.usage = usage
    usage.catch(() => {
      if (state.usage === usage) state.usage = undefined // the next one asks again
    })
    return usage
  }
  const wait = async (state: State, bytes: number): Promise<void> => {
    const rate = state.account.quotas.bytesPerMinute / MINUTE_MS
    const now = clock.monotonic()
    state.tokens = Math.min(state.account.quotas.bytesPerMinute, state.tokens + (now - state.refilledAt) * rate) - bytes
    state.refilledAt = now
    if (state.tokens >= 0) return
    const ms = Math.min(-state.tokens / Math.max(rate, 1e-6), LONGEST_WAIT_MS)
    onSlowed?.(ms)
    await clock.sleep(ms, { signal })
  }
  const leave = (state: State, id: ChunkId): void => {
    state.waiting -= state.onTheWay.get(id)?.bytes ?? 0
    state.onTheWay.delete(id)
  }
  const fits = ({ account, onTheWay, waiting }: State, usage: Usage, bytes: number): boolean =>
    usage.bytes + waiting + bytes <= account.quotas.bytes && usage.chunks + onTheWay.size + 1 <= account.quotas.chunks

  /** Looks and counts in one turn: chunks of one frame are asked about together. */
  const takeRoom = (state: State, usage: Usage, id: ChunkId, bytes: number): boolean => {
    const now = clock.monotonic()
    leave(state, id)
    if (!fits(state, usage, bytes)) {
      for (const [other, each] of state.onTheWay) if (each.since < now - LONGEST_ON_THE_WAY_MS) leave(state, other)
      if (!fits(state, usage, bytes)) return false
    }
    state.onTheWay.set(id, { bytes, since: now })
    state.waiting += bytes
    return true
  }

  return {
    async admit(account, chunk, store) {
      const state = await stateOf(account)
      if (state === undefined) return false
      const bytes = chunk.bytes.length
      await wait(state, bytes)
      const present = await store.head(chunk.id)
      const more = present === undefined ? bytes : chunk.class === 'register' ? bytes - present.byteLength : 0
      if (present !== undefined && more <= 0) return true
      return takeRoom(state, await usageOf(state), chunk.id, more)
    },
    settle(account, ids) {
      const settled = (state: State | undefined): void => {
        if (state === undefined) return
        for (const id of ids) leave(state, id)
        state.usage = undefined
      }
      states.get(account)?.then(settled, () => undefined) // what could not be read counted nothing
    },
    forget: account => void states.delete(account),
  }
}

interface State {
  readonly account: Account
  /** Read again after every write. */
  usage: Promise<Usage> | undefined
  readonly onTheWay: Map<ChunkId, { readonly bytes: number; readonly since: number }>
  /** The bytes of those on the way. */
  waiting: number
  tokens: number
  refilledAt: number
}

/** What was admitted and then turned out to be superfluous is never written, nor told about. */
const LONGEST_ON_THE_WAY_MS: number = MINUTE_MS
const LONGEST_WAIT_MS: number = MINUTE_MS
