/** What is known here of one removal: who has heard of it, and what became of the device. */
import type { DeviceId, EntryId, GroupId, MailboxId } from '@segue/core'

/** All times in milliseconds since 1970 on this device, unless it is said otherwise. */
export interface RemovalChecklist {
  readonly id: DeviceId
  readonly name: string
  /** The signed entry that removed it. */
  readonly entry: EntryId
  /** An admin, the device itself, or a recovery phrase (which has no name). */
  readonly by: { readonly id: DeviceId; readonly name: string | undefined }
  /** By the remover's clock. */
  readonly at: number
  /** Since then this device refuses it. Others do since they know. */
  readonly cutOffAt: number
  /** Those who stay, by seniority. Seen from here: one that is away may know already. */
  readonly devices: readonly DeviceKnows[]
  /** Those in use. One that knows lets the device in no more, and has the entry for whoever sleeps. */
  readonly relays: readonly RelayKnows[]
  /** Since then it has been told why, by this device. */
  readonly toldAt: number | undefined
  /** Its own signed word on what it did then. Nobody can check that it is true. */
  readonly erasure: RemovedWord | undefined
  /** Since when all of them know. */
  readonly finishedAt: number | undefined
}

export interface DeviceKnows {
  readonly id: DeviceId
  readonly name: string
  readonly isThisDevice: boolean
  /** Since when it is known here that it knows; undefined: not yet. */
  readonly knowsAt: number | undefined
}

export interface RelayKnows {
  readonly id: DeviceId
  readonly mailbox: MailboxId
  readonly knowsAt: number | undefined
}

export interface RemovedWord {
  readonly erased: boolean
  /** By its own clock. */
  readonly at: number
  readonly heardAt: number
  /** The frame that it signed; `readErasure` of @segue/core checks it. */
  readonly receipt: Uint8Array
}

/** What is kept of it between runs. */
export interface RemovalFacts {
  readonly group: GroupId
  readonly entry: EntryId
  readonly learnedAt: number
  readonly devices: Map<DeviceId, number>
  readonly relays: Map<MailboxId, number>
  toldAt: number | undefined
  word: { readonly receipt: Uint8Array; readonly heardAt: number } | undefined
  finishedAt: number | undefined
}

export function isFinished({ devices, relays }: Pick<RemovalChecklist, 'devices' | 'relays'>): boolean {
  return [...devices, ...relays].every(({ knowsAt }) => knowsAt !== undefined)
}
