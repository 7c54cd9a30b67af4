/** The session's own conflicts: removed here and edited there, and two drivers. */
import * as A from '@automerge/automerge'
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import type { DeviceId } from '../lib/ids.ts'
import type { Session } from '../session/contract.ts'
import { driversOf, nextClaimCounter } from '../session/lease-claims.ts'
import type { MemberRecord } from '../session/schema/shapes.ts'
import { unpackHeads } from '../session/schema/words.ts'
import { conflictId, excerpt, type FoundConflict } from './conflicts.ts'
import type { Choice } from './contract.ts'
import { shown, valueAt } from './plain-values.ts'

/** `handle` is a member that was taken off the list. Edited meanwhile: it holds changes that the remover did not have. */
export function removedDocumentConflict(session: Session, handle: DocHandle<unknown>, self: DeviceId): FoundConflict | undefined {
  const list = session.handles.session
  const record = list.doc().documents[handle.documentId]
  const { removed } = record ?? {}
  if (record === undefined || removed === undefined) return undefined
  const heads = unpackHeads(removed.heads)
  const doc = handle.doc()
  if (!A.hasHeads(doc, [...heads]) || A.getChangesMetaSince(doc, [...heads]).length === 0) return undefined
  const restore = (): void => list.change(draft => void delete (draft.documents[handle.documentId] as MemberRecord).removed)
  return removedConflict({
    id: conflictId('removed-and-edited', [list.documentId, handle.documentId, removed.by.val, removed.heads]),
    document: handle.documentId,
    documentKind: 'documents',
    path: [],
    by: removed.by.val as DeviceId,
    self,
    text: shown(valueAt(doc, ['text'])) || record.title,
    restore,
  })
}

/** Drafts that were saved or discarded on one device while another went on typing into them. */
export function closedDraftConflicts(session: Session, self: DeviceId): readonly FoundConflict[] {
  const handle = session.handles.drafts
  const doc = handle.doc()
  return Object.entries(doc.drafts).flatMap(([id, { closed, text }]) => {
    if (closed === undefined || !A.hasHeads(doc, [...unpackHeads(closed.heads)])) return []
    const then = valueAt(A.view(doc, [...unpackHeads(closed.heads)]), ['drafts', id, 'text'])
    if (then === text) return []
    return [
      removedConflict({
        id: conflictId('removed-and-edited', [handle.documentId, id, closed.by.val, closed.heads]),
        document: handle.documentId,
        documentKind: 'drafts',
        path: ['drafts', id, 'text'],
        by: closed.by.val as DeviceId,
        self,
        text,
        restore: () => session.drafts.reopen(id),
      }),
    ]
  })
}

/** Both branches stay; only who drives is decided. A device takes the session for itself alone, so choosing another one leaves it to that device. */
export function driversConflict(session: Session, self: DeviceId, now: () => number): FoundConflict | undefined {
  const handle = session.handles.session
  const [holding, ...others] = driversOf(handle.doc())
  const other = others.find(claim => claim.device === self) ?? others[0]
  if (holding === undefined || other === undefined) return undefined
  const [ours, theirs] = other.device === self ? [other, holding] : [holding, other]
  return {
    id: conflictId('two-drivers', [handle.documentId, holding.counter, ...[holding, ...others].map(claim => claim.device).sort()]),
    kind: 'two-drivers',
    document: handle.documentId,
    documentKind: 'session',
    path: ['lease'],
    ours: { excerpt: ours.device, author: ours.device, did: 'drove' },
    theirs: { excerpt: theirs.device, author: theirs.device, did: 'drove' },
    base: undefined,
    now: holding.device,
    choices: ['ours', 'theirs'],
    suggested: ours === holding ? 'ours' : 'theirs',
    because: 'drives-now',
    resolve(choice) {
      const chosen = choice === 'ours' ? ours : theirs
      if (chosen !== holding && chosen.device === self) {
        session.writeClaim({ counter: nextClaimCounter(handle.doc()), device: self, kind: 'taken', time: now() })
      }
    },
  }
}

interface Removed {
  readonly id: string
  readonly document: DocumentId
  readonly documentKind: 'documents' | 'drafts'
  readonly path: readonly string[]
  readonly by: DeviceId
  readonly self: DeviceId
  readonly text: string
  readonly restore: () => void
}

function removedConflict({ by, self, text, restore, ...where }: Removed): FoundConflict {
  const removed = { excerpt: '', author: by, did: 'removed' } as const
  const edited = { excerpt: excerpt(text), author: undefined, did: 'wrote' } as const
  const isOursRemoved = by === self
  return {
    ...where,
    kind: 'removed-and-edited',
    ours: isOursRemoved ? removed : edited,
    theirs: isOursRemoved ? edited : removed,
    base: undefined,
    now: '',
    choices: ['ours', 'theirs', 'both'],
    suggested: 'both',
    because: 'nothing-is-lost',
    resolve(choice: Choice) {
      const isRemovedKept = choice === (isOursRemoved ? 'ours' : 'theirs')
      if (!isRemovedKept) restore()
    },
  }
}
