/**
 * Unsaved text. A draft is replicated like everything else, so "unsaved" never means "only here". Saving moves it into its
 * target as one change and closes it; a closed draft keeps its text and the heads it was closed at, so that typing into it
 * elsewhere at the same time is noticed, and discarding can be undone. Closed drafts beyond MAX_CLOSED_DRAFTS are dropped,
 * oldest first.
 */
import * as A from '@automerge/automerge'
import { encodeHeads, type DocHandle, type DocumentId } from '@automerge/automerge-repo'
import { toHex } from '../lib/bytes.ts'
import { SegueError } from '../lib/errors.ts'
import { RANDOM_ID_BYTES, type DeviceId } from '../lib/ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Draft, DraftTarget, Drafts, SessionDocuments } from './contract.ts'
import { follow } from './follow.ts'
import { pointAt, positionOf, textAt } from './points.ts'
import type { DraftRecord, DraftsDoc } from './schema/shapes.ts'
import { packHeads, pathOf, pathWord, unpackHeads, word } from './schema/words.ts'

export const MAX_CLOSED_DRAFTS = 64

export interface DraftsComponents {
  readonly handle: DocHandle<DraftsDoc>
  readonly documents: SessionDocuments
  readonly identity: { readonly id: DeviceId }
  readonly clock: Clock
  readonly random: Random
}

export function createDrafts({ handle, documents, identity, clock, random }: DraftsComponents): Drafts & { stop(): void } {
  const list = follow(handle, doc => draftsOf(doc).filter(draft => draft.state === 'open'))

  const record = (id: string): DraftRecord => {
    const found = handle.doc().drafts[id]
    if (found === undefined) throw new SegueError('DOCUMENT_UNKNOWN', { draft: id })
    return found
  }
  const targetRecord = async (target: DraftTarget): Promise<{ target: NonNullable<DraftRecord['target']>; text: string }> => {
    const path = target.path ?? ['text']
    const doc = (await documents.open<unknown>(target.document)).doc()
    const text = textAt(doc, path)
    if (text === undefined) throw new SegueError('DOCUMENT_NOT_TEXT')
    const at = target.mode === 'insert' ? pointAt(doc, path, target.at) : undefined
    const base = packHeads(A.getHeads(doc))
    return {
      target: {
        mode: word(target.mode),
        document: word(target.document),
        path: pathWord(path),
        base,
        ...(at !== undefined && { at: word(at) }),
      },
      text: target.mode === 'replace' ? text : '',
    }
  }
  const close = (id: string, as: 'saved' | 'discarded'): void => {
    const heads = packHeads(A.getHeads(handle.doc()))
    handle.change(doc => {
      ;(doc.drafts[id] as DraftRecord).closed = { as: word(as), by: word(identity.id), heads, time: clock.now() }
      const closed = Object.entries(doc.drafts).filter(([, draft]) => draft.closed !== undefined)
      const oldest = closed.sort(([a, x], [b, y]) => x.number - y.number || (a < b ? -1 : 1)).slice(0, -MAX_CLOSED_DRAFTS)
      for (const [old] of oldest) delete doc.drafts[old]
    })
  }

  return {
    list: list.value,
    get: id => draftsOf(handle.doc()).find(draft => draft.id === id),
    async create({ text, target }) {
      const made = target === undefined ? undefined : await targetRecord(target)
      const id = toHex(random.bytes(RANDOM_ID_BYTES))
      handle.change(doc => {
        const number = 1 + Math.max(0, ...Object.values(doc.drafts).map(draft => draft.number))
        const createdBy = word(identity.id)
        doc.drafts[id] = { text: text ?? made?.text ?? '', number, createdBy, ...(made && { target: made.target }) }
      })
      return id
    },
    set(id, text) {
      if (record(id).text !== text) handle.change(doc => A.updateText(doc, ['drafts', id, 'text'], text))
    },
    async save(id, options = {}) {
      const target = options.target === undefined ? record(id).target : (await targetRecord(options.target)).target
      if (target === undefined) throw new SegueError('DOCUMENT_UNKNOWN', { draft: id })
      const document = target.document.val as DocumentId
      const base = unpackHeads(target.base)
      await documents.whenContains(document, base, options)
      const into = await documents.open<unknown>(document, options)
      const draft = record(id)
      if (draft.closed !== undefined) return // saved or discarded while this waited
      saveInto(into, target, base, draft.text)
      close(id, 'saved')
    },
    discard(id) {
      if (record(id).closed === undefined) close(id, 'discarded')
    },
    reopen(id) {
      if (record(id).closed !== undefined) handle.change(doc => void delete (doc.drafts[id] as DraftRecord).closed)
    },
    stop: list.stop,
  }
}

/** All drafts, closed ones too, oldest first. */
export function draftsOf(doc: DraftsDoc): readonly Draft[] {
  return Object.entries(doc.drafts)
    .sort(([a, x], [b, y]) => x.number - y.number || (a < b ? -1 : 1))
    .map(([id, { text, target, createdBy, closed }]) => ({
      id,
      text,
      target: target && {
        mode: target.mode.val === 'insert' ? 'insert' : 'replace',
        document: target.document.val as DocumentId,
        path: pathOf(target.path),
      },
      createdBy: createdBy.val as DeviceId,
      state: closed === undefined ? 'open' : closed.as.val === 'saved' ? 'saved' : 'discarded',
    }))
}

function saveInto(into: DocHandle<unknown>, target: NonNullable<DraftRecord['target']>, base: readonly string[], text: string): void {
  const path = [...pathOf(target.path)]
  if (target.mode.val === 'insert') {
    const at = positionOf(into.doc(), path, target.at?.val ?? 'start')
    if (at === undefined) throw new SegueError('DOCUMENT_UNKNOWN')
    if (text !== '') into.change(doc => A.splice(doc as A.Doc<unknown>, path, at, 0, text))
    return
  }
  // Written where the draft began: what others typed into the document meanwhile merges instead of being overwritten.
  if (textAt(A.view(into.doc(), [...base]), path) === text) return
  into.changeAt(encodeHeads([...base]), doc => A.updateText(doc as A.Doc<unknown>, path, text))
}
