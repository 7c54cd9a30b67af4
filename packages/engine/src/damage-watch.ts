/** What the store found damaged, until it is whole again: chunks are asked of every device that is met, the rest is named in the status. */
import { createSubject, type ChunkId, type Observable, type Replica } from '@segue/core'
import type { Damage } from '@segue/storage'

export interface DamageWatch {
  /** Each once, in the order it was found. */
  readonly damaged: Observable<readonly Damage[]>
  onDamaged(found: Damage): void
  /** Mend through this replica from now on. */
  follow(replica: Replica): void
  close(): void
}

export function createDamageWatch(): DamageWatch {
  const damaged = createSubject<readonly Damage[]>([])
  let current: Replica | undefined
  let stops: (() => void)[] = []

  const chunks = (): readonly { readonly id: ChunkId }[] =>
    damaged.peek().flatMap(({ area, key }) => (area === 'chunk' ? [{ id: key as ChunkId }] : []))
  const unfollow = (): void => {
    for (const stop of stops) stop()
    stops = []
  }

  return {
    damaged,
    onDamaged(found) {
      if (damaged.peek().some(({ area, key }) => area === found.area && key === found.key)) return
      damaged.set([...damaged.peek(), found])
      if (found.area === 'chunk') current?.refetch([{ id: found.key as ChunkId }])
    },
    follow(replica) {
      unfollow()
      current = replica
      let asked = ''
      const askWhoeverIsThere = (): void => {
        const there = [...replica.peers.peek()].flatMap(([device, { state }]) => (state === 'in-sync' ? [device] : [])).join()
        if (there !== asked && there !== '') replica.refetch(chunks())
        asked = there
      }
      const stopListening = replica.subscribe({
        onArrived(arrived) {
          const ids = new Set<string>(arrived.map(({ id }) => id))
          const left = damaged.peek().filter(({ area, key }) => area !== 'chunk' || !ids.has(key))
          if (left.length < damaged.peek().length) damaged.set(left)
        },
      })
      stops = [replica.peers.subscribe(askWhoeverIsThere), stopListening]
      askWhoeverIsThere()
    },
    close: unfollow,
  }
}
