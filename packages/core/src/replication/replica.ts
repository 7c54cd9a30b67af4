import type { Replica, ReplicaComponents } from './replica-types.ts'

export declare function createReplica(components: ReplicaComponents): Promise<Replica>
