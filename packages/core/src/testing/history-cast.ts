/** A session with one document, open on laptop and desk, with the history of both. For tests. */
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import type { History } from '../history/contract.ts'
import { createHistory } from '../history/history.ts'
import type { Session } from '../session/contract.ts'
import type { TelemetryEvent } from '../telemetry/events.ts'
import { bringTogether, createCastDevice, openEverywhere, type CastDevice } from './session-cast.ts'

export interface HistoryCast {
  readonly laptop: CastDevice
  readonly desk: CastDevice
  readonly here: Session
  readonly there: Session
  readonly document: DocumentId
  readonly handle: DocHandle<{ text: string; list?: unknown[] }>
  readonly copy: DocHandle<{ text: string; list?: unknown[] }>
  readonly history: History
  readonly theirHistory: History
  /** What laptop's history recorded. */
  readonly recorded: readonly TelemetryEvent[]
  /** Each gets everything the other has. */
  readonly meet: () => void
}

export async function reportOnLaptopAndDesk(text: string, more: { list?: unknown[] } = {}): Promise<HistoryCast> {
  const [laptop, desk] = [createCastDevice(1), createCastDevice(2)]
  const [here, there] = (await openEverywhere('Report', laptop, desk)) as [Session, Session]
  const report = await here.documents.create<{ text: string; list?: unknown[] }>({ title: 'First', initial: { text, ...more } })
  const meet = (): void => bringTogether(laptop, desk)
  meet()
  const recorded: TelemetryEvent[] = []
  const history = createHistory({ ...laptop, session: here, telemetry: { record: event => void recorded.push(event) } })
  const theirHistory = createHistory({ ...desk, session: there, telemetry: { record: () => undefined } })
  const copy = await there.documents.open<{ text: string; list?: unknown[] }>(report.documentId)
  return { laptop, desk, here, there, document: report.documentId, handle: report.handle, copy, history, theirHistory, recorded, meet }
}
