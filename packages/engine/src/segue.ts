/** What an app holds: one device's Segue. `openSegue()` makes it. */
import type { Repo } from '@automerge/automerge-repo'
import type {
  Closeable,
  ConfirmOutcome,
  DeviceId,
  ErrorCode,
  GroupRole,
  IndexedSession,
  InviterState,
  Observable,
  SessionId,
  TelemetryEvent,
} from '@segue/core'
import type { LinkPath, NearbyDevice, SlotKind } from '@segue/core/ports'
import type { Audits } from './audit.ts'
import type { AdoptionOutcome, AdoptionPreview } from './adoption/adoption.ts'
import type { Backups } from './backup/backups.ts'
import type { BackupStatus } from './backup/only-here.ts'
import type { PairingQr } from './pairing-images.ts'
import type { SegueDeletions } from './deletion/deletion-face.ts'
import type { SegueHandoffs } from './handoff-face.ts'
import type { SegueLateEdits } from './late-edits-face.ts'
import type { SegueKeys } from './keys-face.ts'
import type { Notices } from './notices/notice-board.ts'
import type { Person } from './person.ts'
import type { RecoveryPhrases } from './recovery/phrases.ts'
import type { Relays } from './relays.ts'
import type { OwnRemoval } from './removal/own-removal.ts'
import type { Advice, Devices } from './roles.ts'
import type { SegueSession } from './session-face.ts'
import type { Surroundings } from './surroundings.ts'

export interface Segue extends Closeable, Audits {
  readonly device: { readonly id: DeviceId; readonly name: string }
  /**
   * A real automerge-repo Repo: hooks and editor bindings work unchanged. `find` opens closed documents and waits for those on their
   * way. Another object after this device joined a group.
   */
  readonly repo: Repo
  readonly pairing: Pairing
  /** This device first, then the others by name. */
  readonly devices: Devices
  /** This device's own end in its group; undefined while it belongs. Goes on to `erased` when Segue has closed itself. */
  readonly removal: Observable<OwnRemoval | undefined>
  /** How this device asks for the person again. */
  readonly person: Person
  readonly keys: SegueKeys
  readonly sessions: SegueSessions
  /** Deleting, for good or on this device only. Another object after this device joined a group. */
  readonly deletions: SegueDeletions
  readonly handoff: SegueHandoffs
  /** What removed devices wrote after they were removed, for a person to decide about. */
  readonly lateEdits: SegueLateEdits
  /** Relays that keep sealed copies for devices that are not awake together. */
  readonly relays: Relays
  /** Everything the group holds here, in one file that the words of the recovery phrase open. */
  readonly backup: Backups
  readonly recovery: RecoveryPhrases
  readonly status: Observable<SegueStatus>
  /** What a person should know of: `noticeText` has the words, and the next step. Kept on this device. */
  readonly notices: Notices
  /** What happened, content-free by construction: links, pairings, handoffs with one trace id on both devices. Oldest first. */
  readonly events: Observable<readonly TelemetryEvent[]>
  /** The name that other devices see. */
  rename(name: string): Promise<void>
  /** Makes this device keep trying an address of another, for networks where discovery does not work. */
  addAddress(device: DeviceId, address: string): Promise<void>
  /** The machine woke up, or its network changed: links are probed and every reconnect tries at once. */
  resume(): void
  /** What this device can say about the network it is on: for a page that explains why devices do not find each other. */
  lookAround(options?: { readonly signal?: AbortSignal }): Promise<Surroundings>
  /** Everything acknowledged is on disk when it resolves. */
  flush(): Promise<void>
}

export interface SegueSessions {
  create(options: { readonly title: string }): Promise<SegueSession>
  /**
   * Waits for a session on its way, also back to here. Rejects with SESSION_UNKNOWN, SESSION_NOT_HERE (`deletions.bringBack`), SCHEMA_NEWER, or
   * the signal's reason.
   */
  open(id: SessionId, options?: { readonly signal?: AbortSignal }): Promise<SegueSession>
  /** Of a store with thousands of documents it fills a little after opening: `whenListed`. */
  readonly list: Observable<readonly IndexedSession[]>
  /** Resolves when `list` shows everything that is here. */
  whenListed(): Promise<void>
}

export interface Pairing {
  /** Shows an invitation. One at a time: a second call closes the first. */
  invite(options?: InviteOptions): Promise<Invitation>
  /**
   * Joins the group of the device that shows `source`: its text, or what `nearby` lists. Resolves once there are digits to be typed on
   * that device. Rejects with PAIRING_* or UNREACHABLE; PAIRING_ALREADY_MEMBER when this device has work or
   * company of its own and there is no `adopt`.
   */
  join(source: string | NearbyDevice, options?: JoinOptions): Promise<Joining>
  /** What would come along; undefined where this device has no work and no company. */
  preview(): Promise<AdoptionPreview | undefined>
  /** What this device brought along in this run, when it joined with work of its own. */
  readonly adopted: Observable<AdoptionOutcome | undefined>
  /** Devices nearby that have pairing open; needs mDNS. Names are what they say of themselves. */
  readonly nearby: Observable<readonly NearbyDevice[]>
}

