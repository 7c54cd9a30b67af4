/**
 * Letting go of documents here that others keep, so that nobody is the last to let go: whoever is asked (`leave`) answers with those it
 * holds, only while it is in sync with the asker and does not itself let go of them. Of two that ask each other at once, neither does.
 *
 * That is enough: say L is the last to let go of a document. The one that answered L held it then and was not letting go; so it asked
 * later, and was answered by a third, not by L, which was letting go all the while. And so on without end, among so many devices.
 */
import { SegueError } from '../lib/errors.ts'
import type { ChunkId, DocTag } from '../lib/ids.ts'
import { SECOND_MS } from '../lib/units.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import { MAX_EXCEPT_TAGS } from '../wire/hello.ts'
import { MAX_LEAVE_TAGS } from '../wire/sync-messages.ts'
import type { Journal } from './journal-types.ts'
import type { Arriving } from './arriving.ts'
import type { Session } from './session-host.ts'
import { slicesOf } from './sync-records.ts'

export interface Leaving {
  /** Gives those of which nobody that is linked said that it keeps them; when there are any, nothing was let go. */
  leave(docTags: readonly DocTag[], isForced: boolean): Promise<readonly DocTag[]>
  /** Which of these this replica keeps: it holds them and does not let go of them. */
  keeps(docTags: readonly DocTag[]): Promise<readonly DocTag[]>
  onKept(number: number, docTags: readonly DocTag[], session: Session): void
  onClosed(session: Session): void
}

export interface LeavingParts {
  readonly store: ChunkStore
  readonly clock: Clock
  readonly journal: Journal
  readonly sessions: ReadonlySet<Session>
  readonly arriving: ReadonlyMap<ChunkId, Arriving>
  readonly isRefused: (docTag: DocTag) => boolean
  readonly leftOut: ReadonlySet<DocTag>
  /** Let go by itself, as a relay may: it keeps nothing for anybody. */
  readonly keepsNothing: boolean
}

export function createLeaving(parts: LeavingParts): Leaving {
  const { store, clock, journal, sessions, arriving } = parts
  /** Being let go, each by so many calls. */
  const going = new Map<DocTag, number>()
  const asked = new Map<number, Asked>()
  let lastNumber = 0

  const ask = (session: Session, docTags: readonly DocTag[]): Promise<readonly DocTag[]> =>
    new Promise(resolve => {
      const number = ++lastNumber
      const end = (kept: readonly DocTag[]): void => {
        if (asked.delete(number)) resolve(kept)
        cancel()
      }
      const cancel = clock.after(PATIENCE_MS, () => end([]))
      asked.set(number, { session, docTags, end })
      session.sendLeave(number, docTags)
    })
  const isMadeHere = ({ chunk, from }: Arriving, docTags: ReadonlySet<DocTag>): boolean => from === undefined && docTags.has(chunk.docTag)
  /** By whom it would be kept: asked, and at the end still in sync and with all that is here. */
  const keptBy = async (docTags: readonly DocTag[]): Promise<() => ReadonlySet<DocTag>> => {
    const answers: { readonly session: Session; readonly kept: readonly DocTag[] }[] = []
    const askAll = [...sessions].map(async session => {
      for (const slice of slicesOf(docTags.filter(session.mayKeep), MAX_LEAVE_TAGS))
        answers.push({ session, kept: await ask(session, slice) })
    })
    await Promise.all(askAll)
    return () => new Set(answers.flatMap(({ session, kept }) => kept.filter(session.mayKeep)))
  }
  const hasAny = async (docTag: DocTag): Promise<boolean> => {
    for await (const { isEmptied } of store.document(docTag)) if (isEmptied !== true) return true
    return false
  }

  return {
    async leave(docTags, isForced) {
      if (parts.leftOut.size + docTags.length > MAX_EXCEPT_TAGS) throw new SegueError('NOT_HERE_LIMIT', { max: MAX_EXCEPT_TAGS })
      for (const docTag of docTags) going.set(docTag, (going.get(docTag) ?? 0) + 1)
      try {
        await journal.flush()
        const held: DocTag[] = []
        for (const docTag of isForced ? [] : docTags) if (await hasAny(docTag)) held.push(docTag)
        const kept = held.length === 0 ? undefined : await keptBy(held)
        if (kept !== undefined) {
          await journal.flush()
          // From here to the batch nothing else runs: what was made here meanwhile is confirmed, or nothing goes.
          const wanted = new Set(held)
          const isPending = [...arriving.values()].some(entry => isMadeHere(entry, wanted))
          const safe = kept()
          const alone = isPending ? held : held.filter(docTag => !safe.has(docTag))
          if (alone.length > 0) return alone
        }
        await journal.leaveOut(docTags, true)
        return []
      } finally {
        for (const docTag of docTags) {
          const left = (going.get(docTag) ?? 1) - 1
          if (left > 0) going.set(docTag, left)
          else going.delete(docTag)
        }
      }
    },
    async keeps(docTags) {
      if (parts.keepsNothing) return []
      const held: DocTag[] = []
      for (const docTag of docTags) if (await hasAny(docTag)) held.push(docTag)
      return held.filter(docTag => !going.has(docTag) && !parts.isRefused(docTag))
    },
    onKept(number, docTags, session) {
      const present = asked.get(number)
      if (present?.session === session) present.end(docTags.filter(docTag => present.docTags.includes(docTag)))
    },
    onClosed(session) {
      for (const each of [...asked.values()]) if (each.session === session) each.end([])
    },
  }
}

interface Asked {
  readonly session: Session
  readonly docTags: readonly DocTag[]
  readonly end: (kept: readonly DocTag[]) => void
}

/** Whoever has not answered by then keeps nothing. */
const PATIENCE_MS: number = 5 * SECOND_MS
