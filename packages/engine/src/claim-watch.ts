/** Lets a queued handoff look again when its session changed: its target may have taken it, and a relay brought the claim. */
import { SECOND_MS, documentIdOf, type Documents, type Handoffs, type SessionId } from '@segue/core'
import type { Clock, SealedChunk } from '@segue/core/ports'

export interface ClaimWatch {
  onArrived(chunks: readonly SealedChunk[]): void
  close(): void
}

interface Parts {
  readonly clock: Clock
  readonly documents: Pick<Documents, 'docTagOf'>
  readonly handoffs: Pick<Handoffs, 'list' | 'onSessionChanged'>
}

export function createClaimWatch({ clock, documents, handoffs }: Parts): ClaimWatch {
  const waiting = new Map<SessionId, () => void>()
  return {
    onArrived(chunks) {
      for (const { session, state, side } of handoffs.list.peek()) {
        if (state !== 'queued' || side !== 'source' || waiting.has(session)) continue
        const docTag = documents.docTagOf(documentIdOf(session))
        if (!chunks.some(chunk => chunk.docTag === docTag)) continue
        const cancel = clock.after(APPLIED_AFTER_MS, () => {
          waiting.delete(session)
          handoffs.onSessionChanged(session)
        })
        waiting.set(session, cancel)
      }
    },
    close() {
      for (const cancel of waiting.values()) cancel()
    },
  }
}

/** What arrives in a burst is applied together, a little later. A handoff that waits looks by itself as well, now and then. */
const APPLIED_AFTER_MS: number = SECOND_MS / 4
