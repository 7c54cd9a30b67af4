/** Conflicts and checkpoints: looking back, choosing, taking back. */
import { SegueError, isSegueError, type Checkpoint, type Conflict, type ConflictSide, type Segue, type SegueSession } from '@segue/engine'
import * as v from 'valibot'
import { defineCommand, type DaemonCommand } from '../command.ts'
import { openSession } from './find.ts'

const choice = v.union([v.picklist(['ours', 'theirs', 'both']), v.strictObject({ text: v.string() })], 'takes ours, theirs or both')

export const HISTORY_COMMANDS: readonly DaemonCommand[] = [
  /** Without a session, of all of them; `unread` are titles of those that could not be looked into: they are not kept here, or on their way. */
  defineCommand('conflicts.list', v.strictObject({ session: v.optional(v.string()) }), async ({ segue, signal }, { session: wanted }) => {
    if (wanted !== undefined) return { conflicts: await conflictsOf(segue, wanted, signal), unread: [] }
    await segue.sessions.whenListed()
    const conflicts: Readonly<Record<string, unknown>>[] = []
    const unread: string[] = []
    for (const { id, title } of segue.sessions.list.peek()) {
      const patience = AbortSignal.timeout(SESSION_PATIENCE_MS)
      try {
        if (segue.deletions.notHere.peek().some(({ session }) => session === id)) unread.push(title)
        else conflicts.push(...(await conflictsOf(segue, id, AbortSignal.any([signal, patience]))))
      } catch (error) {
        if (signal.aborted || !(patience.aborted || isSegueError(error))) throw error
        unread.push(title)
      }
    }
    return { conflicts, unread }
  }),

  defineCommand('conflicts.show', v.strictObject({ session: v.string(), conflict: v.string() }), async ({ segue, signal }, params) => {
    const session = await openSession(segue, params.session, signal)
    return present(segue, session, await findConflict(session, params.conflict, signal))
  }),

  /** Without a choice, what is suggested. */
  defineCommand(
    'conflicts.accept',
    v.strictObject({ session: v.string(), conflict: v.string(), choice: v.optional(choice) }),
    async ({ segue, signal }, params) => {
      const session = await openSession(segue, params.session, signal)
      const conflict = await findConflict(session, params.conflict, signal)
      if (params.choice === undefined) await session.history.accept(conflict.id)
      else await session.history.choose(conflict.id, params.choice)
      await session.flush()
      return { resolved: conflict.id }
    },
  ),

  defineCommand('history.list', v.strictObject({ session: v.string() }), async ({ segue, signal }, params) => {
    const session = await openSession(segue, params.session, signal)
    return { checkpoints: session.history.checkpoints().map(checkpoint => named(segue, checkpoint)) }
  }),

  defineCommand('history.checkpoint', v.strictObject({ session: v.string() }), async ({ segue, signal }, params) => {
    const session = await openSession(segue, params.session, signal)
    return named(segue, await session.history.takeCheckpoint('manual', { signal }))
  }),

  /** Without a checkpoint, the newest one that a handoff or a merge took. */
  defineCommand(
    'history.revert',
    v.strictObject({ session: v.string(), checkpoint: v.optional(v.string()) }),
    async ({ segue, signal }, { session: wanted, checkpoint }) => {
      const session = await openSession(segue, wanted, signal)
      const target = findCheckpoint(session, checkpoint)
      const outcome = await session.history.revert(target.id, { signal })
      await session.flush()
      return { changed: outcome.changed, before: named(segue, outcome.before) }
    },
  ),
]

/** One that is on its way is waited for no longer, for the others' sake. */
const SESSION_PATIENCE_MS = 3_000

async function conflictsOf(segue: Segue, wanted: string, signal: AbortSignal): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const session = await openSession(segue, wanted, signal)
  const conflicts = await session.history.conflicts({ signal })
  return conflicts.map(conflict => ({ ...present(segue, session, conflict), session: session.id, sessionTitle: session.title.peek() }))
}

function findCheckpoint(session: SegueSession, wanted: string | undefined): Checkpoint {
  const all = session.history.checkpoints()
  const found =
    wanted === undefined
      ? all.filter(({ reason }) => reason === 'handoff' || reason === 'before-merge').slice(0, 1)
      : all.filter(({ id }) => id === wanted || (wanted !== '' && id.startsWith(wanted)))
  if (found.length !== 1) throw new SegueError('CHECKPOINT_UNKNOWN')
  return found[0] as Checkpoint
}

async function findConflict(session: SegueSession, wanted: string, signal: AbortSignal): Promise<Conflict> {
  const found = (await session.history.conflicts({ signal })).filter(({ id }) => wanted !== '' && id.startsWith(wanted))
  if (found.length !== 1) throw new SegueError('CONFLICT_UNKNOWN')
  return found[0] as Conflict
}

function present(segue: Segue, session: SegueSession, conflict: Conflict): Readonly<Record<string, unknown>> {
  const title = session.documents.list.peek().find(document => document.documentId === conflict.document)?.title ?? conflict.documentKind
  return { ...conflict, documentTitle: title, ours: withName(segue, conflict.ours), theirs: withName(segue, conflict.theirs) }
}

function withName(segue: Segue, side: ConflictSide): ConflictSide & { readonly authorName: string | undefined } {
  return { ...side, authorName: nameOf(segue, side.author) }
}

function named(segue: Segue, checkpoint: Checkpoint): Readonly<Record<string, unknown>> {
  return { ...checkpoint, byName: nameOf(segue, checkpoint.by) ?? '' }
}

function nameOf(segue: Segue, id: string | undefined): string | undefined {
  return segue.devices.peek().find(device => device.id === id)?.name
}
