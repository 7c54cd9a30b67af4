/**
 * What is open where. Every device writes its own layout and no other, so two devices never fight over a cursor; the driver's
 * layout is the one that travels, and a handoff makes it the receiver's own (`adopt`). Moves are kept in memory and written at
 * most once in VIEW_WRITE_MS: history never shrinks, and a cursor moves with every keystroke.
 */
import type { DocHandle, DocumentId } from '@automerge/automerge-repo'
import { toHex } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import { RANDOM_ID_BYTES, type DeviceId } from '../lib/ids.ts'
import { SECOND_MS } from '../lib/units.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Layout, SessionDocuments, View, ViewChange, Views } from './contract.ts'
import { pointAt, positionOf } from './points.ts'
import type { LayoutRecord, ViewRecord, ViewsDoc } from './schema/shapes.ts'
import { pathOf, pathWord, word, type Word } from './schema/words.ts'

export const VIEW_WRITE_MS: number = SECOND_MS

export interface ViewsComponents {
  readonly handle: DocHandle<ViewsDoc>
  readonly documents: SessionDocuments
  readonly identity: { readonly id: DeviceId }
  readonly clock: Clock
  readonly random: Random
  readonly driver: () => DeviceId | undefined
}

export async function createViews({
  handle,
  documents,
  identity,
  clock,
  random,
  driver,
}: ViewsComponents): Promise<Views & { stop(): void }> {
  /** Retained: a position is read whenever somebody asks. */
  const open = new Map<DocumentId, { readonly handle: DocHandle<unknown>; readonly release: () => void }>()
  /** Points taken when the move was made: what is typed before it is written moves them along. */
  const unwritten = new Map<string, Placed>()
  let cancelWrite: (() => void) | undefined

  /** Positions are read from open documents only; of one still on its way they are unknown. */
  const openFor = async (document: DocumentId, options?: { readonly signal?: AbortSignal }): Promise<void> => {
    if (open.has(document)) return
    const opened = await documents.open<unknown>(document, options)
    if (!open.has(document)) open.set(document, { handle: opened, release: documents.retain(document) })
  }
  const handleOf = (document: string): DocHandle<unknown> | undefined => open.get(document as DocumentId)?.handle
  const closeUnshown = (): void => {
    const shown = new Set(Object.values(handle.doc().layouts).flatMap(({ views }) => Object.values(views).map(view => view.document.val)))
    for (const [document, { release }] of open) {
      if (shown.has(document)) continue
      open.delete(document)
      release()
    }
  }
  const read = (device: string): Layout | undefined => {
    const record = handle.doc().layouts[device]
    if (record === undefined) return undefined
    const views = Object.entries(record.views)
      .sort(([a, x], [b, y]) => x.pane - y.pane || x.order - y.order || (a < b ? -1 : 1))
      .map(([id, view]) => {
        const moved = device === identity.id ? unwritten.get(id) : undefined
        return readView(id, view, moved, handleOf(view.document.val))
      })
    return { device: device as DeviceId, views, focus: record.focus?.val, moves: record.moves }
  }
  const write = (edit: (layout: LayoutRecord) => void): void => {
    handle.change(doc => {
      const moves = 1 + Math.max(0, ...Object.values(doc.layouts).map(layout => layout.moves))
      if (doc.layouts[identity.id] === undefined) doc.layouts[identity.id] = { moves, views: {} }
      const layout = doc.layouts[identity.id] as LayoutRecord
      layout.moves = moves
      edit(layout)
    })
  }
  const own = (id: string): ViewRecord => {
    const view = handle.doc().layouts[identity.id]?.views[id]
    if (view === undefined) throw new SegueError('DOCUMENT_UNKNOWN', { view: id })
    return view
  }
  const flush = (): void => {
    cancelWrite?.()
    cancelWrite = undefined
    const present = handle.doc().layouts[identity.id]?.views ?? {}
    const moved = [...unwritten].filter(([id, fields]) => present[id] !== undefined && !isSame(present[id], fields))
    unwritten.clear()
    if (moved.length === 0) return
    write(layout => {
      for (const [id, fields] of moved) put(layout.views[id] as ViewRecord, fields)
    })
  }
  const travelling = (): string | undefined => {
    const layouts = handle.doc().layouts
    const driving = driver()
    if (driving !== undefined && layouts[driving] !== undefined) return driving
    const moved = Object.entries(layouts).sort(([a, x], [b, y]) => y.moves - x.moves || (a < b ? 1 : -1))
    return moved[0]?.[0]
  }
  const openShown = async (device: string, options?: { readonly signal?: AbortSignal }): Promise<void> => {
    for (const view of Object.values(handle.doc().layouts[device]?.views ?? {})) {
      const document = view.document.val as DocumentId
      if (documents.isAbsent(document)) continue // deleted, or not kept here: there is no position to read
      await openFor(document, options).catch((error: unknown) => {
        if (!documents.isAbsent(document)) throw error
      })
    }
  }
  await openShown(identity.id)

  return {
    layout: () => read(identity.id) ?? { device: identity.id, views: [], focus: undefined, moves: 0 },
    async travelling(options) {
      const device = travelling()
      if (device === undefined) return undefined
      await openShown(device, options)
      return read(device)
    },
    async open({ document, path = ['text'], ...change }) {
      await openFor(document)
      const id = toHex(random.bytes(RANDOM_ID_BYTES))
      const views = Object.values(handle.doc().layouts[identity.id]?.views ?? {})
      const view: ViewRecord = {
        document: word(document),
        path: pathWord(path),
        order: 1 + Math.max(0, ...views.map(other => other.order)),
        pane: change.pane ?? 0,
      }
      const fields = placed(view, change, handleOf(document))
      write(layout => {
        layout.views[id] = view
        put(layout.views[id], fields)
        layout.focus = word(id)
      })
      return id
    },
    update(id, change) {
      const view = own(id)
      unwritten.set(id, { ...unwritten.get(id), ...placed(view, change, handleOf(view.document.val)) })
      cancelWrite ??= clock.after(VIEW_WRITE_MS, flush)
    },
    focus(id) {
      own(id)
      if (handle.doc().layouts[identity.id]?.focus?.val !== id) write(layout => void (layout.focus = word(id)))
    },
    close(id) {
      own(id)
      unwritten.delete(id)
      write(layout => {
        delete layout.views[id]
        if (layout.focus?.val === id) delete layout.focus
      })
      closeUnshown()
    },
    async adopt(from) {
      flush()
      const device = from ?? travelling()
      const source = device === undefined ? undefined : handle.doc().layouts[device]
      if (source === undefined || device === undefined) return undefined
      await openShown(device)
      if (device !== identity.id) {
        const views = Object.fromEntries(Object.entries(source.views).map(([id, view]) => [id, { ...view }]))
        write(layout => {
          layout.views = views
          if (source.focus === undefined) delete layout.focus
          else layout.focus = source.focus
        })
      }
      return read(identity.id)
    },
    flush,
    stop() {
      flush()
      for (const { release } of open.values()) release()
      open.clear()
    },
  }
}

