/**
 * After a deletion the sealed bytes are still in the database's files, until it rewrites them: that is asked for once things are quiet,
 * and in a later run where this one ended before.
 */
import { createCloseables, SECOND_MS, type Closeable } from '@segue/core'
import type { Clock, Logger, RecordStore } from '@segue/core/ports'

export interface DiskCleaner extends Closeable {
  /** Something was dropped. Durable when it resolves: the files are rewritten, sooner or later. */
  due(): Promise<void>
  /** Now. Resolves when nothing dropped before the call is in any file. Rejects when the disk does not let it. */
  clean(): Promise<void>
}

interface Parts {
  readonly records: RecordStore
  readonly clock: Clock
  readonly logger: Logger
  readonly compact: () => Promise<void>
}

export function createDiskCleaner({ records, clock, logger, compact }: Parts): DiskCleaner {
  const opened = createCloseables()
  let cancel = (): void => undefined
  let work: Promise<void> = Promise.resolve()

  const cleanNow = async (): Promise<void> => {
    cancel()
    if ((await records.get(DUE_KEY)) === undefined) return
    await records.write(new Map([[DUE_KEY, undefined]])) // what is dropped meanwhile is due again
    try {
      await compact()
    } catch (error) {
      await records.write(new Map([[DUE_KEY, DUE]]))
      throw error
    }
  }
  const clean = (): Promise<void> => {
    const done = work.then(cleanNow)
    work = done.catch((error: unknown) => logger.warn('disk-not-cleaned', { error: String(error) })) // due in the next run
    return done
  }
  const soon = (): void => {
    cancel()
    cancel = clock.after(QUIET_MS, () => void clean().catch(() => undefined)) // logged there
  }
  opened.add(async () => {
    cancel()
    await work
  })
  soon()
  return {
    async due() {
      await records.write(new Map([[DUE_KEY, DUE]]))
      soon()
    },
    clean,
    close: opened.close,
    [Symbol.asyncDispose]: opened.close,
  }
}

const DUE_KEY = 'device/disk-cleaning'
const DUE = new Uint8Array([1])
const QUIET_MS: number = 10 * SECOND_MS
