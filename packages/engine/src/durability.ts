/** Where a session's acknowledged work is: on this disk, and on whose else. Said by receipts and summaries, never guessed. */
import { createSubject, type DeviceId, type Documents, type Group, type Observable, type Replica, type Session } from '@segue/core'
import type { DocumentId } from '@automerge/automerge-repo'

export interface SessionDurability {
  /** On this device's disk. `failing`: it takes nothing; edits are kept in memory. */
  readonly saved: 'saved' | 'saving' | 'failing'
  /** Other devices that hold all of it, checked and on their disks. */
  readonly holders: readonly DeviceId[]
  /** Relays of the group that hold all of it on their disks, sealed. */
  readonly onRelays: readonly DeviceId[]
  /** Everything is on at least one other device. A relay is none: it holds no keys, and what only it has needs a device that is left. */
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
    const { devices, relays } = group.state.peek()
    const others = devices.filter(device => device.active && device.id !== identity.id)
    const holds = ({ id }: { readonly id: DeviceId }): boolean => docTags.every(docTag => replica.confirmedAt(id, docTag))
    const holders = others.filter(holds).map(device => device.id)
    const onRelays = relays.filter(relay => !relay.retired && holds(relay)).map(relay => relay.id)
    return { saved, holders, onRelays, isSafeToClose: saved === 'saved' && holders.length > 0 }
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
  return (
    a.saved === b.saved &&
    a.isSafeToClose === b.isSafeToClose &&
    a.holders.join() === b.holders.join() &&
    a.onRelays.join() === b.onRelays.join()
  )
}
