/** Who has what, and which relay holds less than it says. SPEC.md has the rules. */
export { createHeartbeats } from './heartbeats.ts'
export type { HeardOf, Heartbeats } from './heartbeats.ts'
export { logFingerprint } from './heartbeat.ts'
export { HEARTBEAT_PACE, type HeartbeatPace } from './pace.ts'
export type { RelayTrouble } from './relay-watch.ts'
