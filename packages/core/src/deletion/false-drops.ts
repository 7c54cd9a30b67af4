/**
 * Relays drop what any member tells them was deleted, and say what they dropped. A document that no deletion names was not: the relay is
 * told to keep it. Not at once, for a deletion may be on its way here from that very relay; and as long as something of it is, later.
 */
import type { DeviceId, DocTag } from '../lib/ids.ts'
import { MINUTE_MS } from '../lib/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Replica } from '../replication/index.ts'

export const DISBELIEVED_AFTER_MS: number = MINUTE_MS

export interface FalseDropsParts {
  readonly replica: Pick<Replica, 'subscribe' | 'peers' | 'takeBackDrop'>
  readonly clock: Pick<Clock, 'after'>
  readonly logger: Logger
  /** By a deletion that was heard of, whatever became of it. */
  readonly isNamed: (docTag: DocTag) => boolean
}

/** Returns the function that ends it. */
export function watchFalseDrops({ replica, clock, logger, isNamed }: FalseDropsParts): () => void {
  const told = new Map<DeviceId, Told>()

  const look = (relay: DeviceId): void => {
    const peer = replica.peers.peek().get(relay)
    const entry = told.get(relay)
    if (entry === undefined) return
    if (peer !== undefined && peer.state !== 'away' && peer.behind > 0) return wait(relay, entry)
    told.delete(relay)
    const kept = [...entry.docTags].filter(docTag => !isNamed(docTag))
    if (kept.length === 0 || peer === undefined || peer.state === 'away') return // it says so again when it comes
    logger.warn('relay-dropped-what-is-kept', { peer: relay, documents: kept.length })
    replica.takeBackDrop(relay, kept)
  }
  const wait = (relay: DeviceId, entry: Told): void => {
    entry.cancel = clock.after(DISBELIEVED_AFTER_MS, () => look(relay))
  }
  const stop = replica.subscribe({
    onArrived: () => undefined,
    onDropped(relay, docTags) {
      const unnamed = docTags.filter(docTag => !isNamed(docTag))
      if (unnamed.length === 0) return
      const entry = told.get(relay) ?? { docTags: new Set<DocTag>(), cancel: () => undefined }
      for (const docTag of unnamed) if (entry.docTags.size < MAX_TOLD) entry.docTags.add(docTag)
      if (told.has(relay)) return
      told.set(relay, entry)
      wait(relay, entry)
    },
  })
  return () => {
    stop()
    for (const { cancel } of told.values()) cancel()
    told.clear()
  }
}

/** Beyond these it is told again. */
const MAX_TOLD = 50_000

interface Told {
  readonly docTags: Set<DocTag>
  cancel: () => void
}
