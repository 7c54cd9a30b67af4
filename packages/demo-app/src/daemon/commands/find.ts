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

interface Named {
  readonly id: string
  readonly name: string
  readonly isThisDevice: boolean
}

/** Another device. Throws NOT_A_MEMBER when none is meant, WrongRequest when more than one is, or this one. */
export function findDevice(segue: Segue, wanted: string): DeviceStatus {
  return otherNamed(segue.devices.peek(), wanted)
}

export function otherNamed<Device extends Named>(devices: readonly Device[], wanted: string): Device {
  const name = wanted.replace(/^…/, '') // as `segue devices` shortens ids
  const others = devices.filter(device => !device.isThisDevice)
  const exact = others.filter(device => device.id === name || device.name === name)
  const found = exact.length > 0 ? exact : others.filter(device => isLike(device, name))
  if (found.length > 1) throw new WrongRequest(`${found.length} devices are called ${name}. Say the id: segue devices`)
  if (found[0] !== undefined) return found[0]
  if (devices.some(device => device.isThisDevice && isLike(device, name)))
    throw new WrongRequest('That is this device. Name another: segue devices lists them.')
  throw new SegueError('NOT_A_MEMBER')
}

/** This device as well. */
export function deviceNamed<Device extends Named>(devices: readonly Device[], wanted: string): Device {
  const own = devices.find(device => device.isThisDevice)
  if (own !== undefined && (wanted === own.id || wanted === own.name)) return own
  const isOther = devices.some(device => !device.isThisDevice && isLike(device, wanted.replace(/^…/, '')))
  return own !== undefined && !isOther && isLike(own, wanted.replace(/^…/, '')) ? own : otherNamed(devices, wanted)
}

/** However it is written, or the end of the id: as much of it as is shown, for less may be anybody's. */
function isLike({ id, name }: Named, wanted: string): boolean {
  return name.toLowerCase() === wanted.toLowerCase() || (wanted.length >= SHOWN_ID_LENGTH && id.endsWith(wanted))
}

const SHOWN_ID_LENGTH = 8

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
