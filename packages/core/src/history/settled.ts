/**
 * Which conflicts are settled, kept in the session document so that every device agrees. A settled text conflict is remembered by
 * id until its document has no open one left; then the document's heads are marked as reviewed instead, and the ids go. Reviewed
 * heads are a set: two devices that review at the same time both count.
 */
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import { toHex } from '../lib/bytes.ts'
import type { DeviceId } from '../lib/ids.ts'
import type { SessionDoc } from '../session/schema/shapes.ts'
import { packHeads, unpackHeads, word } from '../session/schema/words.ts'
import type { Conflict } from './contract.ts'

/** Beyond it the oldest are forgotten; a conflict that still stands may then be listed again. */
export const MAX_RESOLVED = 512

export function isResolved(doc: SessionDoc, id: string): boolean {
  return Object.hasOwn(doc.history.resolved, id)
}

export function markResolved(
  handle: DocHandle<SessionDoc>,
  conflict: Conflict,
  choice: string,
  { by, time }: { readonly by: DeviceId; readonly time: number },
): void {
  handle.change(doc => {
    const { resolved } = doc.history
    const oldest = Object.entries(resolved).sort(([a, x], [b, y]) => x.time - y.time || (a < b ? -1 : 1))
    for (const [id] of oldest.slice(0, Math.max(0, oldest.length - MAX_RESOLVED + 1))) delete resolved[id]
    resolved[conflict.id] = { document: word(conflict.document), by: word(by), choice: word(choice), time }
  })
}

export function reviewedHeads(doc: SessionDoc, document: DocumentId): readonly (readonly string[])[] {
  return marksOf(doc, document).map(([, heads]) => unpackHeads(heads))
}

/** Every text conflict up to `heads` is settled. `isHere` says whether older reviewed heads are contained in them. */
export function markReviewed(
  handle: DocHandle<SessionDoc>,
  document: DocumentId,
  heads: readonly string[],
  isHere: (heads: readonly string[]) => boolean,
): void {
  const packed = packHeads(heads)
  handle.change(doc => {
    const { reviewed, resolved } = doc.history
    for (const [key, older] of marksOf(doc, document)) if (isHere(unpackHeads(older))) delete reviewed[key]
    reviewed[`${document}/${toHex(packed)}`] = packed
    for (const [id, settled] of Object.entries(resolved)) {
      if (id.startsWith('text-') && settled.document.val === document) delete resolved[id]
    }
  })
}

function marksOf(doc: SessionDoc, document: DocumentId): readonly [key: string, heads: Uint8Array][] {
  return Object.entries(doc.history.reviewed).filter(([key]) => key.startsWith(`${document}/`))
}
