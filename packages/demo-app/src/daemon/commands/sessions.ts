/** The work itself: sessions and the documents in them. */
import { SESSION_KINDS, textOfFile, type Segue, type SegueSession } from '@segue/engine'
import * as v from 'valibot'
import { defineCommand, type DaemonCommand } from '../command.ts'
import { findDocument, findSession, openSession } from './find.ts'

const title = v.pipe(v.string(), v.trim(), v.minLength(1, 'may not be empty'), v.maxLength(200, 'has 200 characters at most'))

export const SESSION_COMMANDS: readonly DaemonCommand[] = [
  /** `here`: whether it is kept on this device. */
  defineCommand('session.list', v.strictObject({}), async ({ segue }) => {
    const away = new Map(segue.deletions.notHere.peek().map(({ session, state }) => [session, state]))
    return { sessions: segue.sessions.list.peek().map(each => ({ ...each, here: away.get(each.id) ?? 'here' })) }
  }),

  /** Brings back what was deleted on this device only; resolves when all of it is here. */
  defineCommand('session.fetch', v.strictObject({ session: v.string() }), async ({ segue, signal }, params) => {
    const { id, title: name } = findSession(segue, params.session)
    await segue.deletions.bringBack([{ session: id }], { signal })
    return { id, title: name }
  }),

  defineCommand('session.create', v.strictObject({ title }), async ({ segue }, params) => {
    const session = await segue.sessions.create(params)
    await session.flush()
    return { id: session.id, title: session.title.peek() }
  }),

  defineCommand('session.show', v.strictObject({ session: v.string() }), async ({ segue, signal }, params) => {
    return describe(segue, await openSession(segue, params.session, signal))
  }),

  /** Waits until everything of the session is here, then shows it. */
  defineCommand('session.open', v.strictObject({ session: v.string(), fetch: v.optional(v.boolean(), false) }), async (context, params) => {
    const { segue, signal } = context
    if (params.fetch) await segue.deletions.bringBack([{ session: findSession(segue, params.session).id }], { signal })
    const session = await openSession(segue, params.session, signal)
    const away = notHere(segue)
    const kept = session.documents.list.peek().filter(({ documentId }) => !away.has(documentId))
    await Promise.all(kept.map(({ documentId }) => session.documents.open(documentId, { signal })))
    return describe(segue, session)
  }),

  /** A text file becomes a document: of a session given, or of a new one named like the file. */
  defineCommand(
    'session.import',
    v.strictObject({ name: title, content: v.pipe(v.string(), v.base64()), session: v.optional(v.string()) }),
    async ({ segue, signal }, { name, content, session: wanted }) => {
      const bytes = new Uint8Array(Buffer.from(content, 'base64'))
      textOfFile(bytes) // refused before anything is made
      const existing = wanted === undefined ? undefined : findSession(segue, wanted)
      const session =
        existing === undefined ? await segue.sessions.create({ title: name }) : await segue.sessions.open(existing.id, { signal })
      const document = await session.documents.importText({ title: name, bytes })
      await session.flush()
      return { session: session.id, title: session.title.peek(), document: document.documentId, bytes: bytes.length }
    },
  ),

  defineCommand(
    'session.export',
    v.strictObject({ session: v.string(), document: v.optional(v.string()) }),
    async ({ segue, signal }, params) => {
      const session = await openSession(segue, params.session, signal)
      const document = findDocument(session, params.document)
      const bytes = await session.documents.exportText(document.documentId, { signal })
      return { document: document.documentId, title: document.title, content: Buffer.from(bytes).toString('base64') }
    },
  ),

  /** Resolves when everything acknowledged of the session is on the disk of so many other devices. */
  defineCommand(
    'session.durable',
    v.strictObject({ session: v.string(), devices: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 1) }),
    async ({ segue, signal }, params) => {
      const session = await openSession(segue, params.session, signal)
      await session.durable({ devices: params.devices, signal })
      return { durability: session.durability.peek() }
    },
  ),
]

/** Documents that were deleted on this device only, one by one. */
function notHere(segue: Segue): ReadonlySet<string | undefined> {
  return new Set(segue.deletions.notHere.peek().map(({ document }) => document))
}

async function describe(segue: Segue, session: SegueSession): Promise<Readonly<Record<string, unknown>>> {
  const away = notHere(segue)
  const layout = session.views.travelling()
  const manifest = await session.manifest(SESSION_KINDS)
  const { holder, confirmed, isFree } = await session.lease()
  return {
    id: session.id,
    title: session.title.peek(),
    driver: session.driver.peek(),
    driverName: segue.devices.peek().find(device => device.id === session.driver.peek())?.name,
    lease: { holder, confirmed, isFree },
    documents: session.documents.list.peek().map(document => ({
      ...document,
      heads: manifest.documents.find(({ documentId }) => documentId === document.documentId)?.heads ?? [],
      isHere: !away.has(document.documentId),
    })),
    views: session.views.layout().views,
    travelling: layout,
    drafts: session.drafts.list.peek(),
    preferences: session.preferences.all.peek(),
    durability: session.durability.peek(),
    arriving: session.arriving.peek() !== undefined,
  }
}
