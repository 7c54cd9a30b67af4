/** What is open where: views, drafts, preferences. */
import * as v from 'valibot'
import { defineCommand, type DaemonCommand } from '../command.ts'
import { findDocument, openSession } from './find.ts'

const position = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const selection = v.strictObject({ anchor: position, head: position })
const scroll = v.strictObject({ top: v.optional(position), fraction: v.pipe(v.number(), v.minValue(0), v.maxValue(1)) })
const value = v.union([v.string(), v.number(), v.boolean()])

export const WORKSPACE_COMMANDS: readonly DaemonCommand[] = [
  defineCommand(
    'view.open',
    v.strictObject({
      session: v.string(),
      document: v.optional(v.string()),
      selection: v.optional(selection),
      scroll: v.optional(scroll),
      pane: v.optional(position),
    }),
    async ({ segue, signal }, { session: wanted, document, selection: selected, scroll: scrolled, pane }) => {
      const session = await openSession(segue, wanted, signal)
      const id = await session.views.open({
        document: findDocument(session, document).documentId,
        path: ['text'],
        ...(selected === undefined ? {} : { selection: selected }),
        ...(scrolled === undefined
          ? {}
          : { scroll: { fraction: scrolled.fraction, ...(scrolled.top === undefined ? {} : { top: scrolled.top }) } }),
        ...(pane === undefined ? {} : { pane }),
      })
      await session.flush()
      return { id }
    },
  ),

  defineCommand(
    'view.select',
    v.strictObject({ session: v.string(), id: v.string(), selection }),
    async ({ segue, signal }, { session: wanted, id, selection: selected }) => {
      const session = await openSession(segue, wanted, signal)
      session.views.update(id, { selection: selected })
      session.views.focus(id)
      await session.flush()
      return {}
    },
  ),

  /** A draft that replaces the document's text when it is saved. */
  defineCommand(
    'draft.create',
    v.strictObject({ session: v.string(), document: v.optional(v.string()), text: v.string() }),
    async ({ segue, signal }, { session: wanted, document, text }) => {
      const session = await openSession(segue, wanted, signal)
      const id = await session.drafts.create({
        text,
        target: { mode: 'replace', document: findDocument(session, document).documentId, path: ['text'] },
      })
      await session.flush()
      return { id }
    },
  ),

  defineCommand(
    'draft.discard',
    v.strictObject({ session: v.string(), id: v.string() }),
    async ({ segue, signal }, { session: wanted, id }) => {
      const session = await openSession(segue, wanted, signal)
      session.drafts.discard(id)
      await session.flush()
      return {}
    },
  ),

  defineCommand(
    'preference.set',
    v.strictObject({ session: v.string(), key: v.pipe(v.string(), v.minLength(1)), value: v.optional(value) }),
    async ({ segue, signal }, params) => {
      const session = await openSession(segue, params.session, signal)
      session.preferences.set(params.key, params.value)
      await session.flush()
      return {}
    },
  ),
]
