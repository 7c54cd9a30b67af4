/** The keys one device holds of its group, as those who seal and open need them. */
import type { EpochId } from '../lib/ids.ts'

/** Keys that name and order things; the same for the whole life of a group. */
export interface ChunkKeys {
  /** 32 bytes: chunk ids. */
  readonly idKey: Uint8Array
  /** 32 bytes: docTags. */
  readonly tagKey: Uint8Array
}

export interface Keyring extends ChunkKeys {
  /** 32 bytes: seals group entries, whatever the epoch. */
  readonly logKey: Uint8Array
  /** The 32-byte key that chunks of `epoch` are sealed under, `logKey` for LOG_EPOCH; undefined while not held. */
  secretOf(epoch: EpochId): Uint8Array | undefined
  /** Whether an entry of the log made this epoch, its key held or not. What names any other was made up. */
  knows(epoch: EpochId): boolean
  /** What new content is sealed under now. Ask each time: it changes when a device is removed. */
  current(): { readonly epoch: EpochId; readonly secret: Uint8Array }
}
