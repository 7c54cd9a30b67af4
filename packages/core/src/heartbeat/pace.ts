/** How often and how patiently. Given as an argument, so that a test need not wait for minutes. */
import { MINUTE_MS, SECOND_MS } from '../lib/units.ts'

export interface HeartbeatPace {
  /** From opening to the first look. */
  readonly firstMs: number
  /** Between two looks, and at least between two heartbeats. */
  readonly everyMs: number
  /** How long a relay must have had something before a heartbeat says so: by then it is no news on its way any more. */
  readonly heldMs: number
  /** How long a relay that seems to withhold something has to bring it: longer than a dead link stays unnoticed (75 s). */
  readonly graceMs: number
}

export const HEARTBEAT_PACE: HeartbeatPace = { firstMs: 5 * SECOND_MS, everyMs: MINUTE_MS, heldMs: 2 * MINUTE_MS, graceMs: 2 * MINUTE_MS }
