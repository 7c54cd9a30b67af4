/**
 * What peers say of deletions. To a replica without keys a member says that the group deleted a document, and it is dropped; the other
 * members hear of that, and one that knows of no such deletion takes it back. From then on, for a while, only the latter is believed about
 * that document: two that do not agree move it to and fro once in a while, not all the time. A device believes no peer.
 */
import type { ChunkId, DeviceId, DocTag } from '../lib/ids.ts'
import { HOUR_MS } from '../lib/units.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import { leftMoving, stillMoving, type DroppedSince } from './dropped.ts'
import type { Journal } from './journal-types.ts'
import type { Session } from './session-host.ts'

export const TAKEN_BACK_FOR_MS: number = HOUR_MS

export interface DropWords {
  /** Without keys: `from` says that the group deleted these. */
  onDrop(docTags: readonly DocTag[], from: Session): void
  /** Without keys: `from` knows of no deletion of these. */
  onUndrop(docTags: readonly DocTag[], from: Session): void
  /** `from`, without keys, says that it dropped these, because somebody said so. */
  onDropped(docTags: readonly DocTag[], from: Session): void
  /** The same, of the document of a chunk that it did not take. */
  onRefused(id: ChunkId, peer: DeviceId): Promise<void>
  drop(docTags: readonly DocTag[]): Promise<void>
  undrop(docTags: readonly DocTag[]): Promise<void>
  /** Ends what a run before did not come to the end of. */
  resume(): Promise<void>
  takeBack(peer: DeviceId, docTags: readonly DocTag[]): void
}

export interface DropWordsParts {
  readonly store: Pick<ChunkStore, 'head' | 'getRecord' | 'listRecords'>
  readonly clock: Clock
  readonly journal: Pick<Journal, 'dropDocuments' | 'undropDocuments'>
  readonly dropped: ReadonlyMap<DocTag, DroppedSince>
  readonly sessions: ReadonlySet<Session>
  readonly isKeyless: boolean
  /** They count again. */
  readonly onUndropped: (docTags: readonly DocTag[]) => void
  /** `peer` dropped what was not dropped here. */
  readonly onDropped: (peer: DeviceId, docTags: readonly DocTag[]) => void
}

/** Who took what back is kept in memory: a restart forgets that, not what was dropped. */
export function createDropWords(parts: DropWordsParts): DropWords {
  const { store, clock, journal, dropped, sessions, isKeyless } = parts
  const takenBack = new Map<DocTag, { readonly by: DeviceId; readonly at: number }>()

  const isBelieved = (docTag: DocTag, peer: DeviceId): boolean => {
    const known = takenBack.get(docTag)
    return known === undefined || known.by === peer || clock.monotonic() - known.at >= TAKEN_BACK_FOR_MS
  }
  const remember = (docTag: DocTag, by: DeviceId): void => {
    takenBack.delete(docTag)
    takenBack.set(docTag, { by, at: clock.monotonic() })
    const [oldest] = takenBack.keys()
    if (takenBack.size > MAX_REMEMBERED && oldest !== undefined) takenBack.delete(oldest)
  }
  const dropAll = async (docTags: readonly DocTag[]): Promise<void> => {
    const at = Math.max(0, Math.trunc(clock.now()))
    for (let left = docTags; left.length > 0; left = await stillMoving(store, left, 'drop')) await journal.dropDocuments(left, at)
  }
  const drop = async (docTags: readonly DocTag[], from: Session): Promise<void> => {
    await dropAll(docTags)
    for (const session of sessions) if (session !== from && session.isLive()) session.drop(docTags)
  }
  const undrop = async (docTags: readonly DocTag[]): Promise<void> => {
    for (let left = docTags; left.length > 0; left = await stillMoving(store, left, 'undrop')) await journal.undropDocuments(left)
    parts.onUndropped(docTags)
    for (const session of sessions) session.onChanged()
  }
  const tell = (peer: DeviceId, docTags: readonly DocTag[]): void => {
    const kept = docTags.filter(docTag => !dropped.has(docTag))
    if (!isKeyless && kept.length > 0) parts.onDropped(peer, kept)
  }
  return {
    onDrop(docTags, from) {
      const believed = isKeyless ? docTags.filter(docTag => isBelieved(docTag, from.peer)) : []
      if (believed.length > 0) void drop(believed, from).catch(() => undefined) // CLOSED: it is said again
    },
    onUndrop(docTags, from) {
      const held = isKeyless ? docTags.filter(docTag => dropped.has(docTag)) : []
      for (const docTag of held) remember(docTag, from.peer)
      if (held.length > 0) void undrop(held).catch(() => undefined) // the same
    },
    onDropped: (docTags, { peer }) => tell(peer, docTags),
    async onRefused(id, peer) {
      const head = await store.head(id)
      if (head !== undefined) tell(peer, [head.docTag])
    },
    drop: dropAll,
    undrop,
    async resume() {
      await dropAll(await leftMoving(store, 'drop'))
      const back = await leftMoving(store, 'undrop')
      if (back.length > 0) await undrop(back)
    },
    takeBack(peer, docTags) {
      for (const session of sessions) if (session.peer === peer && session.isLive()) session.undrop(docTags)
    },
  }
}

const MAX_REMEMBERED = 50_000
