/**
 * What a session is. A person's work on one thing, in four kinds, each kind in Automerge documents of its own, so that
 * choosing kinds for a handoff means something:
 *
 *   documents    the work itself: the member documents, and the session document that lists them
 *   drafts       text not saved yet, one Automerge document for all drafts of the session
 *   views        what is open where: cursors, scroll, panes, focus; one document, a layout per device
 *   preferences  how the person likes it here; one document
 *
 * The session's id is its session document's id (the same 16 bytes, in hex), so one leads to the other without an index.
 */
import type { AutomergeUrl, DocHandle, DocumentId } from '@automerge/automerge-repo'
import type { Documents } from '../documents/documents-interface.ts'
import type { DocumentIndex, IndexedSession } from '../documents/index-document.ts'
import type { DeviceId, SessionId } from '../lib/ids.ts'
import type { Observable } from '../lib/observable.ts'
import type { HotSet } from './hot-set.ts'
import type { DraftsDoc, LeaseClaim, PreferencesDoc, PreferenceValue, SessionDoc, ViewsDoc } from './schema/shapes.ts'

export const KINDS = ['documents', 'drafts', 'views', 'preferences'] as const
export type Kind = (typeof KINDS)[number]

interface Waiting {
  readonly signal?: AbortSignal
}

/** What the session layer uses of the documents layer. */
export type SessionDocuments = Pick<
  Documents,
  'create' | 'open' | 'retain' | 'importText' | 'whenContains' | 'flush' | 'isDeleted' | 'isAbsent'
>

/** When what is deleted has to be asked again. */
export interface SessionDeletions {
  /** Changes when the answer of `SessionDocuments.isDeleted` may have changed. */
  readonly version: Pick<Observable<unknown>, 'subscribe'>
}

/** Where sessions are listed for the whole group: the root document. */
export type SessionIndex = Pick<DocumentIndex, 'sessions' | 'putSession' | 'putDocument'>

export interface Sessions {
  /** `newId` gives its documents' ids, 16 bytes each, the session's first; random ones otherwise. */
  create(options: { readonly title: string; readonly newId?: () => Uint8Array }): Promise<Session>
  readonly list: Observable<readonly IndexedSession[]>
  /**
   * Opens a session and its companions, waiting for what is on its way; the same object while it is open.
   * Throws SCHEMA_NEWER, SESSION_UNKNOWN (what is there is not a session), or the signal's reason.
   */
  open(id: SessionId, options?: Waiting): Promise<Session>
  /** Closes the sessions whose session document is one of these, and ends openings that wait: they are deleted, or not kept here any more. */
  release(documents: readonly DocumentId[], why?: 'DOCUMENT_DELETED' | 'DOCUMENT_NOT_HERE'): Promise<void>
  close(): Promise<void>
}

export interface Session {
  readonly id: SessionId
  readonly title: Observable<string>
  rename(title: string): void
  readonly documents: MemberDocuments
  readonly views: Views
  readonly drafts: Drafts
  readonly preferences: Preferences
  readonly handles: SessionHandles
  /** Who drives, by the claims in the session document; undefined only for a session without any claim. */
  readonly driver: Observable<DeviceId | undefined>
  /** Greatest first. */
  claims(): readonly LeaseClaim[]
  /** Adds a claim to the grow-only map; adding one again changes nothing. Durable after `flush`. */
  writeClaim(claim: LeaseClaim): void
  /** Heads of every document of the chosen kinds. The session document is always in it. Opens what is closed. */
  manifest(kinds?: readonly Kind[], options?: Waiting): Promise<Manifest>
  /** At most MAX_HOT_SET_BYTES encoded: enough to show, read-only, what is on the driver's screen. */
  hotSet(options?: Waiting): Promise<HotSet>
  /** Cursor moves still in memory are written, and everything is durable, when it resolves. */
  flush(): Promise<void>
  /** Stops following; writes what is still in memory. Deletes nothing. */
  close(): Promise<void>
}

export interface SessionHandles {
  readonly session: DocHandle<SessionDoc>
  readonly drafts: DocHandle<DraftsDoc>
  readonly views: DocHandle<ViewsDoc>
  readonly preferences: DocHandle<PreferencesDoc>
}

export interface MemberDocument {
  readonly documentId: DocumentId
  readonly title: string
  readonly addedBy: DeviceId
  /** Taken off the list, by whom; the document itself stays. */
  readonly removedBy: DeviceId | undefined
}

export interface OpenDocument<T> extends MemberDocument {
  readonly handle: DocHandle<T>
}

