/**
 * What a group offers to whoever removes devices, keeps keys fresh and recovers. `Group` is this and the everyday part; the rules
 * are in SPEC.md. Everything is synchronous and pure but for `random`; what was written comes out through `onEntries`, in one batch
 * per call, so that whoever stores a batch at once never has half a removal.
 */
import type { DeviceId, EntryId, EpochId } from '../lib/ids.ts'
import type { Observable } from '../lib/observable.ts'
import type { SignedEntry } from './entry.ts'

/** Why a device is not in the group any more. */
export interface Removal {
  /** The entry that removed it; of several the one of the highest rank. A peer that knows it knows of the removal. */
  readonly entry: EntryId
  readonly target: DeviceId
  /** An admin, the device itself, or a recovery key. */
  readonly by: DeviceId
  /** Milliseconds since 1970 on the remover's clock. Information only. */
  readonly at: number
  /** The epoch that the removal made. */
  readonly epoch: EpochId
}

/** The public halves of a recovery phrase, as the log names them. */
export interface GroupRecovery {
  /** As a peer id: what a relay's member list names. */
  readonly id: DeviceId
  readonly sealingKey: Uint8Array
  /** The group secret, wrapped for the phrase's sealing key: what a relay or a backup keeps for it. */
  readonly secretBox: Uint8Array
  readonly entry: EntryId
  readonly by: DeviceId
  /** Milliseconds since 1970 on the author's clock. Information only. */
  readonly at: number
}

/** What has to be written sometime, by whoever can; `Group.fulfil` writes it. */
export type GroupDuty =
  /** No epoch that this device holds is valid. `keyring.current()` rotates by itself; doing it sooner costs nothing. */
  | { readonly kind: 'rotate' }
  /** An active device, or the recovery key, lacks an epoch that this device holds. */
  | {
      readonly kind: 'wrap'
      readonly epoch: EpochId
      readonly device: DeviceId
      /** This device is the most senior of those known to hold the epoch: it does it at once, the others wait a while. */
      readonly isFirst: boolean
    }

export interface RecoveryPublicKeys {
  readonly signing: Uint8Array
  readonly sealing: Uint8Array
}

interface Stamped {
  /** Milliseconds since 1970, stamped before the request. */
  readonly time: number
}

export interface GroupTrust {
  /**
   * Goes up whenever this device can read more, or must seal under another epoch: then tell replication and documents
   * (`onKeysChanged`).
   */
  readonly keyChanges: Observable<number>
  /**
   * Removes a device and makes the next epoch for those who stay, in one entry. Works while `needsUpdate` too. Throws SegueError
   * GROUP_ENTRY_REFUSED: `needsAdmin`, `targetIsMember`, `leavesAnAdmin`.
   */
  remove(target: DeviceId, stamp: Stamped): SignedEntry
  /** The removal that counts, if the device was removed. */
  removalOf(device: DeviceId): Removal | undefined
  /** All of its removals that prevail, the one that counts first; those beside it were written without knowing of it. */
  removalsOf(device: DeviceId): readonly EntryId[]
  /** A fresh epoch for the active devices. Any active device may. */
  rotate(stamp: Stamped): SignedEntry
  duties(): readonly GroupDuty[]
  /** Writes what `duties` asks of this device: those where it is first, or all of them. The same answer as doing nothing when there are none. */
  fulfil(stamp: Stamped, options?: { readonly all?: boolean }): readonly SignedEntry[]
  /** Names the recovery phrase's public halves, in the place of earlier ones, and wraps every epoch and the group secret for it. */
  setRecovery(keys: RecoveryPublicKeys, stamp: Stamped): SignedEntry
  /** Whether whoever has these log heads has the entry in its log. Heads that are not here yet say nothing. */
  knows(heads: Iterable<EntryId>, entry: EntryId): boolean
  /** Every epoch whose content a device can open by what the log gave it. */
  epochsKnownTo(device: DeviceId): ReadonlySet<EpochId>
  /** Whether content under this epoch may be a removed device's: it knew the epoch. Of one author, or of any removed device. */
  isLate(epoch: EpochId, author?: DeviceId): boolean
}
