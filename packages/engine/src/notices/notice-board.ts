/** The notices of this device: kept, counted, bounded, dismissed. What they are about comes from `notice-sources.ts`. */
import { createSubject, SECOND_MS, type DeviceId, type Observable } from '@segue/core'
import type { Clock, Logger, RecordStore } from '@segue/core/ports'
import { excess, happened, noticeId, type Happening, type KeptNotice, type Notice, type NoticeKind } from './notice.ts'
import { loadNotices, saveNotices } from './notice-records.ts'

/** Warnings first, then the latest first. */
export interface Notices extends Observable<readonly Notice[]> {
  /** A person has seen it. Durable when it resolves; of one that is not there: the same as doing nothing. */
  dismiss(id: string): Promise<void>
}

export interface NoticeBoard {
  readonly notices: Notices
  raise(happening: Omit<Happening, 'at'>): void
  /** The state that it is about is over. */
  end(kind: NoticeKind, subject?: DeviceId): void
  isThere(kind: NoticeKind, subject?: DeviceId): boolean
  /** Not what it seemed: it goes. */
  withdraw(kind: NoticeKind, subject?: DeviceId): void
  /** Durable when it resolves. */
  flush(): Promise<void>
  close(): Promise<void>
}

export interface NoticeBoardParts {
  readonly records: RecordStore
  readonly clock: Clock
  readonly logger: Logger
}

export async function createNoticeBoard({ records, clock, logger }: NoticeBoardParts): Promise<NoticeBoard> {
  const kept = await loadNotices(records)
  const shown = createSubject<readonly Notice[]>(toShow(kept))
  /** Changed, and not on disk. */
  const unsaved = new Set<string>()
  let saving: Promise<void> = Promise.resolve()
  let cancelSaving: (() => void) | undefined

  const now = (): number => Math.max(0, Math.trunc(clock.now()))
  const save = (): Promise<void> => {
    cancelSaving?.()
    cancelSaving = undefined
    const changes = new Map([...unsaved].map(id => [id, kept.get(id)]))
    unsaved.clear()
    const mine = saving.then(() => (changes.size === 0 ? undefined : saveNotices(records, changes)))
    saving = mine.catch((error: unknown) => {
      for (const id of changes.keys()) unsaved.add(id) // with the next
      logger.warn('notices-not-kept', { error: String(error) })
    })
    return mine
  }
  const set = (id: string, notice: KeptNotice | undefined): void => {
    if (notice === undefined) kept.delete(id)
    else kept.set(id, notice)
    unsaved.add(id)
    for (const { id: gone } of excess([...kept.values()])) {
      kept.delete(gone)
      unsaved.add(gone)
    }
    shown.set(toShow(kept))
    cancelSaving ??= clock.after(SAVE_EVERY_MS, () => void save().catch(() => undefined)) // logged
  }
  const get = (kind: NoticeKind, subject: DeviceId | undefined): KeptNotice | undefined => kept.get(noticeId(kind, subject))

  return {
    notices: {
      ...shown,
      async dismiss(id) {
        const notice = kept.get(id)
        if (notice === undefined || notice.isDismissed) return
        set(id, { ...notice, isDismissed: true })
        await save()
      },
    },
    raise(happening) {
      const before = get(happening.kind, happening.subject)
      const after = happened(before, { ...happening, at: now() })
      if (after !== before) set(after.id, after)
    },
    end(kind, subject) {
      const notice = get(kind, subject)
      if (notice === undefined || notice.endedAt !== undefined) return
      set(notice.id, notice.isDismissed ? undefined : { ...notice, endedAt: now() })
    },
    isThere: (kind, subject) => get(kind, subject) !== undefined,
    withdraw(kind, subject) {
      const notice = get(kind, subject)
      if (notice !== undefined) set(notice.id, undefined)
    },
    flush: save,
    async close() {
      await save().catch(() => undefined) // logged
    },
  }
}

/** A flood is written no faster than this. */
const SAVE_EVERY_MS: number = SECOND_MS

function toShow(kept: ReadonlyMap<string, KeptNotice>): readonly Notice[] {
  return [...kept.values()]
    .filter(({ isDismissed }) => !isDismissed)
    .sort((a, b) => Number(b.weight === 'warning') - Number(a.weight === 'warning') || b.lastAt - a.lastAt)
    .map(({ isDismissed: _, ...notice }) => notice)
}
