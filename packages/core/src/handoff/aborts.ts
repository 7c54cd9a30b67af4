/** Between an outcome and the word for it that the other side may hear. */
import type { AbortReason } from '../wire/control-messages.ts'
import type { HandoffOutcome, Milestone } from './outcome.ts'

/** What an abort from the other side means here. */
export function outcomeOfAbort(reason: AbortReason, milestone: Milestone): HandoffOutcome {
  switch (reason) {
    case 'expired':
      return { kind: 'expired' }
    case 'cancelled':
      return { kind: 'cancelled', by: 'other-device' }
    case 'failed':
      return { kind: 'failed', milestone, code: 'TIMED_OUT', retry: 'now' }
    case 'unknown-handoff':
      return { kind: 'failed', milestone, code: 'HANDOFF_UNKNOWN', retry: 'now' }
    default:
      return { kind: 'refused', reason }
  }
}

/** How to tell the other side that it is over. */
export function abortReasonOf(outcome: HandoffOutcome | undefined): AbortReason {
  switch (outcome?.kind) {
    case 'refused':
      return outcome.reason
    case 'expired':
      return 'expired'
    case 'cancelled':
      return 'cancelled'
    default:
      return 'failed'
  }
}