function readView(id: string, written: ViewRecord, moved: Placed | undefined, handle: DocHandle<unknown> | undefined): View {
  const view = { ...written, ...moved }
  const path = pathOf(written.path)
  const at = (point: Word | undefined): number | undefined =>
    point === undefined || handle === undefined ? undefined : positionOf(handle.doc(), path, point.val)
  const anchor = at(view.anchor)
  const head = at(view.head)
  return {
    id,
    document: written.document.val as DocumentId,
    path,
    selection: anchor === undefined || head === undefined ? undefined : { anchor, head },
    scroll: view.fraction === undefined ? undefined : { top: at(view.top), fraction: view.fraction },
    pane: view.pane ?? written.pane,
  }
}

/** Fields of a view to be set; undefined takes one away. */
type Placed = { readonly [Field in 'anchor' | 'head' | 'top' | 'fraction' | 'pane']?: ViewRecord[Field] | undefined }

function placed(view: ViewRecord, { selection, scroll, pane }: ViewChange, handle: DocHandle<unknown> | undefined): Placed {
  const path = pathOf(view.path)
  const point = (position: number | undefined): Word | undefined => {
    const at = position === undefined || handle === undefined ? undefined : pointAt(handle.doc(), path, position)
    return at === undefined ? undefined : word(at)
  }
  return {
    ...(selection && { anchor: point(selection.anchor), head: point(selection.head) }),
    ...(scroll && { top: point(scroll.top), fraction: Math.min(1, Math.max(0, scroll.fraction)) }),
    ...(pane !== undefined && { pane }),
  }
}

function put(view: ViewRecord, fields: Placed): void {
  const target = view as unknown as Record<string, unknown>
  for (const [field, value] of Object.entries(fields)) {
    if (value === undefined) delete target[field]
    else target[field] = value
  }
}

function isSame(view: ViewRecord | undefined, fields: Placed): boolean {
  return Object.entries(fields).every(([field, value]) => String((view as Record<string, unknown> | undefined)?.[field]) === String(value))
}
