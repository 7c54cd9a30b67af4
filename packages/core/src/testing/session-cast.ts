/**
 * Devices for tests of sessions and history: each with a real automerge-repo Repo without storage or network, documents that
 * pass between two of them only when a test says so, a clock that stands still, and seeded bytes for randomness.
 */
import * as A from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl, Repo, type DocHandle, type DocumentId } from '@automerge/automerge-repo'
import type { IndexedDocument, IndexedSession } from '../documents/index-document.ts'
import { deviceIdOf, type DeviceId } from '../lib/ids.ts'
import { createSubject } from '../lib/observable.ts'
import type { Random } from '../ports/random.ts'
import type { Session, SessionDocuments, SessionIndex, Sessions } from '../session/contract.ts'
import { createSessions } from '../session/sessions.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'
import { createSeededRandom } from './seeded-random.ts'

export interface CastDevice {
  readonly id: DeviceId
  readonly identity: { readonly id: DeviceId }
  readonly documents: SessionDocuments
  readonly index: SessionIndex & { readonly documents: () => readonly IndexedDocument[] }
  readonly clock: ManualClock
  readonly random: Random
  readonly sessions: Sessions
  readonly handles: ReadonlyMap<DocumentId, DocHandle<unknown>>
  /** Takes in a document from bytes that `A.save` gave. */
  receive(documentId: DocumentId, bytes: Uint8Array): void
}

export function createCastDevice(seed: number): CastDevice {
  const repo = new Repo({})
  const handles = new Map<DocumentId, DocHandle<unknown>>()
  const arrivals = createSubject(0)
  const receive = (documentId: DocumentId, bytes: Uint8Array): void => {
    const present = handles.get(documentId)
    if (present === undefined) handles.set(documentId, repo.import<unknown>(bytes, { docId: documentId }))
    else present.update(doc => A.loadIncremental(doc, bytes))
    arrivals.set(arrivals.peek() + 1)
  }
  const open = async <T>(documentId: DocumentId, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<DocHandle<T>> => {
    await arrivals.when(() => handles.has(documentId), options.signal === undefined ? {} : { signal: options.signal })
    return handles.get(documentId) as DocHandle<T>
  }
  const documents: SessionDocuments = {
    async create<T>(init: Uint8Array | ((draft: T) => void), { documentId = parseAutomergeUrl(generateAutomergeUrl()).documentId } = {}) {
      receive(documentId, init instanceof Uint8Array ? init : A.save(A.change(A.init<T>(), draft => init(draft))))
      return handles.get(documentId) as DocHandle<T>
    },
    open,
    async importText(handle, path, text) {
      handle.change(draft => A.splice(draft as A.Doc<unknown>, [...path], 0, 0, text))
    },
    async whenContains(documentId, heads, options) {
      const handle = await open<unknown>(documentId, options)
      const signal = options?.signal
      await arrivals.when(() => A.hasHeads(handle.doc(), [...heads]), signal === undefined ? {} : { signal })
    },
    flush: () => Promise.resolve(),
    retain: () => () => undefined,
    isDeleted: () => false,
    isAbsent: () => false,
  }
  const sessions = createSubject<readonly IndexedSession[]>([])
  const listed = new Map<DocumentId, IndexedDocument>()
  const index: CastDevice['index'] = {
    sessions,
    putSession: session => sessions.set([...sessions.peek().filter(other => other.id !== session.id), session]),
    putDocument: document => void listed.set(document.id, document),
    documents: () => [...listed.values()],
  }
  const id = deviceIdOf(new Uint8Array(32).fill(seed))
  const deletions = { version: createSubject(0) }
  const device = {
    id,
    identity: { id },
    documents,
    index,
    deletions,
    clock: createManualClock(),
    random: createSeededRandom(seed),
    handles,
    receive,
  }
  return { ...device, sessions: createSessions(device) }
}

/** Each gets all that the other has, of every document. */
export function bringTogether(...devices: readonly CastDevice[]): void {
  for (const from of devices) {
    for (const to of devices) {
      if (from !== to) carry(from, to)
    }
  }
}

/** One way. */
export function carry(from: CastDevice, to: CastDevice): void {
  for (const [documentId, handle] of from.handles) to.receive(documentId, A.save(handle.doc()))
}

/** One session, open on every device. */
export async function openEverywhere(title: string, ...devices: readonly CastDevice[]): Promise<readonly Session[]> {
  const [first, ...others] = devices as readonly [CastDevice, ...CastDevice[]]
  const session = await first.sessions.create({ title })
  bringTogether(...devices)
  return [session, ...(await Promise.all(others.map(device => device.sessions.open(session.id))))]
}
