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
import { WrongRequest } from '../command.ts'

/** Throws NOT_A_MEMBER when no other device is meant, WrongRequest when more than one is. */
export function findDevice(segue: Segue, wanted: string): DeviceStatus {
  const name = wanted.replace(/^…/, '') // as `segue devices` shortens ids
  const others = segue.devices.peek().filter(device => !device.isThisDevice)
  const exact = others.filter(device => device.id === name || device.name === name)
  const found =
    exact.length > 0 ? exact : others.filter(device => device.name.toLowerCase() === name.toLowerCase() || device.id.endsWith(name))
  if (name === '' || found[0] === undefined) throw new SegueError('NOT_A_MEMBER')
  if (found.length > 1) throw new WrongRequest(`${found.length} devices are called ${name}. Say the id: segue devices`)
  return found[0]
}

/** Throws SESSION_UNKNOWN when none is meant, WrongRequest when more than one is. */
export function findSession(segue: Segue, wanted: string): IndexedSession {
  const all = segue.sessions.list.peek()
  const exact = all.filter(session => session.id === wanted || session.title === wanted)
  const found =
    exact.length > 0 ? exact : all.filter(session => session.id.startsWith(wanted) || session.title.toLowerCase() === wanted.toLowerCase())
  if (wanted === '' || found[0] === undefined) throw new SegueError('SESSION_UNKNOWN')
  if (found.length > 1) throw new WrongRequest(`${found.length} sessions are called ${wanted}. Say the id: segue session list`)
  return found[0]
}

/** The one named; without a name, the only one there is. */
export function findSessionOrOnly(segue: Segue, wanted: string | undefined): IndexedSession {
  if (wanted !== undefined) return findSession(segue, wanted)
  const [only, ...others] = segue.sessions.list.peek()
  if (only === undefined) throw new WrongRequest('There is no session yet. segue session import FILE makes one.')
  if (others.length > 0) throw new WrongRequest('Which session? Say --session SESSION (segue session list).')
  return only
}

export function openSession(segue: Segue, wanted: string, signal: AbortSignal): Promise<SegueSession> {
  const id = isHexId(wanted, RANDOM_ID_BYTES) ? (wanted as SessionId) : findSession(segue, wanted).id
  return segue.sessions.open(id, { signal })
}

/** The one of that id or title; without a name, the only one there is. Throws DOCUMENT_UNKNOWN, or WrongRequest when that is not clear. */
export function findDocument(session: SegueSession, wanted: string | undefined): MemberDocument {
  const all = session.documents.list.peek()
  const found = wanted === undefined ? all : all.filter(document => document.documentId === wanted || document.title === wanted)
  const [document] = found
  if (document === undefined) throw new SegueError('DOCUMENT_UNKNOWN')
  if (found.length > 1)
    throw new WrongRequest(`The session has ${all.length} documents. Say which: --document DOCUMENT (segue session show)`)
  return document
}
