/** What deleting here takes away: a session's drafts, views, preferences and documents, less what a session that stays lists as well. */
import type { DocumentId } from '@automerge/automerge-repo'
import { SegueError } from '../lib/errors.ts'
import type { SessionId } from '../lib/ids.ts'
import type { DocumentIndex } from '../documents/index.ts'
import type { DeletedKind, DeletionPlan, DeletionTarget } from './contract.ts'
import { isLarge } from './guard.ts'
import type { HereEntry } from './here-record.ts'
import type { SessionList } from './session-lists.ts'

export interface HereTarget {
  readonly target: DeletionTarget
  /** As the index calls it. */
  readonly title: string
  /** Of a session: its own documents and all it lists. */
  readonly documents: readonly DocumentId[]
}

export interface HerePlanParts {
  readonly index: Pick<DocumentIndex, 'documents' | 'sessions'>
  readonly lists: ReadonlyMap<SessionId, SessionList>
  readonly entries: readonly HereEntry[]
  readonly isDeleted: (documentId: DocumentId) => boolean
}

/** Throws SESSION_UNKNOWN or DOCUMENT_UNKNOWN for what the index does not list. */
export function planHere(
  targets: readonly DeletionTarget[],
  { index, lists, entries, isDeleted }: HerePlanParts,
): { readonly plan: DeletionPlan; readonly targets: readonly HereTarget[] } {
  const sessions = index.sessions.peek()
  const titles = new Map(index.documents.peek().map(({ id, title }) => [id, title ?? '']))
  const named = targets.map((target): HereTarget => {
    if ('document' in target) {
      const isSession = sessions.some(({ documentId }) => documentId === target.document)
      const title = titles.get(target.document)
      if (title === undefined || isSession) throw new SegueError('DOCUMENT_UNKNOWN')
      return { target, title, documents: [target.document] }
    }
    const session = sessions.find(({ id }) => id === target.session)
    if (session === undefined) throw new SegueError('SESSION_UNKNOWN')
    const { companions, members, former } = lists.get(session.id) ?? NO_LIST
    return { target, title: session.title, documents: [...companions, ...members, ...former] }
  })
  const asIfGone = (each: HereTarget): HereEntry => ({
    session: 'session' in each.target ? each.target.session : undefined,
    document: 'document' in each.target ? each.target.document : undefined,
    ...{ title: '', at: 0, state: 'gone', documents: each.documents },
  })
  const before = wantedOut(entries, lists, isDeleted)
  const after = wantedOut([...entries.filter(entry => !isAmong(entry, targets)), ...named.map(asIfGone)], lists, isDeleted)
  const going = new Set([...after].filter(id => !before.has(id)))
  const parts = named.map(({ target, documents }) => {
    const own = documents.filter(id => going.has(id))
    for (const id of own) going.delete(id)
    const companions = 'session' in target ? (lists.get(target.session)?.companions ?? []) : []
    const kindOf = (id: DocumentId): DeletedKind => COMPANIONS[companions.indexOf(id)] ?? 'document'
    return {
      session: 'session' in target ? target.session : undefined,
      documents: own.map(documentId => ({ documentId, kind: kindOf(documentId) })),
    }
  })
  const total = titles.size + sessions.length
  const listed = new Set(parts.flatMap(part => part.documents.map(({ documentId }) => documentId)).filter(id => titles.has(id)))
  const count = listed.size + parts.filter(({ session }) => session !== undefined).length
  return { plan: { parts, count, total, isLarge: isLarge(count, total) }, targets: named }
}

/** What is not to be here, by what a person asked for and what the sessions list. */
export function wantedOut(
  entries: Iterable<HereEntry>,
  lists: ReadonlyMap<SessionId, SessionList>,
  isDeleted: (documentId: DocumentId) => boolean,
): ReadonlySet<DocumentId> {
  const gone = [...entries].filter(({ state }) => state === 'gone')
  const away = new Set(gone.flatMap(({ session }) => (session === undefined ? [] : [session])))
  const staying = new Set(
    [...lists].flatMap(([session, { members, companions }]) => (away.has(session) ? [] : [...companions, ...members])),
  )
  const wanted = new Set<DocumentId>()
  for (const { session, document, documents } of gone) {
    if (document !== undefined && !isDeleted(document)) wanted.add(document)
    if (session === undefined) continue
    for (const id of documents) if (!staying.has(id) && !isDeleted(id)) wanted.add(id)
  }
  return wanted
}

const NO_LIST: SessionList = { companions: [], members: [], former: [] }
const COMPANIONS: readonly DeletedKind[] = ['drafts', 'views', 'preferences']

function isAmong({ session, document }: HereEntry, targets: readonly DeletionTarget[]): boolean {
  return targets.some(target => ('session' in target ? target.session === session : target.document === document))
}
