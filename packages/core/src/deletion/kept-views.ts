/** Opens in a copy what this device had open in the session that was deleted, where it stood. */
import * as A from '@automerge/automerge'
import type { DocumentId } from '@automerge/automerge-repo'
import type { DeviceId } from '../lib/ids.ts'
import type { ViewChange, Views } from '../session/contract.ts'
import { positionOf } from '../session/points.ts'
import type { ViewRecord, ViewsDoc } from '../session/schema/shapes.ts'
import { pathOf, type Word } from '../session/schema/words.ts'

/** A document of the copy; its history is that of the deleted one, so points in it are still points. */
export interface CopiedDocument {
  readonly documentId: DocumentId
  /** Undefined: it was not deleted, and is not looked into here. */
  readonly doc: A.Doc<unknown> | undefined
}

/** Nothing where this device has views in the copy already. */
export async function bringViews(
  views: Pick<Views, 'layout' | 'open' | 'focus'>,
  saved: Uint8Array,
  device: DeviceId,
  copies: ReadonlyMap<DocumentId, CopiedDocument>,
): Promise<void> {
  const layout = A.load<ViewsDoc>(saved).layouts[device]
  if (layout === undefined || views.layout().views.length > 0) return
  const shown = Object.entries(layout.views).toSorted(([, a], [, b]) => a.pane - b.pane || a.order - b.order)
  let focused: string | undefined
  for (const [id, view] of shown) {
    const copy = copies.get(view.document.val as DocumentId)
    if (copy === undefined) continue
    const opened = await views.open({ document: copy.documentId, path: pathOf(view.path), pane: view.pane, ...placeOf(view, copy.doc) })
    if (layout.focus?.val === id) focused = opened
  }
  if (focused !== undefined) views.focus(focused)
}

function placeOf(view: ViewRecord, doc: A.Doc<unknown> | undefined): ViewChange {
  const at = (point: Word | undefined): number | undefined =>
    point === undefined || doc === undefined ? undefined : positionOf(doc, pathOf(view.path), point.val)
  const [anchor, head, top] = [at(view.anchor), at(view.head), at(view.top)]
  return {
    ...(anchor === undefined || head === undefined ? {} : { selection: { anchor, head } }),
    ...(view.fraction === undefined ? {} : { scroll: { fraction: view.fraction, ...(top === undefined ? {} : { top }) } }),
  }
}