export interface JoinOptions {
  readonly signal?: AbortSignal
  /**
   * Asked where this device has work or company of its own, before anybody is met. True: all of its sessions and documents come along,
   * under the ids they have; it leaves the group it is in. False: CANCELLED.
   */
  readonly adopt?: (preview: AdoptionPreview) => boolean | Promise<boolean>
}

export interface InviteOptions {
  /** Two minutes unless given; ten at most. */
  readonly expiresInMs?: number
  /** Whether devices nearby may ask without a code to scan. Default true: the digits protect that. */
  readonly nearby?: boolean
  /**
   * Whether a device on another network that has the code may come through a relay of the group, if one is linked now. Default true: it is
   * shown as remote, and its digits count only when they are confirmed twice.
   */
  readonly remote?: boolean
}

export interface Invitation extends Closeable {
  /** To be pasted on the other device. */
  readonly text: string
  readonly qr: PairingQr
  /** Milliseconds since 1970 on this device. */
  readonly expiresAt: number
  readonly state: Observable<InviterState>
  /**
   * The digits that the other device shows. Resolves once it is in the group, on this device's disk. PAIRING_REMOTE: they are right, and of
   * a device that is on another network; ask the person again, in a colour that warns, then confirm with `mayBeRemote`.
   *
   * Where the keys of this device are kept under a passphrase it takes that, too: rejects with CONFIRMATION_NEEDED or CONFIRMATION_WRONG
   * before the digits are looked at. Elsewhere the digits are the typed confirmation.
   */
  confirm(code: string, options?: { readonly mayBeRemote?: boolean; readonly passphrase?: string | undefined }): Promise<ConfirmOutcome>
}

export interface Joining {
  /** Six digits, to be typed on the device that shows the invitation. */
  readonly code: string
  readonly done: Promise<JoinOutcome>
  cancel(): void
}

/** `adopted`: what came along; without it, where something was to, it comes when Segue is opened again. */
export type JoinOutcome =
  | { readonly ok: true; readonly inviter: DeviceId; readonly adopted?: AdoptionOutcome }
  | { readonly ok: false; readonly code: ErrorCode }

export interface DeviceStatus {
  readonly id: DeviceId
  readonly name: string
  readonly role: GroupRole
  readonly isThisDevice: boolean
  readonly state: 'here' | 'linked' | 'away'
  /** How it is reached now. mailbox: not at all, but a relay that is linked keeps what is for it until it comes there. */
  readonly path: LinkPath | 'mailbox' | undefined
  /** `in-sync`: everything here is on its disk, and the other way round, as far as both know, but for what either does not keep (`leavesOut`). */
  readonly sync: 'in-sync' | 'catching-up' | 'unknown'
  /** Chunks durable here that it has not confirmed. */
  readonly unconfirmed: number
  /** Milliseconds since 1970 on this device; undefined when never seen in this run. */
  readonly lastSeenAt: number | undefined
  /** What it last said of itself, linked or not: when (by its own clock), and whether it held the same as this device does. */
  readonly lastSaid: { readonly at: number; readonly hasSame: boolean } | undefined
  /** Documents that it does not keep, though the group has them: deleted there only. As it last said in this run. */
  readonly leavesOut: number
}

export interface SegueStatus {
  readonly isOpen: boolean
  /** `failing`: the disk takes nothing (full, read-only). Edits stay in memory and are saved when it does. */
  readonly storage: { readonly state: 'good' | 'failing'; readonly pending: number; readonly damaged: number }
  /** How the keys of this device are kept. */
  readonly keys: readonly SlotKind[]
  readonly addresses: readonly string[]
  readonly devices: {
    readonly total: number
    readonly linked: number
    /** How many are reached which way now; see DeviceStatus. */
    readonly paths: Readonly<Record<LinkPath | 'mailbox', number>>
  }
  /**
   * `behind`: those that hold or show less than they confirmed; `lost`, `revoked`, `full`: whose problem is RELAY_KEY_LOST, RELAY_REVOKED,
   * RELAY_QUOTA.
   */
  readonly relays: {
    readonly total: number
    readonly linked: number
    readonly behind: number
    readonly lost: number
    readonly revoked: number
    readonly full: number
  }
  readonly sessions: number
  /** Sessions and documents that are not kept on this device: `Segue.deletions.notHere`. */
  readonly notHere: number
  /** What a person is asked to do, when there is time for it. */
  readonly advice: readonly Advice[]
  readonly backup: BackupStatus
  /** How many there are, and how many of them warn. */
  readonly notices: { readonly total: number; readonly warnings: number }
  /** The group uses something this version does not know: update. */
  readonly needsUpdate: boolean
  /** This device was removed from its group: it is readable, and nothing new comes. Pairing takes a fresh start. */
  readonly removed: OwnRemoval | undefined
  /** Milliseconds since 1970: what was here before was erased then, because its device had been removed. Until this one joins a group. */
  readonly erasedAt: number | undefined
}
