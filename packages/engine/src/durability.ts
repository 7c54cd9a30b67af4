/** Where a session's acknowledged work is: on this disk, and on whose else. Said by receipts and summaries, never guessed. */
import { createSubject, type DeviceId, type Documents, type Group, type Observable, type Replica, type Session } from '@segue/core'
import type { DocumentId } from '@automerge/automerge-repo'

export interface SessionDurability {
  /** On this device's disk. `failing`: it takes nothing; edits are kept in memory. */
  readonly saved: 'saved' | 'saving' | 'failing'
  /** Other devices that hold all of it, checked and on their disks. */
  readonly holders: readonly DeviceId[]
  /** Everything is on at least one other device. */
  readonly isSafeToClose: boolean
}

export interface DurabilityWatch {
  readonly state: Observable<SessionDurability>
  close(): void
}

interface Parts {
  readonly group: Group
  readonly replica: Replica
  readonly documents: Documents
  readonly identity: { readonly id: DeviceId }
}

export function createDurability(session: Session, { group, replica, documents, identity }: Parts): DurabilityWatch {
  const ids = (): readonly DocumentId[] => {
    const { handles } = session
    const companions = [handles.session, handles.drafts, handles.views, handles.preferences].map(handle => handle.documentId)
    return [...companions, ...session.documents.list.peek().map(document => document.documentId)]
  }
  const look = (): SessionDurability => {
    const { state, pending } = replica.durability.peek()
    const saved = state === 'failing' ? 'failing' : pending > 0 ? 'saving' : 'saved'
    const docTags = ids().map(id => documents.docTagOf(id))
    const others = group.state.peek().devices.filter(device => device.active && device.id !== identity.id)
    const holders = others.filter(device => docTags.every(docTag => replica.confirmedAt(device.id, docTag))).map(device => device.id)
    return { saved, holders, isSafeToClose: saved === 'saved' && holders.length > 0 }
  }
  const subject = createSubject(look())
  const update = (): void => {
    const now = look()
    if (!isSame(now, subject.peek())) subject.set(now)
  }
  const stops = [
    replica.durability.subscribe(update),
    replica.confirmations.subscribe(update),
    session.documents.list.subscribe(update),
    group.state.subscribe(update),
  ]
  return {
    state: subject,
    close() {
      for (const stop of stops) stop()
    },
  }
}

function isSame(a: SessionDurability, b: SessionDurability): boolean {
  return a.saved === b.saved && a.isSafeToClose === b.isSafeToClose && a.holders.join() === b.holders.join()
}
