/** The group as a device holds it: what it shows, takes and offers to write. */
import type { Keyring, SigningKeys } from '../crypto/index.ts'
import type { DeviceId, EntryId, GroupId, MailboxId } from '../lib/ids.ts'
import type { Observable } from '../lib/observable.ts'
import type { Result } from '../lib/result.ts'
import type { SealedChunk } from '../ports/sealed-chunk.ts'
import type { Role, SignedEntry } from './entry.ts'
import type { GroupDevice, GroupRelay } from './reduce.ts'
import type { GroupEvaluation } from './resolve.ts'
import type { GroupRecovery, GroupTrust } from './trust.ts'

export interface GroupState {
  /** Everybody ever added, the removed ones too, in order of seniority. */
  readonly devices: readonly GroupDevice[]
  /** Every mailbox ever made, the retired ones too, in the order in which they were made. */
  readonly relays: readonly GroupRelay[]
  /** The recovery phrase in force. */
  readonly recovery: GroupRecovery | undefined
  readonly heads: readonly EntryId[]
  /** An admin said something this version does not understand: whatever would write, but for removals, is refused with GROUP_NEWER. */
  readonly needsUpdate: boolean
}

export type EntryOutcome =
  | { readonly kind: 'added'; readonly id: EntryId }
  | { readonly kind: 'known'; readonly id: EntryId }
  /** A parent is missing; it joins when the parent arrives. */
  | { readonly kind: 'held'; readonly id: EntryId }
  | { readonly kind: 'refused'; readonly reason: string }

export interface NewDevice {
  readonly keys: { readonly signing: Uint8Array; readonly sealing: Uint8Array }
  readonly role: Role
  readonly name: string
  /** Milliseconds since 1970, stamped before the request. */
  readonly time: number
}

export interface NewRelay {
  readonly relay: DeviceId
  readonly addresses: readonly string[]
  readonly mailbox: MailboxId
  /** 32 bytes: of the key that signs the mailbox's member lists. Wrapped here for every active admin. */
  readonly adminSeed: Uint8Array
  readonly time: number
}

/** Removing, rotating and recovering are in `trust.ts`. */
export interface Group extends GroupTrust {
  readonly id: GroupId
  /** 16 bytes: the index of everything. */
  readonly rootDocumentId: Uint8Array
  readonly state: Observable<GroupState>
  readonly keyring: Keyring
  /** 32 bytes. Given to each new member, sealed at rest, never sent in the clear. */
  readonly secret: Uint8Array
  /** Every entry kept, causes before effects. */
  entries(): readonly SignedEntry[]
  entry(id: EntryId): SignedEntry | undefined
  /** Verifies and links signed entries in any order; one outcome each. Never throws for anything in them. */
  receive(entries: readonly Uint8Array[]): readonly EntryOutcome[]
  /** Whether a verified entry is worth storing: it can be of this group, now or when its parents are here, and has room. */
  mayBelong(entry: SignedEntry): boolean
  /**
   * Calls `listener` with entries newly linked, received or written here, causes before effects: to be stored and sent on. What one
   * call wrote comes at once.
   */
  onEntries(listener: (entries: readonly SignedEntry[]) => void): () => void
  /** Adds a device and wraps every maximal epoch for it. Throws SegueError: GROUP_ENTRY_REFUSED, GROUP_FULL, GROUP_NEWER. */
  add(device: NewDevice): SignedEntry
  setRole(target: DeviceId, role: Role, time: number): SignedEntry
  rename(target: DeviceId, name: string, time: number): SignedEntry
  /** Names a mailbox made on a relay. Throws SegueError: GROUP_ENTRY_REFUSED, GROUP_NEWER, as do the next three. */
  addRelay(relay: NewRelay): SignedEntry
  /** Says where a relay is now. */
  moveRelay(mailbox: MailboxId, addresses: readonly string[], time: number): SignedEntry
  /** The mailbox is not used any more, for good. */
  retireRelay(mailbox: MailboxId, time: number): SignedEntry
  /**
   * Wraps the admin keys held here for the active admins they were not wrapped for yet. Promoting does it at once; this is for an admin
   * promoted while a mailbox was made elsewhere. Writes nothing when nothing is missing or this device is no admin.
   */
  shareRelayKeys(time: number): readonly SignedEntry[]
  /** The key that signs a mailbox's member lists, when this device was given it. */
  relayAdminKeys(mailbox: MailboxId): SigningKeys | undefined
  device(id: DeviceId): GroupDevice | undefined
  isActive(device: DeviceId): boolean
  /** The causal past of `ids` without that of `known`, causes before effects; ids not here are ignored. */
  path(ids: Iterable<EntryId>, known: Iterable<EntryId>): readonly SignedEntry[]
  /** The entry by which a device belongs. */
  entryThatAdded(device: DeviceId): SignedEntry | undefined
  /**
   * What the log would say with these entries too, without taking them. They come causes before effects; undefined as soon as one is not
   * signed or of somebody nobody added, so that whoever brings them costs at most one check of a signature that does not hold.
   */
  evaluateWith(entries: readonly Uint8Array[]): GroupEvaluation | undefined
  /** Whether its author signed it, whoever that is. */
  isSigned(entry: SignedEntry): boolean
  toChunk(entry: SignedEntry): SealedChunk
  /** The signed entry in a log chunk, verified and compared with the chunk's id; for `receive`. */
  fromChunk(chunk: SealedChunk): Result<Uint8Array, string>
}
