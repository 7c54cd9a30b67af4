/**
 * The receiver's side of live grants: makes the nonce that a grant must be signed over, and says whether a grant answers it. Kept in
 * memory only, so that nothing recorded is worth anything: a nonce belongs to one attempt on one link of one run, is answered once, and
 * only for GRANT_LIFETIME_MS by this device's own monotonic clock. No two clocks are ever compared.
 */
import { equalBytes } from '../lib/bytes.ts'
import { SECOND_MS } from '../lib/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Verifier } from '../ports/verifier.ts'
import { NONCE_BYTES } from '../wire/control-messages.ts'
import { isLiveGrant, type GrantScope } from './grants.ts'

/** From the asking. Longer than any answer takes, the retries of a bad link included. */
export const GRANT_LIFETIME_MS: number = 30 * SECOND_MS

export interface GrantDesk {
  /** What to ask with now: the nonce of this attempt while it may be answered, else a fresh one. */
  ask(attempt: number): Uint8Array
  /** Whether this answers what was asked, in time. True once for each nonce. */
  redeem(scope: GrantScope, attempt: number, nonce: Uint8Array, signature: Uint8Array): boolean
  /** The link is another: what was asked on the one before is answered no more. */
  renew(): void
}

export interface GrantDeskComponents {
  readonly clock: Clock
  readonly random: Random
  readonly verifier?: Verifier | undefined
}

export function createGrantDesk({ clock, random, verifier }: GrantDeskComponents): GrantDesk {
  let asked: { readonly attempt: number; readonly nonce: Uint8Array; readonly at: number } | undefined
  const open = (attempt: number): Uint8Array | undefined =>
    asked !== undefined && asked.attempt === attempt && clock.monotonic() - asked.at < GRANT_LIFETIME_MS ? asked.nonce : undefined
  return {
    ask(attempt) {
      const present = open(attempt)
      if (present !== undefined) return present
      const nonce = random.bytes(NONCE_BYTES)
      asked = { attempt, nonce, at: clock.monotonic() }
      return nonce
    },
    redeem(scope, attempt, nonce, signature) {
      const wanted = open(attempt)
      if (wanted === undefined || !equalBytes(nonce, wanted) || !isLiveGrant(scope, attempt, nonce, signature, verifier)) return false
      asked = undefined
      return true
    },
    renew() {
      asked = undefined
    },
  }
}
