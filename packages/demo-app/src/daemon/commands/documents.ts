/** Editing and following one document: what an editor would do through the engine, for scripts and the demo. */
import { Automerge, type DocHandle } from '@segue/engine'
import * as v from 'valibot'
import { defineCommand, type DaemonCommand } from '../command.ts'
import { createCodePointIndex } from '../code-points.ts'
import { findDocument, openSession } from './find.ts'

interface TextDocument {
  text: string
}
const position = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
/** [position, how many to delete, what to insert]; positions count UTF-16 units, or Unicode code points when `unit` says so. */
const patch = v.tuple([position, position, v.string()])
const which = { session: v.string(), document: v.optional(v.string()) }

export const DOCUMENT_COMMANDS: readonly DaemonCommand[] = [
  /** Each batch of patches becomes one change. Durable when it is answered, unless `wait` is false. */
  defineCommand(
    'document.edit',
    v.strictObject({
      ...which,
      batches: v.array(v.array(patch)),
      unit: v.optional(v.picklist(['utf-16', 'code-points']), 'utf-16'),
      wait: v.optional(v.boolean(), true),
    }),
    async ({ segue, signal }, { batches, unit, wait, ...named }) => {
      const session = await openSession(segue, named.session, signal)
      const { documentId } = findDocument(session, named.document)
      const handle = await session.documents.open<TextDocument>(documentId, { signal })
      const index = unit === 'code-points' ? createCodePointIndex(handle.doc().text) : undefined
      for (const batch of batches) {
        signal.throwIfAborted()
        handle.change(doc => {
          for (const [at, deleted, inserted] of batch) {
            const range = index === undefined ? { at, deleted } : index.splice(at, deleted, inserted)
            Automerge.splice(doc, ['text'], range.at, range.deleted, inserted)
          }
        })
      }
      if (wait) await session.flush()
      return { heads: Automerge.getHeads(handle.doc()) }
    },
  ),

  /** With `containing`, waits until the document has these heads. */
  defineCommand(
    'document.read',
    v.strictObject({ ...which, containing: v.optional(v.array(v.string()), []) }),
    async ({ segue, signal }, named) => {
      const session = await openSession(segue, named.session, signal)
      const handle = await session.documents.open<TextDocument>(findDocument(session, named.document).documentId, { signal })
      await untilContains(handle, named.containing, signal)
      return { text: handle.doc().text, heads: Automerge.getHeads(handle.doc()) }
    },
  ),

  /** Emits the length and heads now and after every change, until whoever asked goes away. With `text`, the text as well. */
  defineCommand(
    'document.follow',
    v.strictObject({ ...which, text: v.optional(v.boolean(), false) }),
    async ({ segue, signal, emit }, named) => {
      const session = await openSession(segue, named.session, signal)
      const handle = await session.documents.open<TextDocument>(findDocument(session, named.document).documentId, { signal })
      const show = (): void => {
        const { text } = handle.doc()
        emit({ type: 'text', length: text.length, heads: Automerge.getHeads(handle.doc()), ...(named.text ? { text } : {}) })
      }
      show()
      await followUntilAborted(handle, show, signal)
    },
  ),
]

/** Rejects with the signal's reason. */
function untilContains(handle: DocHandle<TextDocument>, heads: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (Automerge.hasHeads(handle.doc(), [...heads])) settle(resolve)
    }
    const onAbort = (): void => settle(() => reject(signal.reason))
    const settle = (how: () => void): void => {
      handle.off('change', look)
      signal.removeEventListener('abort', onAbort)
      how()
    }
    handle.on('change', look)
    signal.addEventListener('abort', onAbort, { once: true })
    look()
  })
}

function followUntilAborted(handle: DocHandle<TextDocument>, show: () => void, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    handle.on('change', show)
    const stop = (): void => {
      handle.off('change', show)
      resolve()
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
