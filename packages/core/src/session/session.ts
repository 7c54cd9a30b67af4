/** One open session: its four structures, put together. */
import * as A from '@automerge/automerge'
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import type { DeviceId } from '../lib/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import {
  KINDS,
  type Kind,
  type ManifestDocument,
  type Session,
  type SessionDeletions,
  type SessionDocuments,
  type SessionHandles,
  type SessionIndex,
} from './contract.ts'
import { createDrafts } from './drafts.ts'
import { follow } from './follow.ts'
import { makeHotSet, type HotSource } from './hot-set.ts'
import { addClaim, driverOf, readClaims } from './lease-claims.ts'
import { createMemberDocuments, membersOf } from './member-documents.ts'
import { textAt } from './points.ts'
import { createPreferences } from './preferences.ts'
import { SCHEMA_VERSION } from './schema/shapes.ts'
import { sessionIdOf } from './session-ids.ts'
import { createViews } from './views.ts'

export interface SessionComponents {
  readonly documents: SessionDocuments
  readonly index: SessionIndex
  readonly deletions: SessionDeletions
  readonly identity: { readonly id: DeviceId }
  readonly clock: Clock
  readonly random: Random
}

/** The handles are open and checked. `onClose` runs once, when the session is closed. */
export async function createSession(handles: SessionHandles, components: SessionComponents, onClose: () => void): Promise<Session> {
  const { documents, index, clock } = components
  const { session } = handles
  const id = sessionIdOf(session.documentId)
  const title = follow(session, doc => doc.title)
  const driver = follow(session, driverOf)
  const views = await createViews({ ...components, handle: handles.views, driver: () => driverOf(session.doc()) })
  const members = createMemberDocuments({ ...components, handle: session })
  const drafts = createDrafts({ ...components, handle: handles.drafts })
  const preferences = createPreferences(handles.preferences)
  const stopListing = title.value.subscribe(now => list(now))
  const list = (now: string): void => {
    const listed = index.sessions.peek().find(entry => entry.id === id)
    if (listed?.title !== now) {
      index.putSession({ id, documentId: session.documentId, title: now, createdAt: listed?.createdAt ?? clock.now() })
    }
  }

  const documentsOf: Readonly<Record<Kind, () => readonly DocumentId[]>> = {
    documents: () =>
      membersOf(session.doc())
        .filter(member => member.removedBy === undefined && !documents.isAbsent(member.documentId))
        .map(member => member.documentId),
    drafts: () => [handles.drafts.documentId],
    views: () => [handles.views.documentId],
    preferences: () => [handles.preferences.documentId],
  }
  const flush = async (): Promise<void> => {
    views.flush()
    await documents.flush()
  }
  let closing: Promise<void> | undefined

  return {
    id,
    title: title.value,
    rename(to) {
      if (session.doc().title !== to) session.change(doc => void (doc.title = to))
      list(to)
    },
    documents: members,
    views,
    drafts,
    preferences,
    handles,
    driver: driver.value,
    claims: () => readClaims(session.doc()),
    writeClaim: claim => session.change(doc => addClaim(doc, claim)),
    async manifest(kinds = KINDS, options) {
      const entries: ManifestDocument[] = [entryOf(session, 'session')]
      for (const kind of KINDS.filter(each => kinds.includes(each))) {
        for (const documentId of documentsOf[kind]()) entries.push(entryOf(await documents.open<unknown>(documentId, options), kind))
      }
      return { schemaVersion: SCHEMA_VERSION, session: id, kinds: KINDS.filter(kind => kinds.includes(kind)), documents: entries }
    },
    async hotSet(options) {
      const layout = await views.travelling(options)
      const titles = new Map(membersOf(session.doc()).map(member => [member.documentId, member.title]))
      const sources: HotSource[] = []
      for (const view of layout?.views ?? []) {
        const text = textAt((await documents.open<unknown>(view.document, options)).doc(), view.path) ?? ''
        sources.push({
          document: view.document,
          title: titles.get(view.document) ?? '',
          pane: view.pane,
          focused: view.id === layout?.focus,
          text,
          anchor: view.selection?.anchor,
          head: view.selection?.head,
          top: view.scroll?.top,
        })
      }
      return makeHotSet(session.doc().title, sources)
    },
    flush,
    close() {
      closing ??= (async () => {
        views.stop()
        stopListing()
        for (const stop of [title.stop, driver.stop, members.close, drafts.stop, preferences.close]) stop()
        onClose()
        await documents.flush()
      })()
      return closing
    },
  }
}

function entryOf(handle: DocHandle<unknown> | SessionHandles['session'], kind: ManifestDocument['kind']): ManifestDocument {
  return { documentId: handle.documentId, kind, heads: A.getHeads(handle.doc()).toSorted() }
}