export interface MemberDocuments {
  /** In the order they were added, without removed ones. */
  readonly list: Observable<readonly MemberDocument[]>
  create<T extends Record<string, unknown>>(options: { readonly title: string; readonly initial: T }): Promise<OpenDocument<T>>
  /** Takes an existing document in; one that was removed comes back. */
  add<T>(document: DocumentId | AutomergeUrl | DocHandle<T>, options?: { readonly title?: string }): Promise<OpenDocument<T>>
  open<T>(documentId: DocumentId, options?: Waiting): Promise<DocHandle<T>>
  remove(documentId: DocumentId): Promise<void>
  rename(documentId: DocumentId, title: string): void
  /** A UTF-8 file becomes a text document `{ text }`. Throws DOCUMENT_NOT_TEXT, DOCUMENT_TOO_LARGE. */
  importText(options: { readonly title: string; readonly bytes: Uint8Array }): Promise<OpenDocument<{ text: string }>>
  /** The text of a document, byte for byte as it was imported while nobody edits it. */
  exportText(documentId: DocumentId, options?: Waiting): Promise<Uint8Array>
}

/** Where in a document: keys and indexes from its root. */
export type DocumentPath = readonly (string | number)[]

/** Positions are UTF-16 units of the text, as editors count them. */
export interface ViewState {
  readonly document: DocumentId
  readonly path: DocumentPath
  readonly selection: { readonly anchor: number; readonly head: number } | undefined
  readonly scroll: { readonly top: number | undefined; readonly fraction: number } | undefined
  readonly pane: number
}

export interface View extends ViewState {
  readonly id: string
}

export interface Layout {
  readonly device: DeviceId
  /** In the order of the panes. */
  readonly views: readonly View[]
  readonly focus: string | undefined
  /** Counts moves over all devices: the greater moved later. */
  readonly moves: number
}

/** `top` is the text position of the first line shown, `fraction` (0..1) how much of it is scrolled off; without `top`, of the whole. */
export interface ViewChange {
  readonly selection?: { readonly anchor: number; readonly head: number }
  readonly scroll?: { readonly top?: number; readonly fraction: number }
  readonly pane?: number
}

export interface Views {
  /** This device's own layout, read now; positions follow what others typed meanwhile. */
  layout(): Layout
  /** The layout that travels: the driver's; while the driver has none, the one moved last. Opens its documents, to know the positions. */
  travelling(options?: Waiting): Promise<Layout | undefined>
  open(view: { readonly document: DocumentId; readonly path?: DocumentPath } & ViewChange): Promise<string>
  /** Kept in memory and written at most once in VIEW_WRITE_MS; `Session.flush` writes at once. */
  update(id: string, change: ViewChange): void
  focus(id: string): void
  close(id: string): void
  /** Makes another device's layout this device's own: what a handoff restores. Default: the travelling one. */
  adopt(from?: DeviceId): Promise<Layout | undefined>
  flush(): void
}

export type DraftTarget =
  /** The draft is the whole text at `path`, as edited from what it was when the draft was made. */
  | { readonly mode: 'replace'; readonly document: DocumentId; readonly path?: DocumentPath }
  /** The draft is to be inserted at a position that follows what others type. */
  | { readonly mode: 'insert'; readonly document: DocumentId; readonly path?: DocumentPath; readonly at: number }

export interface Draft {
  readonly id: string
  readonly text: string
  readonly target: { readonly mode: 'replace' | 'insert'; readonly document: DocumentId; readonly path: DocumentPath } | undefined
  readonly createdBy: DeviceId
  readonly state: 'open' | 'saved' | 'discarded'
}

export interface Drafts {
  /** Open drafts, oldest first. */
  readonly list: Observable<readonly Draft[]>
  get(id: string): Draft | undefined
  /** A new draft, free when without a target. A 'replace' draft starts as the target's text unless `text` is given. */
  create(draft: { readonly text?: string; readonly target?: DraftTarget }): Promise<string>
  /** Brings the draft's text to `text` by the smallest edit, so that two devices typing into one draft merge. */
  set(id: string, text: string): void
  /** Moves the text into its target as one change and closes the draft. A free draft needs a target now. */
  save(id: string, options?: { readonly target?: DraftTarget } & Waiting): Promise<void>
  /** Closes the draft. Its text stays recoverable: `reopen`. */
  discard(id: string): void
  reopen(id: string): void
}

export interface Preferences {
  get(key: string): PreferenceValue | undefined
  /** `undefined` removes it. */
  set(key: string, value: PreferenceValue | undefined): void
  readonly all: Observable<Readonly<Record<string, PreferenceValue>>>
}

/** What a handoff promises to bring: nothing in it is content. */
export interface Manifest {
  readonly schemaVersion: number
  readonly session: SessionId
  readonly kinds: readonly Kind[]
  readonly documents: readonly ManifestDocument[]
}

export interface ManifestDocument {
  readonly documentId: DocumentId
  readonly kind: 'session' | Kind
  /** Hex, sorted. */
  readonly heads: readonly string[]
}
