/**
 * What the store found damaged, until it is whole again. Chunks are asked of every device that is met; what was counted over them is counted
 * again, and the rest stays named in the status.
 */
import { createSubject, type ChunkId, type Observable, type Replica } from '@segue/core'
import type { ChunkStore, Clock, Logger } from '@segue/core/ports'
import type { Damage } from '@segue/storage'

export interface DamageWatch {
  /** Each once, in the order it was found. */
  readonly damaged: Observable<readonly Damage[]>
  onDamaged(found: Damage): void
  /** Mend through this replica, and look into its store, from now on. */
  follow(replica: Replica, store: Pick<ChunkStore, 'get'>): void
  close(): void
}

export function createDamageWatch(clock: Clock, logger: Logger): DamageWatch {
  const damaged = createSubject<readonly Damage[]>([])
  let current: Replica | undefined
  let look: Pick<ChunkStore, 'get'> | undefined
  let stops: (() => void)[] = []

  const chunks = (): readonly { readonly id: ChunkId }[] =>
    damaged.peek().flatMap(({ area, key }) => (area === 'chunk' ? [{ id: key as ChunkId }] : []))
  const keep = (isStill: (damage: Damage) => boolean): void => {
    const left = damaged.peek().filter(isStill)
    if (left.length < damaged.peek().length) damaged.set(left)
  }
  const recount = (replica: Replica): void => {
    replica.recount().then(
      () => keep(damage => !isSummary(damage)),
      (error: unknown) => logger.warn('summary-not-recounted', { error: String(error) }),
    )
  }
  /** A reader that began before a chunk was mended reports it after: then it is whole, and nothing would ever arrive for it. */
  const forgetIfWhole = (found: Damage): void => {
    look?.get(found.key as ChunkId).then(
      chunk => (chunk === undefined ? undefined : keep(({ area, key }) => area !== 'chunk' || key !== found.key)),
      (error: unknown) => logger.warn('damage-not-looked-at', { error: String(error) }),
    )
  }
  let cancelRetry: (() => void) | undefined
  /** What was asked for may not have come: it is asked for again, ever more rarely, until it is whole. */
  const retryAfter = (ms: number): void => {
    cancelRetry?.()
    cancelRetry = clock.after(ms, () => {
      cancelRetry = undefined
      if (chunks().length === 0) return
      current?.refetch(chunks())
      for (const { id } of chunks()) forgetIfWhole({ area: 'chunk', key: id })
      retryAfter(Math.min(2 * ms, LONGEST_RETRY_MS))
    })
  }
  const unfollow = (): void => {
    cancelRetry?.()
    for (const stop of stops) stop()
    stops = []
  }

  return {
    damaged,
    onDamaged(found) {
      if (found.area === 'counters') return // the store has counted again
      if (damaged.peek().some(({ area, key }) => area === found.area && key === found.key)) return
      damaged.set([...damaged.peek(), found])
      if (found.area !== 'chunk') return
      current?.refetch([{ id: found.key as ChunkId }])
      forgetIfWhole(found)
      retryAfter(FIRST_RETRY_MS)
    },
    follow(replica, store) {
      look = store
      unfollow()
      current = replica
      let asked = ''
      /** Also while they compare: what is damaged here may be just what keeps both from being in sync. */
      const askWhoeverIsThere = (): void => {
        const wanted = chunks()
        const there = [...replica.peers.peek()].flatMap(([device, { state }]) =>
          state === 'in-sync' || state === 'catching-up' ? [device] : [],
        )
        const now = there.length === 0 || wanted.length === 0 ? '' : [...there, ...wanted.map(({ id }) => id)].join()
        if (now !== asked && now !== '') replica.refetch(wanted)
        asked = now
      }
      const onArrived = (arrived: readonly { readonly id: ChunkId }[]): void => {
        const before = chunks().length
        const ids = new Set<string>(arrived.map(({ id }) => id))
        keep(({ area, key }) => area !== 'chunk' || !ids.has(key))
        if (before > 0 && chunks().length === 0) recount(replica)
      }
      stops = [replica.peers.subscribe(askWhoeverIsThere), replica.subscribe({ onArrived })]
      if (damaged.peek().some(isSummary)) recount(replica)
      askWhoeverIsThere()
      if (chunks().length > 0) retryAfter(FIRST_RETRY_MS)
    },
    close: unfollow,
  }
}

const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000

function isSummary({ area, key }: Damage): boolean {
  return area === 'record' && key.startsWith('summary/')
}
