/** The history of one open session: checkpoints, comparison, conflicts, reverting. */
import * as A from '@automerge/automerge'
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import { SegueError } from '../lib/errors.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { TelemetrySink } from '../ports/telemetry-sink.ts'
import { KINDS, type Kind, type Session, type SessionDocuments } from '../session/contract.ts'
import { membersOf } from '../session/member-documents.ts'
import { textAt } from '../session/points.ts'
import type { MemberRecord } from '../session/schema/shapes.ts'
import type { TelemetryEvent } from '../telemetry/events.ts'
import { bringBack } from './bring-back.ts'
import { findCheckpoint, readCheckpoints, writeCheckpoint } from './checkpoints.ts'
import { countChanges } from './comparison.ts'
import { findConflicts, type FoundConflict } from './conflicts.ts'
import type { Checkpoint, CheckpointReason, Choice, Conflict, ConflictFilter, DocumentComparison, History } from './contract.ts'
import type { Fork } from './graph.ts'
import { closedDraftConflicts, driversConflict, removedDocumentConflict } from './session-conflicts.ts'
import { createForkCache, type ForkCache } from './text-conflicts.ts'
import { isResolved, markResolved, markReviewed, reviewedHeads } from './settled.ts'

export interface HistoryComponents {
  readonly session: Session
  readonly documents: SessionDocuments
  readonly identity: { readonly id: DeviceId }
  readonly clock: Clock
  readonly random: Random
  readonly telemetry: TelemetrySink<TelemetryEvent>
  /** The device behind each Automerge actor of an open document, where a claim says so. */
  readonly authors?: (document: DocumentId) => Promise<ReadonlyMap<string, DeviceId>>
}

const REVERTED_KINDS: readonly Kind[] = ['documents', 'drafts', 'preferences']

