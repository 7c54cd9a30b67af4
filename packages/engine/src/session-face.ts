/** A session as apps see it: core's session with its history, its durability and its lease beside it. */
import type { DocumentId } from '@automerge/automerge-repo'
import {
  createCloseables,
  createHistory,
  createSubject,
  type Closeable,
  type DeviceId,
  type Documents,
  type Group,
  type History,
  type HotSet,
  type Lease,
  type Observable,
  type Replica,
  type Session,
  type SessionId,
  type Sessions,
  type Subject,
  type TelemetryEvent,
} from '@segue/core'
import type { Clock, Random, TelemetrySink } from '@segue/core/ports'
import { createDurability, type SessionDurability } from './durability.ts'

export interface SegueSession extends Session {
  readonly history: History
  /** Where everything acknowledged of this session is by now. */
  readonly durability: Observable<SessionDurability>
  /**
   * Resolves when everything acknowledged so far is on this device's disk and on those of `devices` others. Rejects with the signal's
   * reason.
   */
  durable(options: { readonly devices: number; readonly signal?: AbortSignal }): Promise<void>
  /** Who drives, and whether nobody else can believe to. */
  lease(): Promise<Lease>
  /** Set while a handoff to this device is under way: show it read-only and marked as arriving, or not at all. */
  readonly arriving: Observable<Arriving | undefined>
}

export interface Arriving {
  readonly from: DeviceId
  readonly hotSet: HotSet
}

export interface SessionFaces extends Closeable {
  open(id: SessionId, options?: { readonly signal?: AbortSignal }): Promise<SegueSession>
  create(options: { readonly title: string }): Promise<SegueSession>
  arriving(id: SessionId): Subject<Arriving | undefined>
  /** Closes those of these session documents that are open. */
  release(documents: readonly DocumentId[]): Promise<void>
}

export interface SessionFaceParts {
  readonly group: Group
  readonly replica: Replica
  readonly documents: Documents
  readonly sessions: Sessions
  readonly clock: Clock
  readonly random: Random
  readonly identity: { readonly id: DeviceId }
  readonly telemetry: TelemetrySink<TelemetryEvent>
  readonly lease: (session: SessionId) => Promise<Lease>
}

export function createSessionFaces(parts: SessionFaceParts): SessionFaces {
  const { sessions } = parts
  const faces = new Map<SessionId, SegueSession>()
  const arriving = new Map<SessionId, Subject<Arriving | undefined>>()
  const opened = createCloseables()

  const arrivingOf = (id: SessionId): Subject<Arriving | undefined> => {
    const subject = arriving.get(id) ?? createSubject<Arriving | undefined>(undefined)
    arriving.set(id, subject)
    return subject
  }

  const faceOf = (session: Session): SegueSession => {
    const present = faces.get(session.id)
    if (present !== undefined) return present
    const face = makeFace(session, parts, arrivingOf(session.id), () => faces.delete(session.id))
    faces.set(session.id, face)
    return face
  }

  opened.add(async () => {
    for (const face of [...faces.values()]) await face.close()
  })

  return {
    open: async (id, options) => faceOf(await sessions.open(id, options)),
    create: async options => faceOf(await sessions.create(options)),
    arriving: arrivingOf,
    async release(ids) {
      for (const face of [...faces.values()]) if (ids.includes(face.handles.session.documentId)) await face.close()
    },
    close: opened.close,
    [Symbol.asyncDispose]: opened.close,
  }
}

function makeFace(
  session: Session,
  parts: SessionFaceParts,
  arriving: Observable<Arriving | undefined>,
  onClose: () => void,
): SegueSession {
  const history = createHistory({ ...parts, session, authors: id => parts.documents.authors(id) })
  const durability = createDurability(session, parts)
  return {
    ...session,
    history,
    durability: durability.state,
    arriving,
    lease: () => parts.lease(session.id),
    async durable({ devices, signal }) {
      await session.flush()
      await durability.state.when(
        ({ saved, holders }) => saved === 'saved' && holders.length >= devices,
        signal === undefined ? {} : { signal },
      )
    },
    async close() {
      onClose()
      durability.close()
      await session.close()
    },
  }
}
