/** The way from one group to another, wherever it was interrupted. */
import { createSubject, type Observable } from '@segue/core'
import type { Logger, RecordStore } from '@segue/core/ports'
import type { Runtime } from '../runtime.ts'
import {
  copyForAdoption,
  createAdoption,
  finishAdoption,
  isOnTheWay,
  sameTitles,
  type Adopted,
  type Adoption,
  type AdoptionOutcome,
} from './adoption.ts'

export interface AdoptionWay extends Adoption {
  /** The runtime of the group that this device is in; what it brings along is there when it resolves, or comes when it starts again. */
  start(): Promise<Runtime>
  /** The last start found that it cannot be done, and went back. */
  isUndone(): boolean
  /** Of this run. */
  readonly outcome: Observable<AdoptionOutcome | undefined>
}

interface Parts {
  readonly records: RecordStore
  readonly logger: Logger
  readonly open: (records: RecordStore) => Promise<Runtime>
}

export function createAdoptionWay({ records, logger, open }: Parts): AdoptionWay {
  const outcome = createSubject<AdoptionOutcome | undefined>(undefined)
  let isUndone = false
  const show = (runtime: Runtime, done: Adopted): void => {
    const update = (): void => outcome.set({ ...done, sameTitles: sameTitles(runtime, done.sessions) })
    runtime.index.sessions.subscribe(update)
    update()
  }
  return {
    ...createAdoption(records),
    async start() {
      isUndone = false
      await copyForAdoption({ records, logger, open }).catch(async (error: unknown) => {
        isUndone = !(await isOnTheWay(records))
        throw error
      })
      const runtime = await open(records)
      try {
        const done = await finishAdoption(records, runtime)
        if (done !== undefined) show(runtime, done)
      } catch (error) {
        logger.error('adoption-not-finished', { error: String(error) }) // the copies are there: it goes on in the next run
      }
      return runtime
    },
    isUndone: () => isUndone,
    outcome,
  }
}
