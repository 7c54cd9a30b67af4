/** Who has what, and which relay holds less than it says. SPEC.md has the rules. */
export { createHeartbeats } from './heartbeats.ts'
export type { HeardOf, Heartbeats, HeartbeatsComponents } from './heartbeats.ts'
export { HEARTBEAT_PACE, type HeartbeatPace } from './pace.ts'
export type { RelayTrouble, WatchedRelay } from './relay-watch.ts'
