/** People name things as they see them: a device by its name, a session by its title or the start of its id. */
import {
  isHexId,
  RANDOM_ID_BYTES,
  SegueError,
  type DeviceStatus,
  type IndexedSession,
  type MemberDocument,
  type Segue,
  type SegueSession,
  type SessionId,
} from '@segue/engine'

/** Throws NOT_A_MEMBER when no other device is meant, or more than one. */
export function findDevice(segue: Segue, wanted: string): DeviceStatus {
  const others = segue.devices.peek().filter(device => !device.isThisDevice)
  const exact = others.filter(device => device.id === wanted || device.name === wanted)
  const found = exact.length > 0 ? exact : others.filter(device => device.name.toLowerCase() === wanted.toLowerCase() || device.id.endsWith(wanted))
  if (found.length !== 1 || wanted === '') throw new SegueError('NOT_A_MEMBER')
  return found[0] as DeviceStatus
}

/** Throws SESSION_UNKNOWN when none is meant, or more than one. */
export function findSession(segue: Segue, wanted: string): IndexedSession {
  const all = segue.sessions.list.peek()
  const exact = all.filter(session => session.id === wanted || session.title === wanted)
  const found = exact.length > 0 ? exact : all.filter(session => session.id.startsWith(wanted) || session.title.toLowerCase() === wanted.toLowerCase())
  if (found.length !== 1 || wanted === '') throw new SegueError('SESSION_UNKNOWN')
  return found[0] as IndexedSession
}

/** A whole id is waited for, because the session may be on its way; anything shorter must be here. */
export function openSession(segue: Segue, wanted: string, signal: AbortSignal): Promise<SegueSession> {
  const id = isHexId(wanted, RANDOM_ID_BYTES) ? (wanted as SessionId) : findSession(segue, wanted).id
  return segue.sessions.open(id, { signal })
}

/** The one of that id or title; without a name, the only one there is. Throws DOCUMENT_UNKNOWN when that is none or more than one. */
export function findDocument(session: SegueSession, wanted: string | undefined): MemberDocument {
  const all = session.documents.list.peek()
  const found = wanted === undefined ? all : all.filter(document => document.documentId === wanted || document.title === wanted)
  const [document] = found
  if (document === undefined || found.length > 1) throw new SegueError('DOCUMENT_UNKNOWN')
  return document
}