export function createHistory(components: HistoryComponents): History {
  const { session, documents, identity, clock, telemetry, authors = async () => new Map() } = components
  const { handles } = session
  const kindOf = (documentId: DocumentId): 'session' | Kind => {
    if (documentId === handles.session.documentId) return 'session'
    if (documentId === handles.drafts.documentId) return 'drafts'
    if (documentId === handles.views.documentId) return 'views'
    return documentId === handles.preferences.documentId ? 'preferences' : 'documents'
  }
  const openFor = <T>(documentId: DocumentId, signal: AbortSignal | undefined): Promise<DocHandle<T>> =>
    documents.open<T>(documentId, signal === undefined ? {} : { signal })

  const takeCheckpoint = async (reason: CheckpointReason, signal?: AbortSignal): Promise<Checkpoint> => {
    session.views.flush()
    const manifest = await session.manifest(KINDS, signal === undefined ? {} : { signal })
    const checkpoint = writeCheckpoint(handles.session, reason, manifest.documents, components)
    await documents.flush()
    return checkpoint
  }

  const caches = new Map<DocumentId, ForkCache>()
  const search = async ({ kinds = KINDS, since, signal }: ConflictFilter = {}): Promise<readonly FoundConflict[]> => {
    const list = handles.session
    const checkpoint = since === undefined ? undefined : findCheckpoint(list.doc(), since)
    const found: FoundConflict[] = []
    const searchIn = async (handle: DocHandle<unknown>, kind: 'session' | Kind): Promise<void> => {
      const devices = await authors(handle.documentId)
      const doc = handle.doc()
      const reviewed = reviewedHeads(list.doc(), handle.documentId).map(heads => changesAfter(doc, heads))
      const heads = checkpoint?.heads[handle.documentId]
      const after = heads === undefined ? undefined : changesAfter(doc, heads)
      const settled = after === undefined ? reviewed : [...reviewed, after]
      const isSettled = (fork: Fork): boolean => settled.some(changes => fork.sides.every(side => !changes.has(side)))
      const isNew = (operation: string): boolean => after === undefined || isOperationIn(operation, after)
      const cache = caches.get(handle.documentId) ?? createForkCache()
      caches.set(handle.documentId, cache)
      found.push(...findConflicts({ handle, kind, self: identity.id, authors: devices, isSettled, isNew, cache }))
    }
    await searchIn(list, 'session')
    const drivers = driversConflict(session, identity.id, clock.now)
    if (drivers !== undefined) found.push(drivers)
    if (kinds.includes('documents')) {
      for (const member of membersOf(list.doc())) {
        if (documents.isAbsent(member.documentId)) continue // what was edited meanwhile is the deletion's business
        const handle = await openFor<unknown>(member.documentId, signal)
        if (member.removedBy === undefined) await searchIn(handle, 'documents')
        const removed = removedDocumentConflict(session, handle, identity.id)
        if (removed !== undefined) found.push(removed)
      }
    }
    if (kinds.includes('drafts')) {
      await searchIn(handles.drafts, 'drafts')
      found.push(...closedDraftConflicts(session, identity.id))
    }
    if (kinds.includes('preferences')) await searchIn(handles.preferences, 'preferences')
    const byId = new Map(found.map(conflict => [conflict.id, conflict]))
    return [...byId.values()].filter(conflict => !isResolved(list.doc(), conflict.id) && !isInClosedDraft(conflict))
  }
  const isInClosedDraft = (conflict: FoundConflict): boolean =>
    conflict.kind === 'text' && conflict.documentKind === 'drafts' && session.drafts.get(String(conflict.path[1]))?.state !== 'open'

  const settle = async (id: string, pick: (conflict: FoundConflict) => Choice, decision: 'suggested' | 'chosen'): Promise<void> => {
    const conflict = (await search()).find(each => each.id === id)
    if (conflict === undefined) throw new SegueError('CONFLICT_UNKNOWN')
    const choice = pick(conflict)
    const name = typeof choice === 'object' ? 'text' : choice
    if (!conflict.choices.includes(name)) throw new RangeError(`this conflict offers ${conflict.choices.join(', ')}; not ${name}`)
    await conflict.resolve(choice)
    markResolved(handles.session, conflict, name, { by: identity.id, time: clock.now() })
    const isOpen = (await search()).some(each => each.document === conflict.document && each.kind === 'text')
    if (conflict.kind === 'text' && !isOpen) {
      const handle = await openFor<unknown>(conflict.document, undefined)
      const doc = handle.doc()
      markReviewed(handles.session, conflict.document, A.getHeads(doc), heads => A.hasHeads(doc, [...heads]))
    }
    telemetry.record({ type: 'merge-decided', time: clock.now(), session: session.id, conflicts: 1, decision })
    await documents.flush()
  }

  return {
    takeCheckpoint: (reason, { signal } = {}) => takeCheckpoint(reason, signal),
    checkpoints: () => readCheckpoints(handles.session.doc()),
    async compare(from, { to, signal } = {}) {
      const before = findCheckpoint(handles.session.doc(), from)
      const after = to === undefined ? undefined : findCheckpoint(handles.session.doc(), to)
      const comparisons: DocumentComparison[] = []
      for (const [id, heads] of Object.entries(before.heads)) {
        const documentId = id as DocumentId
        if (documents.isAbsent(documentId)) continue
        await documents.whenContains(documentId, heads, signal === undefined ? {} : { signal })
        const doc = (await openFor<unknown>(documentId, signal)).doc()
        const until = after === undefined ? A.getHeads(doc) : (after.heads[documentId] ?? heads)
        comparisons.push({ documentId, kind: kindOf(documentId), ...countChanges(doc, heads, until) })
      }
      return comparisons
    },
    async textsSince(checkpoint, document, path = ['text']) {
      const heads = findCheckpoint(handles.session.doc(), checkpoint).heads[document]
      const doc = (await openFor<unknown>(document, undefined)).doc()
      return { before: heads === undefined ? undefined : textAt(A.view(doc, [...heads]), path), now: textAt(doc, path) }
    },
    async conflicts(filter) {
      return (await search(filter)).map(({ resolve: _, ...conflict }): Conflict => conflict)
    },
    accept: id => settle(id, conflict => conflict.suggested, 'suggested'),
    choose: (id, choice) => settle(id, () => choice, 'chosen'),
    async revert(id, { kinds = REVERTED_KINDS, signal } = {}) {
      const checkpoint = findCheckpoint(handles.session.doc(), id)
      const wanted = Object.entries(checkpoint.heads).filter(
        ([documentId]) => kinds.some(kind => kind === kindOf(documentId as DocumentId)) && !documents.isAbsent(documentId as DocumentId),
      )
      for (const [documentId, heads] of wanted) {
        await documents.whenContains(documentId as DocumentId, heads, signal === undefined ? {} : { signal })
      }
      const before = await takeCheckpoint('before-revert', signal)
      const changed: DocumentId[] = []
      for (const [each, heads] of wanted) {
        const documentId = each as DocumentId
        const handle = await openFor<unknown>(documentId, signal)
        const kind = kindOf(documentId)
        if (bringBack(handle, heads, kind === 'documents' ? undefined : PLACE_OF[kind])) changed.push(documentId)
        if (handles.session.doc().documents[documentId]?.removed !== undefined) {
          handles.session.change(doc => void delete (doc.documents[documentId] as MemberRecord).removed)
        }
      }
      telemetry.record({ type: 'reverted', time: clock.now(), session: session.id, documents: changed.length })
      await documents.flush()
      return { before, changed }
    },
  }
}

/** Of Segue's own structures only the content is brought back, never the schema version. */
const PLACE_OF: Readonly<Record<'session' | Exclude<Kind, 'documents'>, ManifestPlace>> = {
  session: 'title',
  drafts: 'drafts',
  views: 'layouts',
  preferences: 'values',
}
type ManifestPlace = 'title' | 'drafts' | 'layouts' | 'values'

interface ChangesAfter {
  has(hash: string): boolean
  readonly spans: readonly { readonly actor: string; readonly startOp: number; readonly maxOp: number }[]
}

/** What the document holds beyond `heads`; everything, where those heads are not here. */
function changesAfter(doc: A.Doc<unknown>, heads: readonly string[]): ChangesAfter {
  const spans = A.getChangesMetaSince(doc, A.hasHeads(doc, [...heads]) ? [...heads] : [])
  const hashes = new Set(spans.map(change => change.hash))
  return { has: hash => hashes.has(hash), spans }
}

function isOperationIn(operation: string, { spans }: ChangesAfter): boolean {
  const [counter, actor] = operation.split('@')
  return spans.some(span => span.actor === actor && span.startOp <= Number(counter) && Number(counter) <= span.maxOp)
}
