/** The sessions of this group: making, finding and opening them. */
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import { SegueError } from '../lib/errors.ts'
import { RANDOM_ID_BYTES, type SessionId } from '../lib/ids.ts'
import type { Session, SessionHandles, Sessions } from './contract.ts'
import { follow } from './follow.ts'
import { addClaim } from './lease-claims.ts'
import { GENESIS } from './schema/genesis.ts'
import type { DraftsDoc, PreferencesDoc, SessionDoc, StructureName, ViewsDoc } from './schema/shapes.ts'
import { openStructure } from './schema/structure.ts'
import { word } from './schema/words.ts'
import { documentIdOf, documentIdOfBytes, sessionIdOf } from './session-ids.ts'
import { createSession, type SessionComponents } from './session.ts'

export function createSessions(components: SessionComponents): Sessions {
  const { documents, index, identity, clock, random } = components
  const open = new Map<SessionId, Opening>()
  const closing = new AbortController()

  const randomId = (): Uint8Array => random.bytes(RANDOM_ID_BYTES)
  const make = <T>(name: StructureName, newId: () => Uint8Array): Promise<DocHandle<T>> =>
    documents.create<T>(GENESIS[name].bytes, { documentId: documentIdOfBytes(newId()) })

  const start = async (id: SessionId, signal: AbortSignal): Promise<Session> => {
    const retained: (() => void)[] = []
    const letGo = (): void => {
      for (const release of retained) release()
    }
    /** However long nobody touches it, and whatever else is opened: its handle is of no use once it is closed. */
    const openToStay = async <T>(documentId: DocumentId): Promise<DocHandle<T>> => {
      const handle = await documents.open<T>(documentId, { signal })
      retained.push(documents.retain(documentId))
      return handle
    }
    try {
      return await compose(id, openToStay, signal, letGo)
    } catch (error) {
      letGo()
      throw error
    }
  }
  const compose = async (
    id: SessionId,
    openToStay: <T>(documentId: DocumentId) => Promise<DocHandle<T>>,
    signal: AbortSignal,
    onClose: () => void,
  ): Promise<Session> => {
    const session = await openToStay<SessionDoc>(documentIdOf(id))
    openStructure(session, 'session')
    const companion = async <T>(name: 'drafts' | 'views' | 'preferences'): Promise<DocHandle<T>> => {
      const documentId = await companionOf(session, name, signal)
      const handle = await openToStay<T>(documentId)
      openStructure(handle, name)
      return handle
    }
    const handles: SessionHandles = {
      session,
      drafts: await companion<DraftsDoc>('drafts'),
      views: await companion<ViewsDoc>('views'),
      preferences: await companion<PreferencesDoc>('preferences'),
    }
    return createSession(handles, components, () => {
      open.delete(id)
      onClose()
    })
  }

  /** One opening for all who ask; each waits only as long as its own signal lets it. */
  const openOnce = (id: SessionId, signal?: AbortSignal): Promise<Session> => {
    const present = open.get(id)
    if (present !== undefined) return unlessAborted(present.session, signal)
    const ending = new AbortController()
    const session = start(id, AbortSignal.any([closing.signal, ending.signal]))
    open.set(id, { session, ending })
    session.catch(() => open.delete(id)) // the caller hears of it; the next one may try again
    return unlessAborted(session, signal)
  }

  return {
    list: index.sessions,
    async create({ title, newId = randomId }) {
      const session = await make<SessionDoc>('session', newId)
      const drafts = await make<DraftsDoc>('drafts', newId)
      const views = await make<ViewsDoc>('views', newId)
      const preferences = await make<PreferencesDoc>('preferences', newId)
      session.change(doc => {
        doc.title = title
        Object.assign(doc.companions, companionsOf({ drafts, views, preferences }))
        addClaim(doc, { counter: 1, device: identity.id, kind: 'opened', time: clock.now() })
      })
      const id = sessionIdOf(session.documentId)
      index.putSession({ id, documentId: session.documentId, title, createdAt: clock.now() })
      return openOnce(id)
    },
    open: (id, { signal } = {}) => openOnce(id, signal),
    async release(ids, why = 'DOCUMENT_DELETED') {
      for (const id of ids) {
        const opening = open.get(sessionIdOf(id))
        opening?.ending.abort(new SegueError(why)) // it may wait for something that is gone
        await (await opening?.session.catch(() => undefined))?.close()
      }
    },
    async close() {
      closing.abort(new SegueError('CLOSED'))
      const all = [...open.values()].map(async ({ session }) => (await session.catch(() => undefined))?.close())
      const failures = (await Promise.allSettled(all)).flatMap(result => (result.status === 'rejected' ? [result.reason as unknown] : []))
      if (failures.length > 0) throw new AggregateError(failures, 'could not close every session')
    },
  }
}

interface Opening {
  readonly session: Promise<Session>
  /** Nobody waits for it any more. No matter once it is open. */
  readonly ending: AbortController
}

/** The change that names the companions may arrive after the genesis. */
async function companionOf(
  session: DocHandle<SessionDoc>,
  name: 'drafts' | 'views' | 'preferences',
  signal: AbortSignal,
): Promise<DocumentId> {
  const named = follow(session, doc => doc.companions[name]?.val)
  try {
    return (await named.value.when(id => id !== undefined, { signal })) as DocumentId
  } finally {
    named.stop()
  }
}

function companionsOf(
  handles: Readonly<Record<'drafts' | 'views' | 'preferences', { readonly documentId: DocumentId }>>,
): SessionDoc['companions'] {
  return {
    drafts: word(handles.drafts.documentId),
    views: word(handles.views.documentId),
    preferences: word(handles.preferences.documentId),
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
