/** Deleting, for good or here only, and what a person decides about the deletions of others. */
import { SegueError, type DeletedEdit, type DeletionTarget, type Segue, type SegueDeletion } from '@segue/engine'
import * as v from 'valibot'
import { WrongRequest, defineCommand, type DaemonCommand } from '../command.ts'
import { findDocument, findSession, openSession } from './find.ts'

const target = { session: v.string(), document: v.optional(v.string()) }

export const DELETION_COMMANDS: readonly DaemonCommand[] = [
  /** What would go: shown before the person is asked. */
  defineCommand('deletion.plan', v.strictObject({ ...target, here: v.optional(v.boolean(), false) }), async ({ segue, signal }, params) => {
    const { here, ...wanted } = params
    const { title, targets } = await targetsOf(segue, wanted, signal)
    const plan = await (here ? segue.deletions.planHere(targets, { signal }) : segue.deletions.plan(targets, { signal }))
    const others = segue.devices.peek().filter(device => !device.isThisDevice)
    return {
      title,
      documents: plan.parts.flatMap(part => part.documents.filter(({ kind }) => kind === 'document')).length,
      ...{ count: plan.count, total: plan.total, isLarge: plan.isLarge },
      devices: others.length,
      relays: segue.relays.list.peek().length,
    }
  }),

  /** `typed` is the title of what goes, typed out. `much`: more than a fifth of everything is meant. */
  defineCommand(
    'deletion.delete',
    v.strictObject({ ...target, typed: v.optional(v.string()), much: v.optional(v.boolean(), false) }),
    async ({ segue, signal }, { typed, much, ...wanted }) => {
      const { title, targets } = await targetsOf(segue, wanted, signal)
      assertTyped(typed, title)
      const made = await segue.deletions.delete(targets, { confirmed: much, signal })
      return { deletions: made.map(each => describe(segue, each)) }
    },
  ),

  /** On this device only. `force`, where nobody else may have it, needs the title typed out. */
  defineCommand(
    'deletion.here',
    v.strictObject({
      ...target,
      typed: v.optional(v.string()),
      much: v.optional(v.boolean(), false),
      force: v.optional(v.boolean(), false),
    }),
    async ({ segue, signal }, { typed, much, force, ...wanted }) => {
      const { title, targets } = await targetsOf(segue, wanted, signal)
      if (force) assertTyped(typed, title)
      return { notHere: await segue.deletions.deleteHere(targets, { confirmed: much, force, signal }) }
    },
  ),

  defineCommand('deletion.list', v.strictObject({}), async ({ segue }) => ({
    notHere: segue.deletions.notHere.peek(),
    deletions: segue.deletions.list.peek().map(each => describe(segue, each)),
    edits: segue.deletions.edits.peek().map(each => describeEdit(segue, each)),
  })),

  /** Ends when every device and relay of the group says that it is gone there; emits each change until then. */
  defineCommand('deletion.follow', v.strictObject({ deletions: v.array(v.string()) }), async ({ segue, signal, emit }, { deletions }) => {
    const wanted = (): readonly ReturnType<typeof describe>[] =>
      segue.deletions.list.peek().flatMap(each => (deletions.includes(each.id) ? [describe(segue, each)] : []))
    const stop = segue.deletions.list.subscribe(() => emit({ deletions: wanted() }))
    try {
      await segue.deletions.list.when(() => wanted().every(({ missing }) => missing === 0), { signal })
      return { deletions: wanted() }
    } finally {
      stop()
    }
  }),

  /** go-on and keep: of a deletion that waits. keep-edits and discard-edits: of what was edited while it was deleted. */
  defineCommand(
    'deletion.decide',
    v.strictObject({ deletion: v.string(), decision: v.picklist(['go-on', 'keep', 'keep-edits', 'discard-edits']) }),
    async ({ segue }, { deletion, decision }) => {
      const { deletions } = segue
      const known =
        decision === 'go-on' || decision === 'keep'
          ? deletions.list.peek().map(({ id }) => id)
          : deletions.edits.peek().map(each => each.deletion)
      const id = idIn(known, deletion)
      if (decision === 'go-on') await deletions.goOn(id)
      if (decision === 'discard-edits') await deletions.discardEdits(id)
      const session = decision === 'keep' ? await deletions.keep(id) : decision === 'keep-edits' ? await deletions.keepEdits(id) : undefined
      return { deletion: id, decision, ...(session === undefined ? {} : { session }) }
    },
  ),
]

function assertTyped(typed: string | undefined, title: string): void {
  if (typed === undefined) throw new SegueError('CONFIRMATION_NEEDED', { wanted: 'the title of what is deleted, typed out' })
  if (typed.normalize('NFC').trim() !== title.normalize('NFC').trim()) throw new SegueError('CONFIRMATION_WRONG', { wanted: 'the title' })
}

async function targetsOf(
  segue: Segue,
  { session, document }: { readonly session: string; readonly document?: string | undefined },
  signal: AbortSignal,
): Promise<{ readonly title: string; readonly targets: readonly DeletionTarget[] }> {
  const found = findSession(segue, session)
  if (document === undefined) return { title: found.title, targets: [{ session: found.id }] }
  const { documentId, title } = findDocument(await openSession(segue, found.id, signal), document)
  return { title, targets: [{ document: documentId }] }
}

function idIn(known: readonly string[], wanted: string): string {
  const found = known.filter(id => wanted !== '' && id.startsWith(wanted.replace(/^…/, '')))
  if (found.length > 1) throw new WrongRequest(`${found.length} deletions begin with ${wanted}. Say more of the id: segue deletions`)
  if (found[0] === undefined) throw new SegueError('DELETION_UNKNOWN')
  return found[0]
}

function nameIn(segue: Segue, id: string): string | undefined {
  return segue.devices.peek().find(device => device.id === id)?.name
}

function describe(segue: Segue, { goneAt, waitingAt, ...deletion }: SegueDeletion) {
  const devices = segue.devices.peek().map(({ id, name, isThisDevice }) => ({
    ...{ id, name, isThisDevice },
    state: goneAt.includes(id) ? ('gone' as const) : waitingAt.includes(id) ? ('asks' as const) : ('not-yet' as const),
  }))
  const missing = devices.filter(({ state }) => state !== 'gone').length + deletion.relays.filter(({ state }) => state === 'waiting').length
  return { ...deletion, byName: nameIn(segue, deletion.by), documents: deletion.documents.length, devices, missing }
}

function describeEdit(segue: Segue, edit: DeletedEdit) {
  return { ...edit, byName: nameIn(segue, edit.by), documents: edit.documents.map(({ title, kind, edits }) => ({ title, kind, edits })) }
}
