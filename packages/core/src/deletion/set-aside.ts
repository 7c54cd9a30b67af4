/**
 * What goes aside on this device before the chunks of a deletion go: what the deleting device did not have, and with it where this device
 * had it open.
 */
import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import type { Documents, DocumentIndex } from '../documents/index.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { SessionDoc } from '../session/schema/shapes.ts'
import type { AsideDocument, KeptEdits } from './kept-edits.ts'
import { memberTitles, newMembers } from './targets.ts'
import type { DeletedDocument, Tombstone } from './tombstone.ts'
import { editsBeyond } from './versions.ts'

export interface SettingAside {
  /** Before `setAside` of a deleted session: what the sessions that stay list. */
  readLists(): Promise<void>
  /** Durable when it resolves, with the heads that were looked at. `isAll`: all of it, new or not. */
  setAside(tombstone: Tombstone, by: DeviceId, isAll: boolean): Promise<ReadonlyMap<DocumentId, readonly string[]>>
}

export interface SettingAsideParts {
  readonly documents: Pick<Documents, 'read'>
  readonly index: Pick<DocumentIndex, 'documents' | 'sessions'>
  readonly kept: Pick<KeptEdits, 'put'>
}

export function createSettingAside({ documents, index, kept }: SettingAsideParts): SettingAside {
  const lists = new Map<DocumentId, ReadonlySet<DocumentId>>()
  const titleOf = (documentId: DocumentId): string | undefined => index.documents.peek().find(({ id }) => id === documentId)?.title

  /** A member that the tombstone leaves out was spared on purpose, unless the deleting device did not know of it. */
  const countsAsNew = (session: DeletedDocument, doc: A.Doc<unknown>, member: DocumentId): boolean => {
    if (editsBeyond(doc, session.known ?? new Map()) === 0) return false
    return !index.sessions.peek().some(({ documentId }) => documentId !== session.documentId && lists.get(documentId)?.has(member) === true)
  }

  return {
    async readLists() {
      lists.clear()
      for (const { documentId } of index.sessions.peek()) {
        const doc = (await documents.read(documentId)) as unknown as SessionDoc
        lists.set(documentId, new Set(Object.keys(doc.documents ?? {}) as DocumentId[]))
      }
    },
    async setAside(tombstone, by, isAll) {
      const heads = new Map<DocumentId, readonly string[]>()
      const aside: AsideDocument[] = []
      const layouts: AsideDocument[] = []
      const ids = new Set(tombstone.documents.map(({ documentId }) => documentId))
      let titles: ReadonlyMap<DocumentId, string> = new Map()
      let named: string | undefined
      for (const each of tombstone.documents) {
        const { documentId, kind } = each
        const doc = await documents.read(documentId)
        heads.set(documentId, A.getHeads(doc))
        if (A.getHeads(doc).length === 0) continue
        if (kind === 'session') {
          titles = memberTitles(doc)
          named = (doc as unknown as SessionDoc).title
          const added = newMembers(doc, ids).map(member => ({ ...member, kind: 'document' as const, edits: 0, saved: undefined }))
          aside.push(...added.filter(({ documentId: id }) => isAll || countsAsNew(each, doc, id)))
        }
        if (kind === 'views') layouts.push({ documentId, kind, title: '', edits: 0, saved: A.save(doc) })
        if (kind !== 'document' && kind !== 'drafts') continue
        const count = editsBeyond(doc, each.known ?? new Map())
        if (count === 0 && !isAll) continue
        aside.push({ documentId, kind, title: titles.get(documentId) ?? titleOf(documentId) ?? '', edits: count, saved: A.save(doc) })
      }
      if (aside.length > 0) {
        const title = named ?? aside[0]?.title ?? ''
        await kept.put({ deletion: tombstone.id, by, at: tombstone.at, title, documents: [...aside, ...layouts] })
      }
      return heads
    },
  }
}
