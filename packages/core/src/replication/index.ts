/** Replication of sealed chunks between any two replicas. SPEC.md has the rules. */
export { createReplica } from './replica.ts'
export { RETIRED_KEPT_MS } from './retired.ts'
export { createRoom, type Room } from './room.ts'
export { keylessInspector } from './keyless-inspector.ts'
export type { AttachOptions, Durability, FragmentCover, PeerSync, Replica, ReplicaSession, Shown } from './replica-types.ts'
