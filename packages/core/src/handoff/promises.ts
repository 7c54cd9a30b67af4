/** The two promises of a handoff: its first outcome (`queued` counts) and its last. Each settles once and never rejects. */
import { createSubject, type Subject } from '../lib/observable.ts'
import type { HandoffOutcome } from './outcome.ts'

export interface OutcomePromises {
  readonly first: Promise<HandoffOutcome>
  readonly last: Promise<HandoffOutcome>
  isOver(): boolean
  settle(outcome: HandoffOutcome): void
}

export function createOutcomePromises(): OutcomePromises {
  const first: Subject<HandoffOutcome | undefined> = createSubject<HandoffOutcome | undefined>(undefined)
  const last: Subject<HandoffOutcome | undefined> = createSubject<HandoffOutcome | undefined>(undefined)
  return {
    first: settled(first),
    last: settled(last),
    isOver: () => last.peek() !== undefined,
    settle(outcome) {
      if (first.peek() === undefined) first.set(outcome)
      if (outcome.kind !== 'queued' && last.peek() === undefined) last.set(outcome)
    },
  }
}

async function settled(subject: Subject<HandoffOutcome | undefined>): Promise<HandoffOutcome> {
  const outcome = await subject.when(value => value !== undefined)
  return outcome as HandoffOutcome
}
