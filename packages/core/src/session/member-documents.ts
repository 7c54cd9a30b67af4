/**
 * The documents that a session lists. Taking one off the list keeps its entry, marked with the heads it had: an edit made
 * elsewhere at the same time is then seen as what it is, "removed here and edited there", and nothing is lost.
 */
import * as A from '@automerge/automerge'
import { isValidAutomergeUrl, parseAutomergeUrl, type AutomergeUrl, type DocHandle, type DocumentId } from '@automerge/automerge-repo'
import { SegueError } from '../lib/errors.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { MemberDocument, MemberDocuments, OpenDocument, SessionDeletions, SessionDocuments, SessionIndex } from './contract.ts'
import { follow } from './follow.ts'
import { textAt } from './points.ts'
import type { MemberRecord, SessionDoc } from './schema/shapes.ts'
import { packHeads, word } from './schema/words.ts'
import { fileOfText, textOfFile } from './text-file.ts'

export interface MemberDocumentsComponents {
  readonly handle: DocHandle<SessionDoc>
  readonly documents: SessionDocuments
  readonly index: SessionIndex
  readonly deletions: SessionDeletions
  readonly identity: { readonly id: DeviceId }
  readonly clock: Clock
}

export function createMemberDocuments({
  handle,
  documents,
  index,
  deletions,
  identity,
  clock,
}: MemberDocumentsComponents): MemberDocuments & { close(): void } {
  /** Whoever deleted one takes it off in the document, if it lives that long: until then, and for ever otherwise, it is left out here. */
  const list = follow(
    handle,
    doc => membersOf(doc).filter(member => member.removedBy === undefined && !documents.isDeleted(member.documentId)),
    deletions.version,
  )

  const enlist = <T>(member: DocHandle<T>, title: string | undefined): OpenDocument<T> => {
    const { documentId } = member
    // Read before the change: within one, every look at an entry goes through Automerge.
    const number = 1 + Object.values(handle.doc().documents).reduce((greatest, record) => Math.max(greatest, record.number), 0)
    handle.change(doc => {
      const present = doc.documents[documentId]
      if (present === undefined) {
        doc.documents[documentId] = { title: title ?? '', number, addedBy: word(identity.id) }
      } else {
        if (present.removed !== undefined) delete present.removed
        if (title !== undefined && title !== present.title) present.title = title
      }
    })
    const entry = memberOf(documentId, handle.doc().documents[documentId] as MemberRecord)
    index.putDocument({ id: documentId, kind: 'document', title: entry.title })
    return { ...entry, handle: member }
  }

  const change = (documentId: DocumentId, edit: (record: MemberRecord) => void): void => {
    if (handle.doc().documents[documentId] === undefined) throw new SegueError('DOCUMENT_UNKNOWN')
    handle.change(doc => edit(doc.documents[documentId] as MemberRecord))
  }

  return {
    list: list.value,
    async create<T extends Record<string, unknown>>({ title, initial }: { title: string; initial: T }): Promise<OpenDocument<T>> {
      return enlist(await documents.create<T>(draft => void Object.assign(draft, initial)), title)
    },
    async add(document, options = {}) {
      return enlist(await bringIn(documents, document), options.title)
    },
    open: (documentId, options) => documents.open(documentId, options),
    async remove(documentId) {
      const heads = packHeads(A.getHeads((await documents.open(documentId)).doc()))
      change(documentId, record => {
        if (record.removed === undefined) record.removed = { by: word(identity.id), heads, time: clock.now() }
      })
    },
    rename(documentId, title) {
      change(documentId, record => {
        if (record.title !== title) record.title = title
      })
      index.putDocument({ id: documentId, kind: 'document', title })
    },
    async importText({ title, bytes }) {
      const text = textOfFile(bytes)
      const member = await documents.create<{ text: string }>(draft => void (draft.text = ''))
      await documents.importText(member, ['text'], text)
      return enlist(member, title)
    },
    async exportText(documentId, options) {
      const text = textAt((await documents.open(documentId, options)).doc(), ['text'])
      if (text === undefined) throw new SegueError('DOCUMENT_NOT_TEXT')
      return fileOfText(text)
    },
    close: list.stop,
  }
}

/** All entries, removed ones too, in the order they were added. */
export function membersOf(doc: SessionDoc): readonly MemberDocument[] {
  return Object.entries(doc.documents)
    .sort(([a, x], [b, y]) => x.number - y.number || (a < b ? -1 : 1))
    .map(([documentId, record]) => memberOf(documentId as DocumentId, record))
}

function memberOf(documentId: DocumentId, record: MemberRecord): MemberDocument {
  return {
    documentId,
    title: record.title,
    addedBy: record.addedBy.val as DeviceId,
    removedBy: record.removed?.by.val as DeviceId | undefined,
  }
}

function bringIn<T>(documents: SessionDocuments, document: DocumentId | AutomergeUrl | DocHandle<T>): Promise<DocHandle<T>> {
  // A handle may come from a Repo of the app's own: its history is loaded into ours; what is there already changes nothing.
  if (typeof document !== 'string') return documents.create<T>(A.save(document.doc()), { documentId: document.documentId })
  return documents.open<T>(isValidAutomergeUrl(document) ? parseAutomergeUrl(document).documentId : document)
}
