/** What the parts of the documents layer share. */
import type { DocumentId } from '@automerge/automerge-repo'
import type { Keyring } from '../crypto/index.ts'
import type { DeviceIdentity } from '../identity/index.ts'
import type { EntryId } from '../lib/ids.ts'
import type { ChunkStore } from '../ports/chunk-store.ts'
import type { Clock } from '../ports/clock.ts'
import type { Hasher } from '../ports/hasher.ts'
import type { Logger } from '../ports/logger.ts'
import type { Random } from '../ports/random.ts'
import type { Verifier } from '../ports/verifier.ts'
import type { DocumentWorker } from '../ports/worker.ts'
import type { Replica } from '../replication/index.ts'
import type { Late, LateGate } from './late/late-edits.ts'
import type { Sealer } from './sealer.ts'

/** The part of a replica that documents use. */
export type DocumentReplica = Pick<Replica, 'id' | 'add' | 'want' | 'unwant' | 'subscribe' | 'settled' | 'putSnapshot' | 'getSnapshot'>

export interface DocumentsComponents {
  readonly replica: DocumentReplica
  readonly keyring: Keyring
  readonly identity: Pick<DeviceIdentity, 'id' | 'signing'>
  /** The replica's own store; read here, written only by the replica. */
  readonly chunkStore: ChunkStore
  readonly worker: DocumentWorker
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Default: the portable one. */
  readonly hasher?: Hasher
  /** Of registers read again. Default: the portable one. */
  readonly verifier?: Verifier
  /** What removed devices may have written (`openLate`). Without it everything readable is applied. */
  readonly late?: Late
  /** Heads of the group log, which claims name. */
  readonly logHeads?: () => readonly EntryId[]
  /** Deleted documents are neither opened nor made again: DOCUMENT_DELETED. */
  readonly isDeleted?: (documentId: DocumentId) => boolean
  /** Documents not kept on this device are not opened or made: DOCUMENT_NOT_HERE. */
  readonly isNotHere?: (documentId: DocumentId) => boolean
  /** More open documents than this, and idle ones without listeners are closed. Default 256. */
  readonly maxOpenDocuments?: number
}

export interface DocumentsContext extends DocumentsComponents {
  readonly sealer: Sealer
  /** Undefined without `late`. */
  gate: LateGate | undefined
}
